//! The billing periods of thousands of organisations under one token.
//!
//! A [`Fleet`] is a scheduler without I/O and without a clock. It holds one walk for each organisation in
//! progress and tells its driver what to do next. The driver performs several requests at the same time and
//! reports their replies.
//!
//! ```text
//!   organisations, in order ─► a limited number in progress ─► each a History under the session
//!        ▲                                                            │
//!        │ journal: results that are known already                    ▼
//!   step(now) ─┬─► Send(request, handle) ── performed, several at a time ──► receive(handle, reply, now)
//!              ├─► Result(result) ── one for each index, as they come
//!              ├─► Wait(until) ── for a reply, or until then
//!              └─► Done ── all organisations are finished, or a failure concerns them all
//! ```
//!
//! * **Fair.** Organisations start in their order, and those in progress are finished before more are
//!   started.
//! * **Paced.** All requests go through the session, which knows the quota. When the session delays one, no
//!   other is started before the time that it names, so waiting machines do not ask again and again.
//! * **Bounded.** At most [`Fleet::max_in_flight`] requests are in flight and four times as many
//!   organisations in progress; those that wait hold no response. The number of organisations costs only the
//!   list of their ids.
//! * **Isolated.** A failure of one organisation is a result with its id, and the others continue. A failure
//!   that concerns all organisations stops the run early: a refused login or token, a permission that the
//!   token lacks, an API that is not the session's, a server that asks to be left alone until some time, and
//!   a hundred failures of server or network in a row.
//!
//! ```
//! use std::{cell::RefCell, rc::Rc};
//! use billing_core::fleet::{FleetPlan, Fleet, FleetStep};
//! use billing_core::{PeriodIndex, Policy, PeriodSelection, Session};
//! use billing_core::sandbox::Sandbox;
//! use chrono::{DateTime, Utc};
//!
//! let mut sandbox = Sandbox::new(7);
//! let environment = sandbox.environment();
//! let session = Rc::new(RefCell::new(Session::new(environment.clone(), sandbox.credentials())));
//! let organizations: Vec<_> = sandbox.sample_trustors().map(|(id, _)| id).collect();
//!
//! let mut now: DateTime<Utc> = "2026-11-02T09:00:00Z".parse()?;
//! let latest = PeriodSelection::Nth(PeriodIndex::new(0));
//! let plan = FleetPlan::new(organizations, latest, environment.api().clone(), now);
//! let mut fleet = Fleet::new(&plan, Policy::default(), session);
//! let mut out = Vec::new();
//! loop {
//!     match fleet.step(now) {
//!         // A driver performs these at the same time.
//!         FleetStep::Send(request, handle) => out.push((request, handle)),
//!         FleetStep::Result(result) => println!("{}: {:?}", result.organization, result.stop_reason),
//!         FleetStep::Wait(until) => match out.pop() {
//!             Some((request, handle)) => fleet.receive(handle, sandbox.reply(&request, now), now),
//!             None => now = until.unwrap_or(now),
//!         },
//!         FleetStep::Done(result) => break result?,
//!     }
//! }
//! assert_eq!(fleet.progress(now).to_string(), "5 of 5 organisations done; 5 answers in the last minute");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod journal;
mod known;
mod plan;
mod progress;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use chrono::{DateTime, Utc};
use http::StatusCode;

use crate::calls::LOGIN;
use crate::error::ErrorOrigin;
use crate::history::{
    History, HistoryStep, PeriodDates, PeriodOutcome, PeriodResult, PeriodSelection, StopReason, Summary,
};
use crate::machine::WaitReason;
use crate::session::NOT_THE_CONFIGURED_API;
use crate::session::SharedSession;
use crate::{
    Authorized, BaseUrl, Error, ErrorKind, Machine, OrgId, PeriodIndex, Policy, Reply, Request, Sent, Step,
};
use known::KnownPeriods;
use progress::{RateCounter, estimated_end};

pub use journal::{Journal, JournalError, JournalReader};
pub use plan::{FleetPlan, PlanAge, PlanMismatch};
pub use progress::FleetProgress;

