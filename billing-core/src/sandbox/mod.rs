//! A simulated Genesys Cloud. It is sans-IO as well: it maps a request and a time to an answer.
//!
//! ```text
//!                  ┌── a fault is queued: replaces or changes the answer of the server
//!   request, now ──┤
//!                  └── server ─┬─ login ── tokens and their lifetimes
//!                              └─ API ──── token ─► quota ─┬─ usage reports that take some time
//!                                                          ├─ your own organisation, and 5,000 that trust it
//!                                                          ├─ their overviews, 60 periods each
//!                                                          └─ contracts, billing periods, invoices and their lines
//!                        store of documents ── a signature in the URL; no token, no quota
//! ```
//!
//! It has no clock, no network and no randomness: equal seeds and equal requests at equal times give equal bytes. Use it to try this
//! client without an account, and to test your own code: with [`Sandbox::run`] in virtual time, with [`Sandbox::reply`] under your
//! own driver loop, or with [`Sandbox::respond`] behind a real HTTP server.
//!
//! A report from login to completion:
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
//! // The gateway in front of the API fails once.
//! sandbox.inject(FaultTarget::UsageReport, Fault::Html(503));
//!
//! let mut now: DateTime<Utc> = "2026-11-02T09:00:00Z".parse()?;
//! let report = sandbox.run(Authorized::new(poll, session), &mut now, |_| {})?;
//! assert_eq!(report.status, Some(ReportStatus::Complete));
//! assert!(!report.usages().is_empty());
//!
//! // The requests in order: the login, the failure, and polls until the report was complete.
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

/// The id of the OAuth client that the sandbox accepts.
pub const CLIENT_ID: &str = "sandbox-client";
/// The secret of that client. It is public.
pub const CLIENT_SECRET: &str = "open-sesame-4f1d";
/// The id of the first trustor organisation; [`Sandbox::sample_trustors`] lists all of them.
pub const ORG_ID: &str = "97a945b4-fcd6-4224-beeb-d048064c5905";

/// A simulated Genesys Cloud; see the [module's text](self).
///
/// It has no faults until [`Sandbox::inject`] queues some. A clone is independent of the original.
#[derive(Clone, Debug)]
pub struct Sandbox {
    server: Server,
    faults: FaultQueue,
    log: Vec<LogEntry>,
}

/// Settings. Each method changes one setting and returns the sandbox.
impl Sandbox {
    /// Builds a sandbox whose figures, tokens and ids follow from `seed`.
    ///
    /// By default a report takes 10 s, a token is valid for a day, the rate limit is 300 requests a minute, and bodies are compressed.
    pub fn new(seed: u64) -> Self {
        Self { server: Server::new(seed), faults: FaultQueue::default(), log: Vec::new() }
    }

    /// Sets the time for which a report is `InProgress` after the first request for it. Default: 10 s.
    #[must_use = "the sandbox is not changed in place"]
    pub fn report_duration(self, duration: Duration) -> Self {
        self.with_settings(|settings| settings.report_completion = Readiness::After(duration))
    }

    /// Makes a report `InProgress` in its first `n` answers, regardless of time.
    #[must_use = "the sandbox is not changed in place"]
    pub fn pending_answers(self, n: u32) -> Self {
        self.with_settings(|settings| settings.report_completion = Readiness::Answers(n))
    }

    /// Sets the lifetime of tokens that are issued from now on. Default: one day.
    #[must_use = "the sandbox is not changed in place"]
    pub fn token_lifetime(self, lifetime: Duration) -> Self {
        self.with_settings(|settings| settings.token_lifetime = lifetime)
    }

    /// Sets the rate limit: `allowed` requests of one token in each `window`, which begins with its first request. Default: 300 a
    /// minute.
    #[must_use = "the sandbox is not changed in place"]
    pub fn quota(self, allowed: u32, window: Duration) -> Self {
        self.with_settings(|settings| settings.quota = Some(Quota { allowed, window }))
    }

    /// Sets whether the seconds until the end of a window are rounded down, in `inin-ratelimit-reset` and in `Retry-After` of 429s.
    /// Default: rounded up. It is unknown what the real server does.
    #[must_use = "the sandbox is not changed in place"]
    pub fn round_reset_down(self, on: bool) -> Self {
        self.with_settings(|settings| {
            settings.reset_rounding = if on { Rounding::Down } else { Rounding::Up }
        })
    }

    /// Removes the rate limit and its headers.
    #[must_use = "the sandbox is not changed in place"]
    pub fn without_quota(self) -> Self {
        self.with_settings(|settings| settings.quota = None)
    }

