//! The backend of a command: Genesys Cloud or the built-in sandbox.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::SystemTime;

use billing_core::calls::Call;
use billing_core::fleet::{self, Aborted, FleetUpdate};
use billing_core::fleet::{FleetPlan, FleetProgress};
use billing_core::history::PeriodResult;
use billing_core::machine::Page;
use billing_core::poll::{PollTimings, Report, Timed};
use billing_core::sandbox::Sandbox;
use billing_core::values::DocumentUrl;
use billing_core::{
    Authorized, BaseUrl, Download, Error, ErrorKind, Event, Exchange, History, Machine, Operation, OrgId,
    Pages, PeriodSelection, Policy, Poll, Session,
};
use billing_ureq::{Client, TlsRoots};
use chrono::{DateTime, TimeDelta, Utc};

use crate::args::Options;
use crate::config;
use crate::failure::Failure;
use crate::log::{self, Verbosity};
use crate::output::Destination;
use crate::poll_cache::PollCache;
use crate::progress::RequestBar;
use crate::text::count;

/// A configured backend.
pub(crate) enum Backend {
    Cloud(Client, PollCache),
    Sandbox(Box<SandboxBackend>),
}

/// The sandbox in virtual time: waits take no real time.
pub(crate) struct SandboxBackend {
    sandbox: Sandbox,
    session: Rc<RefCell<Session>>,
    policy: Policy,
    now: DateTime<Utc>,
}

impl Backend {
    /// Builds the backend that the options select. Sends no request.
    pub(crate) fn new(options: &Options) -> Result<Self, Failure> {
        let verbosity = options.verbosity();
        if options.sandbox {
            config::check_flags(options)?;
            log::note("the sandbox's figures are simulated and belong to no real organisation", verbosity);
            return Ok(Self::Sandbox(Box::new(SandboxBackend::new(options))));
        }
        let connection = config::connection(options)?;
        for warning in &connection.warnings {
            log::warning(warning, verbosity);
        }
        for origin in &connection.setting_origins {
            log::setting(origin, verbosity);
        }
        let mut builder = Client::builder(connection.environment, connection.credentials)
            .policy(policy(options, SystemTime::now().into()))
            // Use the system's certificate store: companies that inspect TLS install their own roots there.
            .roots(TlsRoots::Platform);
        if let Some(proxy) = connection.proxy {
            builder = builder.proxy(proxy.expose());
        }
        let client = builder.build().map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(Self::Cloud(client, PollCache::new(options)))
    }

    /// Requests a usage report and polls it until it is complete.
    pub(crate) fn poll<C: Call<Output: Report>>(
        &mut self,
        call: C,
        verbosity: Verbosity,
    ) -> Result<C::Output, Error> {
        let before = match self {
            Self::Cloud(_, memory) => memory.load(),
            Self::Sandbox(_) => PollTimings::default(),
        };
        let machine = Poll::new(call, self.api_url(), self.policy());
        let Timed { report, timing: completion } = self.run(machine.adaptive(&before), verbosity)?;
        if let Self::Cloud(_, memory) = self {
            memory.save(completion);
        }
        Ok(report)
    }

    /// Makes one call.
    pub(crate) fn exchange<C: Call>(&mut self, call: C, verbosity: Verbosity) -> Result<C::Output, Error> {
        self.run(Exchange::new(call, self.api_url(), self.policy()), verbosity)
    }