/// A run over many organisations; see the [module's text](self).
///
/// # Bound
/// Each organisation is a [`History`], with its bound.
#[must_use = "a fleet does nothing unless it is stepped"]
pub struct Fleet<A: SharedSession> {
    session: A,
    api: BaseUrl,
    policy: Policy,
    selection: PeriodSelection,
    organizations: Vec<OrgId>,
    max_in_flight: usize,

    /// The next organisation to begin.
    next_organization: usize,
    /// Walks of organisations in progress that are ready for their next request, in the order in which they
    /// became ready.
    ready: VecDeque<(usize, History)>,
    /// Machines that wait for a time, ordered by that time and then by the number of their step.
    parked: BTreeMap<(DateTime<Utc>, u64), (usize, HistoryMachine<A>)>,
    /// Machines whose request is in flight.
    in_flight: BTreeMap<u64, (usize, Sent<HistoryMachine<A>>)>,
    /// The number of the last step of a machine; it numbers parked machines and request handles.
    next_id: u64,
    /// The session admits no request before this time, for this reason.
    session_wait: Option<(WaitReason, DateTime<Utc>)>,
    /// The session's revision at the last check.
    revision: u64,

    /// The results of a journal by organisation, and the position of each organisation by its id, which is
    /// needed until the first step only.
    known_periods: BTreeMap<usize, KnownPeriods>,
    index_by_id: BTreeMap<String, usize>,
    /// The organisations that the run of the journal had started, and those of them that are not finished:
    /// these come first in this run.
    resumed: BTreeSet<usize>,
    unfinished: VecDeque<usize>,
    /// Requests and results that the next calls of [`Fleet::step`] return.
    to_send: VecDeque<(Box<Request>, RequestHandle)>,
    results: VecDeque<PeriodResult>,
    /// Organisations in progress with something that could not be read.
    incomplete: BTreeSet<usize>,
    done: usize,
    /// The number of organisations that were complete in the journal.
    done_in_journal: usize,
    incomplete_count: usize,
    /// True if the server has returned a period of any organisation, or told that there is none: the token
    /// has the permission then.
    has_answer: bool,
    answer_count: u64,
    /// The number of failures of server or network in a row.
    consecutive_failures: u32,
    started_at: Option<DateTime<Utc>>,
    answer_rate: RateCounter,
    aborted: Option<Aborted>,
}

type HistoryMachine<A> = Authorized<History, A>;

/// The next action of a driver.
#[derive(Debug)]
#[must_use = "a step that is dropped loses what it says"]
pub enum FleetStep {
    /// Perform this request, at the same time as those in flight, then pass the reply to [`Fleet::receive`].
    /// Call [`Fleet::step`] again at once.
    Send(Box<Request>, RequestHandle),
    /// Take this result, then step again.
    Result(PeriodResult),
    /// Wait until this time, until a reply comes, or until the
    /// [`Session::revision`](crate::Session::revision) changes; without a time, until a reply comes. Then
    /// step again.
    Wait(Option<DateTime<Utc>>),
    /// Stop: all results were returned, or the run was aborted. Replies that are still to come are not used.
    Done(Result<(), Aborted>),
}

/// An update that a driver sends to its caller during a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FleetUpdate {
    /// The new result; `None` if nothing is new but a wait, which `progress` names.
    pub result: Option<PeriodResult>,
    /// The progress of the run.
    pub progress: FleetProgress,
}

/// A request in flight. It is not `Clone`, because one request has one reply.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "without its reply the run never ends"]
pub struct RequestHandle(u64);

/// The reason that a run was stopped early: a failure that concerns every organisation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Aborted {
    /// The error that stopped the run.
    pub error: Error,
    /// The number of failures in a row, if each alone would have concerned one organisation only; `None` if
    /// the error alone concerns all.
    pub consecutive_failures: Option<u32>,
}

impl<A: SharedSession> Fleet<A> {
    /// The default number of requests in flight.
    pub const DEFAULT_IN_FLIGHT: usize = 16;
    /// The number of failures of server or network in a row, with no response between them, that stops a run.
    pub const MAX_CONSECUTIVE_FAILURES: u32 = 100;

