//! A simulated Genesys Cloud, itself sans-IO: a request and the time in, an answer out.
//!
//! ```text
//!                  ┌── a fault is due: instead of the server, or upon what it answers
//!   request, now ──┤
//!                  └── server ─┬─ login ── tokens and their lifetimes
//!                              └─ API ──── token ─► quota ─┬─ usage reports that take a while
//!                                                          ├─ one's own organisation, and 5,000 that trust it
//!                                                          ├─ their overviews, 60 periods each
//!                                                          └─ contracts, billing periods, invoices and their lines
//!                        store of documents ── a signature in the address; no token, no quota
//! ```
//!
//! It has no clock, no network and no chance: the same seed and the same requests at the same times give the same
//! bytes. It serves whoever wants to try this client without an account, and whoever wants to test their own code: with
//! [`Sandbox::run`] in virtual time, with [`Sandbox::reply`] under a driver loop of their own, or with
//! [`Sandbox::respond`] behind a real HTTP server.
//!
//! The whole life of a report, login included:
//!
//! ```
//! use std::{cell::RefCell, rc::Rc};
//! use billing_core::calls::BillableUsageCall;
//! use billing_core::model::ReportStatus;
//! use billing_core::sandbox::{Fault, Sandbox, FaultTarget};
//! use billing_core::{Authorized, Period, Policy, Poll, Session};
//! use chrono::{DateTime, Utc};
//!
//! let mut sandbox = Sandbox::new(7);
//! let environment = sandbox.environment();
//! let session = Rc::new(RefCell::new(Session::new(environment.clone(), sandbox.credentials())));
//! let call = BillableUsageCall::new(Period::from_user("2026-10-01", "2026-11-01")?);
//! let poll = Poll::new(call, environment.api().clone(), Policy::default());
//!
//! // The gateway in front of the API will fail once.
//! sandbox.inject(FaultTarget::UsageReport, Fault::Html(503));
//!
//! let mut now: DateTime<Utc> = "2026-11-02T09:00:00Z".parse()?;
//! let report = sandbox.run(Authorized::new(poll, session), &mut now, |_| {})?;
//! assert_eq!(report.status, Some(ReportStatus::Complete));
//! assert!(!report.usages().is_empty());
//!
//! // What came, in order: the login, the failure, and polls until the report was there.
//! let log: Vec<String> = sandbox.log().iter().map(|entry| entry.to_string()).collect();
//! assert_eq!(log[0], "2026-11-02T09:00:00.000Z POST /oauth/token, without a token: 200");
//! assert!(log[1].ends_with(", token 1: 503"), "{}", log[1]);
//! assert!(log.len() > 3 && log[2..].iter().all(|line| line.ends_with(", token 1: 200")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod catalogue;
mod contracts;
mod documents;
mod draws;
mod envelope;
mod fault;
mod invoices;
mod listing;
mod log;
mod organizations;
mod quota;
mod reports;
mod route;
mod server;
#[cfg(test)]
mod tests;
mod tokens;
mod trustors;

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Request;

use crate::fleet::{Aborted, Fleet, FleetProgress, FleetStep, FleetUpdate};
use crate::session::SharedSession;
use crate::values::clock::saturating_add;
use crate::{BaseUrl, Credentials, Environment, Error, Event, Machine, OrgId, Reply, Step};
use fault::FaultQueue;
use quota::{Quota, Rounding};
use route::Route;
use server::{Readiness, Server, Settings};

pub use answer::SimulatedResponse;
pub use fault::{Fault, FaultTarget, RetryAfter};
pub use log::{LogEntry, LoggedOutcome};

/// The id of the OAuth client that the sandbox knows.
pub const CLIENT_ID: &str = "sandbox-client";
/// The secret of that client. It is none, of course.
pub const CLIENT_SECRET: &str = "open-sesame-4f1d";
/// The id of the first trustor organisation; [`Sandbox::sample_trustors`] lists them all.
pub const ORG_ID: &str = "97a945b4-fcd6-4224-beeb-d048064c5905";

/// A simulated Genesys Cloud; see the [module's text](self).
///
/// Healthy until told otherwise by [`Sandbox::inject`]. A clone goes its own way from there.
#[derive(Clone, Debug)]
pub struct Sandbox {
    server: Server,
    faults: FaultQueue,
    log: Vec<LogEntry>,
}

/// A sandbox to one's liking. Each of these changes one thing and gives the sandbox back.
impl Sandbox {
    /// A sandbox whose figures, tokens and ids are drawn from `seed`.
    ///
    /// A report takes 10 s, a token lasts a day, 300 requests are allowed a minute, and bodies go out compressed.
    pub fn new(seed: u64) -> Self {
        Self { server: Server::new(seed), faults: FaultQueue::default(), log: Vec::new() }
    }