    /// Creates a run over the billing periods of many organisations. No request is sent before the run
    /// starts.
    pub(crate) fn fleet(&mut self, assignment: &FleetPlan) -> FleetRun<'_> {
        match self {
            Self::Cloud(client, _) => FleetRun::Cloud(client.fleet(assignment)),
            Self::Sandbox(simulated) => {
                let (policy, session) = (simulated.policy.clone(), simulated.session.clone());
                FleetRun::Sandbox(fleet::Fleet::new(assignment, policy, session), simulated)
            }
        }
    }

    /// Downloads a document to the target that `open` opens. A retry calls `open` again.
    pub(crate) fn download<C: Call<Output = DocumentUrl> + Clone>(
        &mut self,
        call: C,
        open: &mut dyn FnMut() -> io::Result<File>,
        verbosity: Verbosity,
    ) -> Result<(), Failure> {
        let machine = Download::new(call, self.api_url(), self.policy());
        if let Self::Cloud(client, _) = self {
            let progress = RequestBar::new(machine.progress().operation, verbosity);
            client.download_watched(machine, open, |event| {
                log::event(&event, verbosity);
                progress.show(&event);
            })?;
            return Ok(());
        }
        let document = self.run(machine, verbosity)?;
        let written = open().and_then(|mut file| file.write_all(&document.content));
        written.map_err(|error| Failure::Output { to: Destination::Stdout, error })
    }

    /// Returns the current time by the server's clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        match self {
            Self::Cloud(..) => SystemTime::now().into(),
            Self::Sandbox(simulated) => simulated.now,
        }
    }

    /// Reads all pages of a list.
    pub(crate) fn list<C: Call<Output: Page> + Clone>(
        &mut self,
        call: C,
        verbosity: Verbosity,
    ) -> Result<Vec<C::Output>, Failure> {
        let first = Pages::new(call, self.api_url(), self.policy());
        let mut parts = self.item_reader(&first, ("page", "pages"), verbosity);
        let (mut pages, mut rest) = (Vec::new(), Some(first));
        while let Some(machine) = rest.take() {
            let turn = self.run_item(machine, &mut parts)?;
            pages.push(turn.page);
            parts.count_item()?;
            rest = turn.rest;
        }
        Ok(pages)
    }

    /// Walks back through the billing periods of an organisation.
    pub(crate) fn history(
        &mut self,
        organization: &OrgId,
        reach: PeriodSelection,
        verbosity: Verbosity,
    ) -> Result<Vec<PeriodResult>, Failure> {
        let first = History::new(organization.clone(), reach, self.api_url(), self.policy());
        let mut parts = self.item_reader(&first, ("period", "periods"), verbosity);
        let (mut findings, mut rest) = (Vec::new(), Some(first));
        while let Some(machine) = rest.take() {
            let visit =
                self.run_item(machine, &mut parts).map_err(|error| self.failure_for(error, organization))?;
            findings.push(visit.result);
            parts.count_item()?;
            rest = visit.rest;
        }
        Ok(findings)
    }

    /// Returns the failure for an error that concerns one organisation.
    pub(crate) fn failure_for(&self, error: Error, organization: &OrgId) -> Failure {
        // The sandbox has this organisation, so only the billing period can be missing.
        match self.sandbox_organizations_instead_of(organization) {
            Some(known) if *error.kind() == ErrorKind::NotFound => {
                Failure::UnknownSandboxOrg { error, known }
            }
            _ => error.into(),
        }
    }

    /// Returns the base URL of the API.
    pub(crate) fn api_url(&self) -> BaseUrl {
        match self {
            Self::Cloud(client, _) => client.environment().api().clone(),
            Self::Sandbox(simulated) => simulated.sandbox.environment().api().clone(),
        }
    }

    /// Returns the time limits of one operation.
    fn policy(&self) -> Policy {
        match self {
            Self::Cloud(client, _) => client.policy_with_new_seed(),
            Self::Sandbox(simulated) => simulated.policy.clone(),
        }
    }

    /// Returns the id and name of some sandbox organisations if the sandbox does not have `org`. Returns
    /// `None` for Genesys Cloud, where only the server knows its organisations.
    fn sandbox_organizations_instead_of(&self, org: &OrgId) -> Option<Vec<String>> {
        let Self::Sandbox(simulated) = self else { return None };
        let sandbox = &simulated.sandbox;
        if sandbox.all_trustors().any(|(id, _)| id.as_str().eq_ignore_ascii_case(org.as_str())) {
            return None;
        }
        Some(sandbox.sample_trustors().map(|(id, name)| format!("{id} ({name})")).collect())
    }

    fn run<M: Machine>(&mut self, machine: M, verbosity: Verbosity) -> Result<M::Output, Error> {
        let progress = RequestBar::new(machine.progress().operation, verbosity);
        self.run_logged(machine, |event| {
            log::event(&event, verbosity);
            progress.show(&event);
        })
    }

    /// Returns a reader of items that are fetched one by one, beginning with `first`, and held until all have
    /// arrived.
    fn item_reader<M: Machine>(
        &self,
        first: &M,
        called: (&'static str, &'static str),
        verbosity: Verbosity,
    ) -> ItemReader {
        let operation = first.progress().operation;
        ItemReader {
            progress: RequestBar::new(operation, verbosity),
            verbosity,
            operation,
            noun: called,
            items: 0,
            bytes: 0,
            last_body_bytes: 0,
            max_bytes: self.policy().max_body,
        }
    }

    /// Runs the machine of one item.
    fn run_item<M: Machine>(&mut self, machine: M, parts: &mut ItemReader) -> Result<M::Output, Error> {
        let ItemReader { progress, verbosity, last_body_bytes: latest, .. } = parts;
        self.run_logged(machine, |event| {
            log::event(&event, *verbosity);
            progress.show(&event);
            if let Event::Received { response, .. } = event {
                *latest = response.body_len();
            }
        })
    }

    fn run_logged<M: Machine>(
        &mut self,
        machine: M,
        watch: impl FnMut(Event<'_>),
    ) -> Result<M::Output, Error> {
        match self {
            Self::Cloud(client, _) => client.run_watched(machine, watch),
            Self::Sandbox(simulated) => {
                let SandboxBackend { sandbox, session, now, .. } = &mut **simulated;
                sandbox.run(Authorized::new(machine, session.clone()), now, watch)
            }
        }
    }
}