    /// Builds a run for `plan`, under `session`.
    pub fn new(plan: &FleetPlan, policy: Policy, session: A) -> Self {
        Self {
            revision: session.with(|session| session.revision()),
            session,
            api: plan.api.clone(),
            policy,
            selection: plan.selection,
            organizations: plan.organizations().to_vec(),
            max_in_flight: Self::DEFAULT_IN_FLIGHT,
            next_organization: 0,
            ready: VecDeque::new(),
            parked: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            next_id: 0,
            session_wait: None,
            known_periods: BTreeMap::new(),
            index_by_id: BTreeMap::new(),
            resumed: BTreeSet::new(),
            unfinished: VecDeque::new(),
            to_send: VecDeque::new(),
            results: VecDeque::new(),
            incomplete: BTreeSet::new(),
            done: 0,
            done_in_journal: 0,
            incomplete_count: 0,
            has_answer: false,
            answer_count: 0,
            consecutive_failures: 0,
            started_at: None,
            answer_rate: RateCounter::default(),
            aborted: None,
        }
    }

    /// Sets the largest number of requests in flight, at least one.
    pub fn max_in_flight(self, requests: usize) -> Self {
        Self { max_in_flight: requests.max(1), ..self }
    }

    /// Restores a result of a journal. Call it before the first step, once for each result, in their order.
    /// Results that are restored are neither requested nor returned again. If the server has begun a new
    /// period since, the walk finds that the indexes have moved.
    pub fn restore(&mut self, result: &PeriodResult) {
        if self.index_by_id.is_empty() {
            self.index_by_id = self.organizations.iter().map(OrgId::normalized).zip(0..).collect();
        }
        let Some(position) = self.index_by_id.get(&result.organization.normalized()) else { return };
        let summary = summarize(result);
        self.has_answer |= matches!(summary, Summary::Period(_) | Summary::NoOlderPeriod);
        self.known_periods.entry(*position).or_default().record(result.index.get(), summary);
    }

    /// Returns the next action at `now`.
    pub fn step(&mut self, now: DateTime<Utc>) -> FleetStep {
        self.apply_journal(now);
        loop {
            if let Some((request, handle)) = self.to_send.pop_front() {
                return FleetStep::Send(request, handle);
            }
            if let Some(result) = self.results.pop_front() {
                return FleetStep::Result(result);
            }
            if let Some(aborted) = &self.aborted {
                return FleetStep::Done(Err(aborted.clone()));
            }
            if self.done == self.organizations.len() {
                return FleetStep::Done(Ok(()));
            }
            self.check_session(now);
            if self.in_flight.len() >= self.max_in_flight {
                return FleetStep::Wait(None);
            }
            let Some((position, machine)) = self.next_machine(now) else {
                return FleetStep::Wait(self.next_wake());
            };
            let index = machine.machine().next_index();
            self.handle_step((position, index), machine.step(now), now);
        }
    }

    /// Processes the reply to a request of [`Fleet::step`], at the time `now`. Then step again.
    pub fn receive(&mut self, handle: RequestHandle, reply: Reply, now: DateTime<Utc>) {
        let Some((position, sent)) = self.in_flight.remove(&handle.0) else { return };
        let index = sent.inner().machine().next_index();
        self.handle_step((position, index), sent.receive(reply, now), now);
    }

    /// Returns the progress of the run at `now`.
    pub fn progress(&self, now: DateTime<Utc>) -> FleetProgress {
        let throughput = self.session.with(|session| session.throughput(now));
        let estimated_end = self.requests_left().and_then(|left| {
            estimated_end(left, &throughput, self.answer_count, self.started_at.unwrap_or(now), now)
                .filter(|_| left > 0)
        });
        FleetProgress {
            at: now,
            organizations: self.organizations.len(),
            done: self.done,
            incomplete: self.incomplete_count,
            in_progress: self.in_progress(),
            answers: self.answer_count,
            answers_per_minute: self.answer_rate.per_minute(now),
            estimated_end,
            wait_reason: self
                .session_wait
                .clone()
                .filter(|(_, until)| *until > now && self.in_flight.is_empty()),
        }
    }

    /// Builds the update that a driver sends at `now`.
    pub fn update(&self, result: Option<PeriodResult>, now: DateTime<Utc>) -> FleetUpdate {
        FleetUpdate { result, progress: self.progress(now) }
    }