    /// Sets whether bodies are compressed for clients that accept gzip. Default: yes.
    #[must_use = "the sandbox is not changed in place"]
    pub fn gzip(self, on: bool) -> Self {
        self.with_settings(|settings| settings.gzip = on)
    }

    /// Sets whether a report mixes dates with and without milliseconds, as a real one did. Default: yes.
    #[must_use = "the sandbox is not changed in place"]
    pub fn mixed_dates(self, on: bool) -> Self {
        self.with_settings(|settings| settings.mixed_dates = on)
    }

    /// Sets the number of trustors. Default: 5,000. The first ones are those of [`Sandbox::sample_trustors`].
    #[must_use = "the sandbox is not changed in place"]
    pub fn trustor_count(self, n: u32) -> Self {
        self.with_settings(|settings| settings.trustor_count = n)
    }

    /// Sets whether lists with numbered pages send `nextUri`. Default: yes.
    #[must_use = "the sandbox is not changed in place"]
    pub fn next_uris(self, on: bool) -> Self {
        self.with_settings(|settings| settings.sends_next_uri = on)
    }

    /// Sets the base URL of documents. The sandbox serves them under any. Default: `https://documents.sandbox.invalid`.
    #[must_use = "the sandbox is not changed in place"]
    pub fn document_base_url(self, base: BaseUrl) -> Self {
        self.with_settings(|settings| settings.document_base = base)
    }

    /// Sets the time for which the URL of a document is valid. Default: 10 minutes.
    #[must_use = "the sandbox is not changed in place"]
    pub fn document_lifetime(self, lifetime: Duration) -> Self {
        self.with_settings(|settings| settings.document_lifetime = lifetime)
    }

    fn with_settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.server.settings);
        self
    }
}

/// Addresses, credentials and organisations.
impl Sandbox {
    /// Returns the addresses of the API and the login service. Their top-level domain never resolves, so that a test cannot reach the
    /// network by mistake. The sandbox checks only paths, and answers behind any prefix.
    pub fn environment(&self) -> Environment {
        Environment::new(address("https://api.sandbox.invalid"), address("https://login.sandbox.invalid"))
    }

    /// Returns the credentials that the sandbox accepts: [`CLIENT_ID`] and [`CLIENT_SECRET`].
    pub fn credentials(&self) -> Credentials {
        Credentials::client(CLIENT_ID, CLIENT_SECRET)
            .unwrap_or_else(|_| unreachable!("both texts are not empty, and the id holds no colon"))
    }

    /// Returns trustors, with their names, whose overviews together cover every billing rule; [`ORG_ID`] is the first. They are the
    /// first of [`Sandbox::all_trustors`] for every seed.
    pub fn sample_trustors(&self) -> impl Iterator<Item = (OrgId, Cow<'static, str>)> {
        organizations::sample_ids_and_names().map(parse_org)
    }

    /// Returns all trustors, in the order of the list; each has overviews.
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

/// Requests and faults.
impl Sandbox {
    /// Returns the reaction of the simulated network and server to `request` at the time `now`.
    pub fn respond(&mut self, request: &Request<Bytes>, now: DateTime<Utc>) -> SimulatedResponse {
        let route = Route::from_path(request.uri().path());
        let envelope = self.server.context_for(now);
        // The token is looked up first, because a fault may revoke it.
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

    /// Returns the reply to a request of a machine, as a driver would deliver it: the body is decompressed and bounded, and a
    /// [missing response](SimulatedResponse::NoResponse) is a timeout.
    pub fn reply(&mut self, request: &crate::Request, now: DateTime<Utc>) -> Reply {
        self.respond(request.http(), now).into_reply(request.max_body())
    }

    /// Runs a machine to its end in virtual time: waits move `now` instead of sleeping. Answers arrive at once; a
    /// [missing response](SimulatedResponse::NoResponse) takes the whole time limit of the request.
    ///
    /// # Errors
    /// Returns the error of the machine.
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

    /// Runs a fleet to its end in virtual time, one request after the other. `on_update` is called with each result and before each
    /// wait; it stops the run with [`ControlFlow::Break`].
    ///
    /// # Errors
    /// Returns an error that concerns every organisation. Failures of single organisations are among the results.
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

    /// Performs a request of a run, and moves `now` by the time that it takes.
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

    /// Queues a fault for the next request that `on` covers. Each request meets at most one fault: the first in the queue that covers
    /// it.
    pub fn inject(&mut self, on: FaultTarget, fault: Fault) {
        self.faults.push(on, fault);
    }

    /// Returns all requests, in order.
    pub fn log(&self) -> &[LogEntry] {
        &self.log
    }
}