    /// How long a report is `InProgress` after the first request for it. 10 s.
    #[must_use = "the sandbox is not changed in place"]
    pub fn report_duration(self, duration: Duration) -> Self {
        self.with_settings(|settings| settings.report_completion = Readiness::After(duration))
    }

    /// That a report is `InProgress` in its first `n` answers, whatever the time.
    #[must_use = "the sandbox is not changed in place"]
    pub fn pending_answers(self, n: u32) -> Self {
        self.with_settings(|settings| settings.report_completion = Readiness::Answers(n))
    }

    /// How long tokens last that are issued from now on. A day.
    #[must_use = "the sandbox is not changed in place"]
    pub fn token_lifetime(self, lifetime: Duration) -> Self {
        self.with_settings(|settings| settings.token_lifetime = lifetime)
    }

    /// How many requests of one token are `allowed` in a `window`, which begins with its first request. 300 a minute.
    #[must_use = "the sandbox is not changed in place"]
    pub fn quota(self, allowed: u32, window: Duration) -> Self {
        self.with_settings(|settings| settings.quota = Some(Quota { allowed, window }))
    }

    /// Whether the seconds until a window's end are rounded down, in `inin-ratelimit-reset` and in the `Retry-After` of its
    /// 429s. They are rounded up; what the real server does is not known.
    #[must_use = "the sandbox is not changed in place"]
    pub fn round_reset_down(self, on: bool) -> Self {
        self.with_settings(|settings| {
            settings.reset_rounding = if on { Rounding::Down } else { Rounding::Up }
        })
    }

    /// Without any quota, and without the headers that tell of one.
    #[must_use = "the sandbox is not changed in place"]
    pub fn without_quota(self) -> Self {
        self.with_settings(|settings| settings.quota = None)
    }

    /// Whether bodies are compressed for whoever accepts gzip. They are.
    #[must_use = "the sandbox is not changed in place"]
    pub fn gzip(self, on: bool) -> Self {
        self.with_settings(|settings| settings.gzip = on)
    }

    /// Whether dates with and without milliseconds stand side by side in a report, as they did in a real one. They do.
    #[must_use = "the sandbox is not changed in place"]
    pub fn mixed_dates(self, on: bool) -> Self {
        self.with_settings(|settings| settings.mixed_dates = on)
    }

    /// How many organisations trust ours. 5,000; the first of them are those of [`Sandbox::sample_trustors`].
    #[must_use = "the sandbox is not changed in place"]
    pub fn trustor_count(self, n: u32) -> Self {
        self.with_settings(|settings| settings.trustor_count = n)
    }

    /// Whether a list that numbers its pages says by `nextUri` where it goes on. It does.
    #[must_use = "the sandbox is not changed in place"]
    pub fn next_uris(self, on: bool) -> Self {
        self.with_settings(|settings| settings.sends_next_uri = on)
    }

    /// Under which address documents are served; it serves them behind any. `https://documents.sandbox.invalid`.
    #[must_use = "the sandbox is not changed in place"]
    pub fn document_base_url(self, base: BaseUrl) -> Self {
        self.with_settings(|settings| settings.document_base = base)
    }

    /// How long the address of a document is good. 10 minutes.
    #[must_use = "the sandbox is not changed in place"]
    pub fn document_lifetime(self, lifetime: Duration) -> Self {
        self.with_settings(|settings| settings.document_lifetime = lifetime)
    }

    fn with_settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.server.settings);
        self
    }
}

/// What a client of the sandbox has to know.
impl Sandbox {
    /// The two addresses that it answers at. Their top-level domain is the one that never resolves, so that nothing of a
    /// test can get out by mistake. The sandbox itself looks at paths only, and answers behind any prefix.
    pub fn environment(&self) -> Environment {
        Environment::new(address("https://api.sandbox.invalid"), address("https://login.sandbox.invalid"))
    }

    /// The credentials that it accepts: [`CLIENT_ID`] and [`CLIENT_SECRET`].
    pub fn credentials(&self) -> Credentials {
        Credentials::client(CLIENT_ID, CLIENT_SECRET)
            .unwrap_or_else(|_| unreachable!("both texts are not empty, and the id holds no colon"))
    }

    /// The trustor organisations that have something for every rule about the numbers, with their names; [`ORG_ID`] is the
    /// first. They are the first of [`Sandbox::all_trustors`], whatever the seed.
    pub fn sample_trustors(&self) -> impl Iterator<Item = (OrgId, Cow<'static, str>)> {
        organizations::sample_ids_and_names().map(parse_org)
    }

    /// All organisations that trust ours, in the order of the list; each has overviews.
    pub fn all_trustors(&self) -> impl Iterator<Item = (OrgId, Cow<'static, str>)> + use<> {
        (0..self.server.settings.trustor_count).map(organizations::id_and_name).map(parse_org)
    }
}