    /// Returns true if a machine waits for the login that another one has started. Step again as soon as
    /// [`Session::revision`](crate::Session::revision) has changed.
    pub fn awaits_login(&self) -> bool {
        self.parked.values().any(|(_, machine)| machine.awaits_login())
    }

    /// Sorts the organisations of the journal, at the first step, into finished ones and those to resume.
    fn apply_journal(&mut self, now: DateTime<Utc>) {
        if self.started_at.is_some() {
            return;
        }
        self.started_at = Some(now);
        self.index_by_id = BTreeMap::new();
        let mut known: Vec<usize> = self.known_periods.keys().copied().collect();
        known.sort_unstable();
        for position in known {
            let Some(history) = self.start_history(position) else { continue };
            match self.skip_known(position, history) {
                Ok(_) => self.unfinished.push_back(position),
                Err(_) => self.finish(position),
            }
            self.resumed.insert(position);
        }
        self.done_in_journal = self.done;
    }

    /// Builds the walk of an organisation from its beginning.
    fn start_history(&self, position: usize) -> Option<History> {
        let organization = self.organizations.get(position)?.clone();
        // A seed of its own for each organisation keeps their retries from coinciding.
        let seed = self.policy.seed.wrapping_add(u64::try_from(position).unwrap_or_default());
        let policy = Policy { seed, ..self.policy.clone() };
        Some(History::new(organization, self.selection, self.api.clone(), policy))
    }

    /// Advances a walk past the results that the journal has for it.
    fn skip_known(&mut self, position: usize, mut history: History) -> Result<History, StopReason> {
        let Some(known) = self.known_periods.get(&position) else { return Ok(history) };
        while let Some(summary) = known.get(history.next_index().get()) {
            if matches!(summary, Summary::Failed | Summary::FailedForAll) {
                self.incomplete.insert(position);
            }
            history = history.skip_known(summary)?;
        }
        Ok(history)
    }

    /// Returns the machine to step next: one whose wait is over, then one that is ready, then a new
    /// organisation. The order finishes organisations in progress before it starts more.
    fn next_machine(&mut self, now: DateTime<Utc>) -> Option<(usize, HistoryMachine<A>)> {
        if let Some(parked) = self.parked.first_entry().filter(|parked| parked.key().0 <= now) {
            return Some(parked.remove());
        }
        // The session would refuse any request now. Asking it with thousands of machines would only fill the
        // parked list.
        if self.session_wait.as_ref().is_some_and(|(_, until)| *until > now) {
            return None;
        }
        self.session_wait = None;
        let (position, history) = self.ready.pop_front().or_else(|| self.next_organization())?;
        Some((position, Authorized::new(history, self.session.clone())))
    }

    /// Returns the walk of the next organisation to start; `None` if enough are in progress or none is left.
    fn next_organization(&mut self) -> Option<(usize, History)> {
        if self.in_progress() >= self.max_in_flight.saturating_mul(ORGANIZATIONS_PER_REQUEST) {
            return None;
        }
        if let Some(position) = self.unfinished.pop_front() {
            // The journal did not end this walk at the first step, so it does not end it here.
            let history = self.start_history(position)?;
            return Some((position, self.skip_known(position, history).ok()?));
        }
        while self.resumed.remove(&self.next_organization) {
            self.next_organization += 1;
        }
        let history = self.start_history(self.next_organization)?;
        self.next_organization += 1;
        Some((self.next_organization - 1, history))
    }

    /// Wakes the machines that wait for a login if a login has ended since the last check.
    fn check_session(&mut self, now: DateTime<Utc>) {
        let revision = self.session.with(|session| session.revision());
        if revision == std::mem::replace(&mut self.revision, revision) {
            return;
        }
        self.session_wait.take_if(|(wait_reason, _)| *wait_reason == WaitReason::Login);
        let (waiting, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.parked)
            .into_iter()
            .partition(|(_, (_, machine))| machine.awaits_login());
        self.parked.extend(others);
        self.parked.extend(waiting.into_iter().map(|((_, n), machine)| ((now, n), machine)));
    }

