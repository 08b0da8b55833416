//! The client, and the loop that drives the core's machines.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use billing_core::calls::{BillableUsageCall, Call, TrusteeOverviewCall};
use billing_core::fleet::FleetPlan;
use billing_core::model::{TrusteeOverview, UsageReport};
use billing_core::poll::Report;
use billing_core::{
    Authorized, Credentials, Environment, Error, Event, Exchange, History, Machine, OrgId, Period,
    PeriodIndex, PeriodSelection, Policy, Poll, Progress, Reply, Request, Step,
};
use chrono::{DateTime, Utc};

use crate::clock::{Clock, time_until};
use crate::session::LockedSession;
use crate::transport::Transport;
use crate::{BuildError, Builder, Fleet, Periods};

/// A client with one session, shared by all its clones.
#[derive(Clone)]
pub struct Client(Arc<ClientInner>);

/// The parts of a client.
pub(crate) struct ClientInner {
    pub(crate) environment: Environment,
    pub(crate) policy: Policy,
    pub(crate) session: LockedSession,
    pub(crate) transport: Transport,
    pub(crate) clock: Box<dyn Clock>,
    /// The seed of the next operation's jitter.
    pub(crate) next_seed: AtomicU64,
}

impl Client {
    /// Builds a client with the defaults of [`Client::builder`].
    ///
    /// # Errors
    /// Returns no error today; the signature matches [`Builder::build`].
    pub fn new(environment: Environment, credentials: Credentials) -> Result<Self, BuildError> {
        Self::builder(environment, credentials).build()
    }

    /// Returns a builder for a client with other settings.
    pub fn builder(environment: Environment, credentials: Credentials) -> Builder {
        Builder::new(environment, credentials)
    }

    /// Returns the environment (the hosts) that the client sends requests to.
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// Returns the policy of timeouts and retries for the client's own operations.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// Returns the client's policy with a new jitter seed, as each of the client's own operations uses it.
    /// Different seeds keep operations that fail together from retrying at the same moment.
    pub fn policy_with_new_seed(&self) -> Policy {
        Policy { seed: self.0.next_seed.fetch_add(1, Ordering::Relaxed), ..self.0.policy.clone() }
    }

    /// Fetches the billable usage of the client's own organisation in a period. Polls until the report is
    /// complete.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub fn usage_report(&self, period: Period) -> Result<UsageReport, Error> {
        self.run(self.poll(BillableUsageCall::new(period)))
    }

    /// Fetches the report like [`Client::usage_report`] and calls `on_progress` before every wait.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub fn usage_report_with_progress(
        &self,
        period: Period,
        mut on_progress: impl FnMut(&Progress),
    ) -> Result<UsageReport, Error> {
        self.run_watched(self.poll(BillableUsageCall::new(period)), |event| {
            if let Event::Waiting(progress) = event {
                on_progress(progress);
            }
        })
    }

    /// Fetches the commitment, usage and charges of a trustor organisation, for the latest billing period
    /// if `period` is `None`.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub fn trustee_overview(
        &self,
        trustor: OrgId,
        period: Option<PeriodIndex>,
    ) -> Result<TrusteeOverview, Error> {
        self.run(self.exchange(TrusteeOverviewCall::new(trustor).period_index(period)))
    }

    /// Returns an iterator over the billing periods of a trustor organisation, newest first. Each period is
    /// fetched when it is read.
    ///
    /// A failure of a single index is a result like any other. A failure that would affect every index is
    /// an `Err` and ends the sequence: for example a 404 for the first index, which means that the
    /// organisation does not exist.
    pub fn history(&self, trustor: OrgId, reach: PeriodSelection) -> Periods {
        self.resume_history(History::new(
            trustor,
            reach,
            self.environment().api().clone(),
            self.policy_with_new_seed(),
        ))
    }

    /// Continues a walk through the periods that was saved earlier, possibly by another process.
    pub fn resume_history(&self, history: History) -> Periods {
        Periods::new(self.clone(), history)
    }

    /// Returns a run over many organisations, paced by the quota.
    pub fn fleet(&self, assignment: &FleetPlan) -> Fleet {
        Fleet::new(self.clone(), assignment)
    }

    /// Returns the machine for one call with its retries. Pass it to [`Client::run`] or drive it yourself.
    pub fn exchange<C: Call>(&self, call: C) -> Exchange<C> {
        Exchange::new(call, self.environment().api().clone(), self.policy_with_new_seed())
    }

    /// Returns the machine that polls a report until it is complete. Pass it to [`Client::run`], or save
    /// and resume it.
    pub fn poll<C: Call<Output: Report>>(&self, call: C) -> Poll<C> {
        Poll::new(call, self.environment().api().clone(), self.policy_with_new_seed())
    }

    /// Runs a machine to its result, using this client's session.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub fn run<M: Machine>(&self, machine: M) -> Result<M::Output, Error> {
        self.run_watched(machine, |_| ())
    }

    /// Does the same and calls `watch` with every event.
    ///
    /// # Errors
    /// See [`ErrorKind`](billing_core::ErrorKind).
    pub fn run_watched<M: Machine>(
        &self,
        machine: M,
        watch: impl FnMut(Event<'_>),
    ) -> Result<M::Output, Error> {
        self.drive(machine, watch, Transport::perform)
    }

    /// Drives a machine to its result. `perform` performs each request.
    pub(crate) fn drive<M: Machine>(
        &self,
        machine: M,
        mut watch: impl FnMut(Event<'_>),
        mut perform: impl FnMut(&Transport, &Request, DateTime<Utc>) -> Reply,
    ) -> Result<M::Output, Error> {
        let ClientInner { session, transport, clock, .. } = &*self.0;
        // Read the revision before each step. If it has changed when this call starts to wait for another
        // call's login, that login has already ended, and `wait_past` returns at once instead of missing
        // the notification.
        let mut seen = session.revision();
        let mut step = Authorized::new(machine, session.clone()).step(clock.now());
        loop {
            step = match step {
                Step::Send(request, sent) => {
                    watch(Event::Sending(&request));
                    let begun = Instant::now();
                    let reply = perform(transport, &request, clock.now());
                    watch(Event::from_reply(&request, &reply, begun.elapsed()));
                    seen = session.revision();
                    sent.receive(reply, clock.now())
                }
                Step::Wait(until, machine) => {
                    watch(Event::Waiting(&machine.progress()));
                    if machine.awaits_login() {
                        session.wait_past(seen, time_until(clock.now(), until));
                    } else {
                        clock.sleep_until(until);
                    }
                    seen = session.revision();
                    machine.step(clock.now())
                }
                Step::Done(result) => return result,
            };
        }
    }

    pub(crate) fn parts(&self) -> &ClientInner {
        &self.0
    }

    pub(crate) fn from_parts(parts: ClientInner) -> Self {
        Self(Arc::new(parts))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("environment", &self.0.environment)
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}