fn address(text: &'static str) -> BaseUrl {
    text.parse().unwrap_or_else(|_| unreachable!("these texts are https addresses"))
}

fn parse_org((id, name): (String, Cow<'static, str>)) -> (OrgId, Cow<'static, str>) {
    (id.parse().unwrap_or_else(|_| unreachable!("a UUID can stand in a path")), name)
}

/// Using it.
impl Sandbox {
    /// What the simulated network and server do with `request`, which comes at the time `now`.
    pub fn respond(&mut self, request: &Request<Bytes>, now: DateTime<Utc>) -> SimulatedResponse {
        let route = Route::from_path(request.uri().path());
        let envelope = self.server.context_for(now);
        // The token is looked up before anything happens to it.
        let token = self.server.token_number(request.headers());
        let answer = self
            .faults
            .serve(&route, &envelope, &mut self.server, request)
            .with_transfer_headers(self.server.settings.gzip, request.headers());
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        self.log.push(LogEntry {
            received_at: now,
            method: request.method().clone(),
            path_and_query: path,
            token_number: token,
            outcome: LoggedOutcome::from_response(&answer),
        });
        answer
    }

    /// The same for a request of a machine, without a network between: what a driver would make of the answer. The body
    /// is inflated and bounded as a driver does it; a [`Silence`](SimulatedResponse::NoResponse) is a timeout.
    pub fn reply(&mut self, request: &crate::Request, now: DateTime<Utc>) -> Reply {
        self.respond(request.http(), now).into_reply(request.max_body())
    }

    /// Runs a machine to its end in virtual time: no wait takes any, `now` is moved instead. Answers come at once, but
    /// for a [`Silence`](SimulatedResponse::NoResponse), which costs the whole time that the request allows.
    ///
    /// # Errors
    /// As the machine ends.
    pub fn run<M: Machine>(
        &mut self,
        machine: M,
        now: &mut DateTime<Utc>,
        mut watch: impl FnMut(Event<'_>),
    ) -> Result<M::Output, Error> {
        let mut step = machine.step(*now);
        loop {
            step = match step {
                Step::Send(request, sent) => {
                    let reply = self.perform(&request, now, &mut watch);
                    sent.receive(reply, *now)
                }
                Step::Wait(until, machine) => {
                    watch(Event::Waiting(&machine.progress()));
                    *now = until.max(*now);
                    machine.step(*now)
                }
                Step::Done(result) => return result,
            }
        }
    }

    /// Runs a fleet to its end in the same way, one request after the other. `on_update` is told of each finding as it comes
    /// and before each wait, and stops the run by [`ControlFlow::Break`].
    ///
    /// # Errors
    /// When something concerns every organisation. What goes wrong with one is among the findings.
    pub fn run_fleet<A: SharedSession>(
        &mut self,
        mut fleet: Fleet<A>,
        now: &mut DateTime<Utc>,
        mut on_update: impl FnMut(FleetUpdate) -> ControlFlow<()>,
        mut watch: impl FnMut(Event<'_>),
    ) -> Result<FleetProgress, Aborted> {
        loop {
            let update = match fleet.step(*now) {
                FleetStep::Send(request, flight) => {
                    let reply = self.perform(&request, now, &mut watch);
                    fleet.receive(flight, reply, *now);
                    continue;
                }
                FleetStep::Result(finding) => fleet.update(Some(finding), *now),
                FleetStep::Wait(until) => {
                    let update = fleet.update(None, *now);
                    *now = until.unwrap_or(*now).max(*now);
                    update
                }
                FleetStep::Done(result) => return result.map(|()| fleet.progress(*now)),
            };
            if on_update(update).is_break() {
                return Ok(fleet.progress(*now));
            }
        }
    }

    /// The exchange of a run, which moves `now` by the time that it takes.
    fn perform(
        &mut self,
        request: &crate::Request,
        now: &mut DateTime<Utc>,
        watch: &mut impl FnMut(Event<'_>),
    ) -> Reply {
        watch(Event::Sending(request));
        let answer = self.respond(request.http(), *now);
        let elapsed = match &answer {
            SimulatedResponse::NoResponse => request.timeout(*now),
            _ => Duration::ZERO,
        };
        let reply = answer.into_reply(request.max_body());
        *now = saturating_add(*now, elapsed);
        watch(Event::from_reply(request, &reply, elapsed));
        reply
    }

    /// Queues a fault: the next request that `on` covers meets it. Faults wait in line; each request meets one at most,
    /// the first in line that is meant for it.
    pub fn inject(&mut self, on: FaultTarget, fault: Fault) {
        self.faults.push(on, fault);
    }

    /// Every request that came, in order.
    pub fn log(&self) -> &[LogEntry] {
        &self.log
    }
}