    /// Processes a step of the machine at `at`, its organisation and index.
    fn handle_step(&mut self, at: (usize, PeriodIndex), step: Step<HistoryMachine<A>>, now: DateTime<Utc>) {
        let position = at.0;
        self.next_id += 1;
        match step {
            Step::Send(request, sent) => {
                self.in_flight.insert(self.next_id, (position, sent));
                self.to_send.push_back((request, RequestHandle(self.next_id)));
            }
            Step::Wait(until, machine) => {
                let wait_reason = machine.progress().wait_reason;
                if is_session_wait(&wait_reason) {
                    self.session_wait = Some((wait_reason, until));
                }
                self.parked.insert((until, self.next_id), (position, machine));
            }
            Step::Done(Ok(step)) => self.handle_result(position, step, now),
            Step::Done(Err(error)) => self.handle_error(at, error, now),
        }
    }

    /// Processes the result of an index, and continues with the walk if it has a rest.
    fn handle_result(&mut self, position: usize, step: HistoryStep, now: DateTime<Utc>) {
        let HistoryStep { mut result, rest } = step;
        self.count_answer(now);
        match &result.outcome {
            PeriodOutcome::Failed(error) => self.count_failure(position, error),
            _ => (self.consecutive_failures, self.has_answer) = (0, true),
        }
        // After the server has begun a new period, a request returns a period that the journal already has
        // under another index. It must not be reported twice.
        let known = self.known_periods.get_mut(&position);
        if known.is_some_and(|known| known.record(result.index.get(), summarize(&result)))
            && let PeriodOutcome::Period(period) | PeriodOutcome::Undated(period) = &result.outcome
        {
            result.outcome = PeriodOutcome::Repeated(PeriodDates::from_overview(&period.overview));
        }
        match rest.map(|rest| self.skip_known(position, rest)) {
            Some(Ok(rest)) => self.ready.push_back((position, rest)),
            Some(Err(ended)) => result.stop_reason = Some(ended),
            None => {}
        }
        if result.stop_reason.is_some() {
            self.finish(position);
        }
        self.results.push_back(result);
    }

    /// Processes an error that ends a walk: it stops the run or is the last result of its organisation.
    fn handle_error(&mut self, (position, index): (usize, PeriodIndex), error: Error, now: DateTime<Utc>) {
        if self.concerns_all(&error) {
            self.abort(Aborted { error, consecutive_failures: None });
            return;
        }
        self.count_answer(now);
        self.count_failure(position, &error);
        self.finish(position);
        if let Some(organization) = self.organizations.get(position).cloned() {
            let (found, ended) = (PeriodOutcome::Failed(error), Some(StopReason::Failed));
            self.results.push_back(PeriodResult { organization, index, outcome: found, stop_reason: ended });
        }
    }

    fn count_answer(&mut self, now: DateTime<Utc>) {
        self.answer_count += 1;
        self.answer_rate.count(now);
    }

    /// Records a failure of an organisation, and aborts the run after too many in a row.
    fn count_failure(&mut self, position: usize, error: &Error) {
        self.incomplete.insert(position);
        match error.origin() {
            ErrorOrigin::Server | ErrorOrigin::Network | ErrorOrigin::Deadline => {
                self.consecutive_failures += 1
            }
            // A refusal of the request shows that the server works.
            ErrorOrigin::Caller => self.consecutive_failures = 0,
        }
        if self.consecutive_failures >= Self::MAX_CONSECUTIVE_FAILURES {
            self.abort(Aborted {
                error: error.clone(),
                consecutive_failures: Some(self.consecutive_failures),
            });
        }
    }

    /// Counts an organisation as done.
    fn finish(&mut self, position: usize) {
        self.done += 1;
        self.incomplete_count += usize::from(self.incomplete.remove(&position));
        self.known_periods.remove(&position);
    }

    /// Stops the run with the first reason. Results that are queued are still returned.
    fn abort(&mut self, aborted: Aborted) {
        self.aborted.get_or_insert(aborted);
        self.ready.clear();
        self.parked.clear();
    }