/// A reader of consecutive responses that are held in memory. They share one progress line and one size
/// limit.
struct ItemReader {
    progress: RequestBar,
    verbosity: Verbosity,
    operation: Operation,
    /// The noun for an item, in singular and plural.
    noun: (&'static str, &'static str),
    items: usize,
    /// The body sizes of all items and of the last response, in bytes.
    bytes: usize,
    last_body_bytes: usize,
    max_bytes: usize,
}

impl ItemReader {
    /// Counts the last response as an item.
    fn count_item(&mut self) -> Result<(), Failure> {
        self.items += 1;
        self.bytes = self.bytes.saturating_add(self.last_body_bytes);
        let read = count(self.items, self.noun.0, self.noun.1);
        self.progress.set_read(&read);
        match self.bytes > self.max_bytes {
            true => Err(Failure::TooLargeInTotal {
                operation: self.operation,
                items_read: read,
                limit: self.max_bytes,
            }),
            false => Ok(()),
        }
    }
}

/// A run over many organisations.
pub(crate) enum FleetRun<'a> {
    Cloud(billing_ureq::Fleet),
    Sandbox(fleet::Fleet<Rc<RefCell<Session>>>, &'a mut SandboxBackend),
}

impl FleetRun<'_> {
    /// Restores a result from the journal, so that the run does not request it again.
    pub(crate) fn restore(&mut self, finding: &PeriodResult) {
        match self {
            Self::Cloud(fleet) => fleet.restore(finding),
            Self::Sandbox(fleet, _) => fleet.restore(finding),
        }
    }

    /// Runs until all organisations are done. Passes each result and the progress to `on`, which can stop the
    /// run.
    pub(crate) fn run(
        self,
        verbosity: Verbosity,
        on: impl FnMut(FleetUpdate) -> ControlFlow<()>,
    ) -> Result<FleetProgress, Aborted> {
        let watch = |event: Event<'_>| log::event(&event, verbosity);
        match self {
            Self::Cloud(fleet) => fleet.run_watched(on, watch),
            Self::Sandbox(fleet, SandboxBackend { sandbox, now, .. }) => {
                sandbox.run_fleet(fleet, now, on, watch)
            }
        }
    }
}

impl SandboxBackend {
    fn new(options: &Options) -> Self {
        let sandbox = Sandbox::new(SANDBOX_SEED);
        let session = Session::new(sandbox.environment(), sandbox.credentials());
        // A fixed start time makes the results reproducible.
        let now = DateTime::from_timestamp(SANDBOX_START_SECONDS, 0).unwrap_or_default();
        Self { session: Rc::new(RefCell::new(session)), policy: policy(options, now), sandbox, now }
    }
}

/// Returns the policy that limits the whole command to its timeout, counted from `now`.
fn policy(options: &Options, now: DateTime<Utc>) -> Policy {
    Policy {
        timeout: options.timeout(),
        deadline: TimeDelta::from_std(options.timeout())
            .ok()
            .and_then(|timeout| now.checked_add_signed(timeout)),
        max_body: options.max_body,
        ..Policy::default()
    }
}

const SANDBOX_SEED: u64 = 1;
/// 2026-11-02T09:00:00Z.
const SANDBOX_START_SECONDS: i64 = 1_793_610_000;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use billing_core::{Credentials, Environment};
    use clap::Parser;

    use super::*;
    use crate::args::CommandLine;

    #[test]
    fn the_sandbox_begins_when_it_says() {
        let line =
            CommandLine::try_parse_from(["x", "--timeout", "60s", "--max-body", "1GiB", "regions"]).unwrap();
        let simulated = SandboxBackend::new(&line.options);
        assert_eq!(simulated.now.to_rfc3339(), "2026-11-02T09:00:00+00:00");
        assert_eq!(simulated.policy.deadline.unwrap().to_rfc3339(), "2026-11-02T09:01:00+00:00");
        assert_eq!(simulated.policy.max_body, 1 << 30);
    }

    #[test]
    fn each_operation_at_the_cloud_draws_a_seed_and_in_the_sandbox_none_does() {
        let options = CommandLine::try_parse_from(["x", "--no-poll-cache", "regions"]).unwrap().options;
        let credentials = Credentials::client("id", "secret").unwrap();
        let client = || Client::new(Environment::default(), credentials.clone()).unwrap();
        let [one, other] = [(); 2].map(|()| Backend::Cloud(client(), PollCache::new(&options)));
        // The values are random: two of four are equal once in 10¹⁸ runs.
        let seeds = [&one, &one, &other, &other].map(|backend| backend.policy().seed);
        assert_eq!(BTreeSet::from(seeds).len(), 4, "{seeds:?}");
        let sandbox = Backend::Sandbox(Box::new(SandboxBackend::new(&options)));
        assert_eq!(sandbox.policy(), sandbox.policy());
    }
}