    /// Returns true if every other organisation would fail in the same way.
    fn concerns_all(&self, error: &Error) -> bool {
        let lacks_permission = error.code().is_some_and(|code| PERMISSION_CODES.contains(&code));
        match error.kind() {
            _ if error.operation() == LOGIN => true,
            ErrorKind::Unauthorized | ErrorKind::LoginRefused => true,
            // Only a wrong API concerns all: another invalid request has an id that is too long for an
            // address.
            ErrorKind::InvalidRequest(reason) => *reason == NOT_THE_CONFIGURED_API,
            // A 403 after a successful response is the organisation's own: the token does have the
            // permission.
            ErrorKind::Forbidden => lacks_permission && !self.has_answer,
            ErrorKind::DeadlineExceeded(deadline) => Some(*deadline) == self.policy.deadline,
            // A long wait concerns all if it is for the quota, but not if the server is busy with this
            // organisation's request.
            ErrorKind::Deferred(_) => {
                error.status().is_none_or(|status| status == StatusCode::TOO_MANY_REQUESTS)
            }
            _ => false,
        }
    }

    /// Returns the number of organisations in progress.
    fn in_progress(&self) -> usize {
        self.ready.len() + self.parked.len() + self.in_flight.len()
    }

    /// Returns the earliest time at which a machine can be stepped.
    fn next_wake(&self) -> Option<DateTime<Utc>> {
        let parked = self.parked.keys().next().map(|(until, _)| *until);
        parked.into_iter().chain(self.session_wait.as_ref().map(|(_, until)| *until)).min()
    }

    /// Estimates the number of requests that are left; `None` while nothing is known about it.
    fn requests_left(&self) -> Option<u64> {
        let [left, open, answered_for] = [
            self.organizations.len() - self.done,
            self.in_progress(),
            // Organisations in progress count as half done, so all counts are doubled.
            (self.done - self.done_in_journal) * 2 + self.in_progress(),
        ]
        .map(|n| u64::try_from(n).unwrap_or(u64::MAX));
        let each = match self.selection {
            PeriodSelection::Nth(_) => return Some(left),
            PeriodSelection::Latest(n) if self.done == self.done_in_journal => 2 * u64::from(n.get()),
            _ if self.done == self.done_in_journal => return None,
            _ => (self.answer_count * 4).div_ceil(answered_for),
        };
        Some((left * 2 - open) * each / 4)
    }
}

impl<A: SharedSession> fmt::Debug for Fleet<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("organizations", &self.organizations.len())
            .field("done", &self.done)
            .field("in_flight", &self.in_flight.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.consecutive_failures {
            None => write!(f, "stopped, as this concerns every organisation: {}", self.error),
            Some(n) => write!(f, "stopped after {n} failures in a row; the last one: {}", self.error),
        }
    }
}

impl std::error::Error for Aborted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Returns the part of a result that a resumed walk needs.
fn summarize(result: &PeriodResult) -> Summary {
    match (&result.outcome, result.stop_reason) {
        (PeriodOutcome::Period(period) | PeriodOutcome::Undated(period), _) => {
            Summary::Period(PeriodDates::from_overview(&period.overview))
        }
        (PeriodOutcome::OutsideRange(dates) | PeriodOutcome::Repeated(dates), _) => Summary::Period(*dates),
        (PeriodOutcome::NoOlderPeriod, _) => Summary::NoOlderPeriod,
        (PeriodOutcome::Failed(_), Some(StopReason::Failed)) => Summary::FailedForAll,
        (PeriodOutcome::Failed(_), _) => Summary::Failed,
    }
}

/// Returns true for a wait that all requests of the session share.
fn is_session_wait(wait_reason: &WaitReason) -> bool {
    match wait_reason {
        WaitReason::Throttled | WaitReason::QuotaExhausted | WaitReason::Spacing | WaitReason::Login => true,
        WaitReason::NotStarted | WaitReason::ReportPending(_) | WaitReason::Retry(_) => false,
    }
}

/// The number of organisations in progress for each request that may be in flight. The others wait for their
/// next request, for example in a retry.
const ORGANIZATIONS_PER_REQUEST: usize = 4;

/// The error codes of a token that lacks a permission, for whichever organisation it is used.
const PERMISSION_CODES: [&str; 2] = ["missing.permissions", "missing.any.permissions"];
