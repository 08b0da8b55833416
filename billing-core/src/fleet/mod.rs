//! The fleet: the billing periods of thousands of organisations under one token.
//!
//! A scheduler without I/O and without a clock. It holds a walk for each organisation that is begun and tells its driver what
//! to do next; the driver performs requests, as many at a time as it is told to, and brings their replies.
//!
//! ```text
//!   organisations, in order ─► at most so many begun ─► each a History under the session
//!        ▲                                                   │
//!        │ a journal: what is known already                  ▼
//!   step(now) ─┬─► Send(request, flight) ── performed, while others are ──► receive(flight, reply, now)
//!              ├─► PeriodOutcome(finding) ── as it comes
//!              ├─► Wait(until) ── for a reply or until then
//!              └─► Done ── all organisations are finished, or something concerns them all
//! ```
//!
//! * **Fair.** Organisations are begun in their order, and one that is begun is finished before more are begun.
//! * **Paced.** All requests go through the session, which knows the quota. Once it holds one back, no other is begun before
//!   the time that it names: no crowd of waiters tries again and again.
//! * **Bounded.** At most [`Fleet::max_in_flight`] requests are out and four times as many organisations begun, of which those that
//!   wait hold no answer. How many organisations there are costs the list of their ids.
//! * **Apart.** What goes wrong with one organisation is found with its id, and the others go on. What concerns all ends the
//!   run early: a login that is refused, a token that is, a permission that the token lacks, an API that is not the session's,
//!   a server that wants nobody back before some time, and a hundred failures in a row of server or network.
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
//! let assignment = FleetPlan::new(organizations, latest, environment.api().clone(), now);
//! let mut fleet = Fleet::new(&assignment, Policy::default(), session);
//! let mut out = Vec::new();
//! loop {
//!     match fleet.step(now) {
//!         // A driver performs these side by side.
//!         FleetStep::Send(request, flight) => out.push((request, flight)),
//!         FleetStep::Result(finding) => println!("{}: {:?}", finding.organization, finding.stop_reason),
//!         FleetStep::Wait(until) => match out.pop() {
//!             Some((request, flight)) => fleet.receive(flight, sandbox.reply(&request, now), now),
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
    /// Walks that wait for their next request: organisations that are begun, in the order in which they came to it.
    ready: VecDeque<(usize, History)>,
    /// Machines that wait for a time, in the order in which they came to it.
    parked: BTreeMap<(DateTime<Utc>, u64), (usize, HistoryMachine<A>)>,
    /// Machines whose request is out.
    in_flight: BTreeMap<u64, (usize, Sent<HistoryMachine<A>>)>,
    /// Numbers machines as they park and flights as they go.
    next_id: u64,
    /// The session lets nobody out before this, and why.
    session_wait: Option<(WaitReason, DateTime<Utc>)>,
    /// The session's revision when last looked at.
    revision: u64,

    /// What a journal knows of each organisation, and until the first step where each of these stands.
    known_periods: BTreeMap<usize, KnownPeriods>,
    index_by_id: BTreeMap<String, usize>,
    /// Organisations whose turn came before, in the run of the journal; and those of them that are not finished, whose turn
    /// comes first in this.
    resumed: BTreeSet<usize>,
    unfinished: VecDeque<usize>,
    to_send: VecDeque<(Box<Request>, RequestHandle)>,
    results: VecDeque<PeriodResult>,
    /// Organisations that are begun and have something that could not be read.
    incomplete: BTreeSet<usize>,
    done: usize,
    /// How many of those the journal had done with.
    done_in_journal: usize,
    incomplete_count: usize,
    /// Whether the server has answered for any organisation.
    has_answer: bool,
    answer_count: u64,
    /// Failures of server or network in a row.
    consecutive_failures: u32,
    started_at: Option<DateTime<Utc>>,
    answer_rate: RateCounter,
    aborted: Option<Aborted>,
}

type HistoryMachine<A> = Authorized<History, A>;

/// What a fleet wants.
#[derive(Debug)]
#[must_use = "a step that is dropped loses what it says"]
pub enum FleetStep {
    /// Perform this exchange, beside those that are out, then hand the reply to [`Fleet::receive`]. Step again at once.
    Send(Box<Request>, RequestHandle),
    /// A result. Step again.
    Result(PeriodResult),
    /// Nothing to do before this time, or before a reply comes, or the [`Session::revision`](crate::Session::revision)
    /// changes; without a time, before a reply comes. Then step again.
    Wait(Option<DateTime<Utc>>),
    /// The end: all is found, or the run was stopped early. Replies that are still to come are of no use.
    Done(Result<(), Aborted>),
}

/// What a driver tells of a run as it goes on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FleetUpdate {
    /// What was found; `None` where there is nothing new but a wait, which the progress names.
    pub result: Option<PeriodResult>,
    /// How far the run has come.
    pub progress: FleetProgress,
}

/// A request that is out. It is not `Clone`: one request, one reply.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "without its reply the run never ends"]
pub struct RequestHandle(u64);

/// Why a run was stopped before its end: something concerns every organisation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Aborted {
    /// What was the last straw.
    pub error: Error,
    /// How many failures in a row there were, where each alone would be an organisation's own; `None` where the error alone
    /// concerns all.
    pub consecutive_failures: Option<u32>,
}

impl<A: SharedSession> Fleet<A> {
    /// So many requests out at a time are the default.
    pub const DEFAULT_IN_FLIGHT: usize = 16;
    /// So many failures of server or network in a row, with no answer between them, stop a run.
    pub const MAX_CONSECUTIVE_FAILURES: u32 = 100;

    /// A run for `assignment`, under the session behind `access`.
    pub fn new(assignment: &FleetPlan, policy: Policy, access: A) -> Self {
        Self {
            revision: access.with(|session| session.revision()),
            session: access,
            api: assignment.api.clone(),
            policy,
            selection: assignment.selection,
            organizations: assignment.organizations().to_vec(),
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

    /// With so many requests out at a time, at least one.
    pub fn max_in_flight(self, requests: usize) -> Self {
        Self { max_in_flight: requests.max(1), ..self }
    }

    /// Takes in, before the first step, what is known already: the findings of a journal, in their order. What was found is
    /// neither asked for nor found again; where the server has begun a new period since, it is looked for one index further on.
    pub fn restore(&mut self, finding: &PeriodResult) {
        if self.index_by_id.is_empty() {
            self.index_by_id = self.organizations.iter().map(OrgId::normalized).zip(0..).collect();
        }
        let Some(place) = self.index_by_id.get(&finding.organization.normalized()) else { return };
        let brief = summarize(finding);
        self.has_answer |= matches!(brief, Summary::Period(_) | Summary::NoOlderPeriod);
        self.known_periods.entry(*place).or_default().record(finding.index.get(), brief);
    }

    /// Goes on at `now`, with whatever is next.
    pub fn step(&mut self, now: DateTime<Utc>) -> FleetStep {
        self.apply_journal(now);
        loop {
            if let Some((request, flight)) = self.to_send.pop_front() {
                return FleetStep::Send(request, flight);
            }
            if let Some(finding) = self.results.pop_front() {
                return FleetStep::Result(finding);
            }
            if let Some(stopped) = &self.aborted {
                return FleetStep::Done(Err(stopped.clone()));
            }
            if self.done == self.organizations.len() {
                return FleetStep::Done(Ok(()));
            }
            self.check_session(now);
            if self.in_flight.len() >= self.max_in_flight {
                return FleetStep::Wait(None);
            }
            let Some((place, machine)) = self.next_machine(now) else {
                return FleetStep::Wait(self.next_wake());
            };
            let index = machine.machine().next_index();
            self.handle_step((place, index), machine.step(now), now);
        }
    }

    /// Takes the reply to a request that [`Fleet::step`] gave, at the time `now`. Then step again.
    pub fn receive(&mut self, flight: RequestHandle, reply: Reply, now: DateTime<Utc>) {
        let Some((place, sent)) = self.in_flight.remove(&flight.0) else { return };
        let index = sent.inner().machine().next_index();
        self.handle_step((place, index), sent.receive(reply, now), now);
    }

    /// How far it has come.
    pub fn progress(&self, now: DateTime<Utc>) -> FleetProgress {
        let pace = self.session.with(|session| session.throughput(now));
        let finishes = self.requests_left().and_then(|left| {
            estimated_end(left, &pace, self.answer_count, self.started_at.unwrap_or(now), now)
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
            estimated_end: finishes,
            wait_reason: self
                .session_wait
                .clone()
                .filter(|(_, until)| *until > now && self.in_flight.is_empty()),
        }
    }

    /// What a driver tells, at `now`.
    pub fn update(&self, finding: Option<PeriodResult>, now: DateTime<Utc>) -> FleetUpdate {
        FleetUpdate { result: finding, progress: self.progress(now) }
    }

    /// Whether a machine waits for the login that somebody else has begun. Then step again as soon as
    /// [`Session::revision`](crate::Session::revision) has changed.
    pub fn awaits_login(&self) -> bool {
        self.parked.values().any(|(_, machine)| machine.awaits_login())
    }

    /// Finds out, at the first step, which organisations the journal has done with, and which not.
    fn apply_journal(&mut self, now: DateTime<Utc>) {
        if self.started_at.is_some() {
            return;
        }
        self.started_at = Some(now);
        self.index_by_id = BTreeMap::new();
        let mut known: Vec<usize> = self.known_periods.keys().copied().collect();
        known.sort_unstable();
        for place in known {
            let Some(history) = self.start_history(place) else { continue };
            match self.skip_known(place, history) {
                Ok(_) => self.unfinished.push_back(place),
                Err(_) => self.finish(place),
            }
            self.resumed.insert(place);
        }
        self.done_in_journal = self.done;
    }

    fn start_history(&self, place: usize) -> Option<History> {
        let organization = self.organizations.get(place)?.clone();
        let seed = self.policy.seed.wrapping_add(u64::try_from(place).unwrap_or_default());
        let policy = Policy { seed, ..self.policy.clone() };
        Some(History::new(organization, self.selection, self.api.clone(), policy))
    }

    /// Takes a walk past what is known already.
    fn skip_known(&mut self, place: usize, mut history: History) -> Result<History, StopReason> {
        let Some(known) = self.known_periods.get(&place) else { return Ok(history) };
        while let Some(brief) = known.get(history.next_index().get()) {
            if matches!(brief, Summary::Failed | Summary::FailedForAll) {
                self.incomplete.insert(place);
            }
            history = history.skip_known(brief)?;
        }
        Ok(history)
    }

    /// The machine that is to be stepped next.
    fn next_machine(&mut self, now: DateTime<Utc>) -> Option<(usize, HistoryMachine<A>)> {
        if let Some(parked) = self.parked.first_entry().filter(|parked| parked.key().0 <= now) {
            return Some(parked.remove());
        }
        if self.session_wait.as_ref().is_some_and(|(_, until)| *until > now) {
            return None;
        }
        self.session_wait = None;
        let (place, history) = self.ready.pop_front().or_else(|| self.next_organization())?;
        Some((place, Authorized::new(history, self.session.clone())))
    }

    fn next_organization(&mut self) -> Option<(usize, History)> {
        if self.in_progress() >= self.max_in_flight.saturating_mul(OPEN) {
            return None;
        }
        if let Some(place) = self.unfinished.pop_front() {
            // What is known has not ended its walk at the first step, and does not now.
            let history = self.start_history(place)?;
            return Some((place, self.skip_known(place, history).ok()?));
        }
        while self.resumed.remove(&self.next_organization) {
            self.next_organization += 1;
        }
        let history = self.start_history(self.next_organization)?;
        self.next_organization += 1;
        Some((self.next_organization - 1, history))
    }

    /// Wakes who waits for a login, if one has come to an end.
    fn check_session(&mut self, now: DateTime<Utc>) {
        let revision = self.session.with(|session| session.revision());
        if revision == std::mem::replace(&mut self.revision, revision) {
            return;
        }
        self.session_wait.take_if(|(waiting, _)| *waiting == WaitReason::Login);
        let (joining, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.parked)
            .into_iter()
            .partition(|(_, (_, machine))| machine.awaits_login());
        self.parked.extend(others);
        self.parked.extend(joining.into_iter().map(|((_, n), machine)| ((now, n), machine)));
    }

    /// Takes in what a machine does next, which is at that index of that organisation.
    fn handle_step(&mut self, at: (usize, PeriodIndex), step: Step<HistoryMachine<A>>, now: DateTime<Utc>) {
        let place = at.0;
        self.next_id += 1;
        match step {
            Step::Send(request, sent) => {
                self.in_flight.insert(self.next_id, (place, sent));
                self.to_send.push_back((request, RequestHandle(self.next_id)));
            }
            Step::Wait(until, machine) => {
                let waiting = machine.progress().wait_reason;
                if is_session_wait(&waiting) {
                    self.session_wait = Some((waiting, until));
                }
                self.parked.insert((until, self.next_id), (place, machine));
            }
            Step::Done(Ok(visit)) => self.handle_result(place, visit, now),
            Step::Done(Err(error)) => self.handle_error(at, error, now),
        }
    }

    fn handle_result(&mut self, place: usize, visit: HistoryStep, now: DateTime<Utc>) {
        let HistoryStep { mut result, rest } = visit;
        self.count_answer(now);
        match &result.outcome {
            PeriodOutcome::Failed(error) => self.count_failure(place, error),
            _ => (self.consecutive_failures, self.has_answer) = (0, true),
        }
        let known = self.known_periods.get_mut(&place);
        if known.is_some_and(|known| known.record(result.index.get(), summarize(&result)))
            && let PeriodOutcome::Period(period) | PeriodOutcome::Undated(period) = &result.outcome
        {
            result.outcome = PeriodOutcome::Repeated(PeriodDates::from_overview(&period.overview));
        }
        match rest.map(|rest| self.skip_known(place, rest)) {
            Some(Ok(rest)) => self.ready.push_back((place, rest)),
            Some(Err(ended)) => result.stop_reason = Some(ended),
            None => {}
        }
        if result.stop_reason.is_some() {
            self.finish(place);
        }
        self.results.push_back(result);
    }

    fn handle_error(&mut self, (place, index): (usize, PeriodIndex), error: Error, now: DateTime<Utc>) {
        if self.concerns_all(&error) {
            self.abort(Aborted { error, consecutive_failures: None });
            return;
        }
        self.count_answer(now);
        self.count_failure(place, &error);
        self.finish(place);
        if let Some(organization) = self.organizations.get(place).cloned() {
            let (found, ended) = (PeriodOutcome::Failed(error), Some(StopReason::Failed));
            self.results.push_back(PeriodResult { organization, index, outcome: found, stop_reason: ended });
        }
    }

    fn count_answer(&mut self, now: DateTime<Utc>) {
        self.answer_count += 1;
        self.answer_rate.count(now);
    }

    /// Something of an organisation could not be read.
    fn count_failure(&mut self, place: usize, error: &Error) {
        self.incomplete.insert(place);
        match error.origin() {
            ErrorOrigin::Server | ErrorOrigin::Network | ErrorOrigin::Deadline => {
                self.consecutive_failures += 1
            }
            ErrorOrigin::Caller => self.consecutive_failures = 0,
        }
        if self.consecutive_failures >= Self::MAX_CONSECUTIVE_FAILURES {
            self.abort(Aborted {
                error: error.clone(),
                consecutive_failures: Some(self.consecutive_failures),
            });
        }
    }

    fn finish(&mut self, place: usize) {
        self.done += 1;
        self.incomplete_count += usize::from(self.incomplete.remove(&place));
        self.known_periods.remove(&place);
    }

    fn abort(&mut self, stopped: Aborted) {
        self.aborted.get_or_insert(stopped);
        self.ready.clear();
        self.parked.clear();
    }

    /// Whether an organisation's error would be that of every other too.
    fn concerns_all(&self, error: &Error) -> bool {
        let lacks_permission = error.code().is_some_and(|code| PERMISSION_CODES.contains(&code));
        match error.kind() {
            _ if error.operation() == LOGIN => true,
            ErrorKind::Unauthorized | ErrorKind::LoginRefused => true,
            // An id that is too long for an address is one organisation's own.
            ErrorKind::InvalidRequest(reason) => *reason == NOT_THE_CONFIGURED_API,
            // Those who were answered show that the token has the permission.
            ErrorKind::Forbidden => lacks_permission && !self.has_answer,
            ErrorKind::DeadlineExceeded(deadline) => Some(*deadline) == self.policy.deadline,
            // Of a quota, and not of a server that is busy with this one.
            ErrorKind::Deferred(_) => {
                error.status().is_none_or(|status| status == StatusCode::TOO_MANY_REQUESTS)
            }
            _ => false,
        }
    }

    fn in_progress(&self) -> usize {
        self.ready.len() + self.parked.len() + self.in_flight.len()
    }

    fn next_wake(&self) -> Option<DateTime<Utc>> {
        let parked = self.parked.keys().next().map(|(until, _)| *until);
        parked.into_iter().chain(self.session_wait.as_ref().map(|(_, until)| *until)).min()
    }

    /// How many more requests it will take, as far as can be told.
    fn requests_left(&self) -> Option<u64> {
        let [left, open, answered_for] = [
            self.organizations.len() - self.done,
            self.in_progress(),
            // Those that are begun are half done, on the whole.
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
            .field("out", &self.in_flight.len())
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

/// What a finding says, as far as a walk that goes on has to know.
fn summarize(finding: &PeriodResult) -> Summary {
    match (&finding.outcome, finding.stop_reason) {
        (PeriodOutcome::Period(period) | PeriodOutcome::Undated(period), _) => {
            Summary::Period(PeriodDates::from_overview(&period.overview))
        }
        (PeriodOutcome::OutsideRange(dates) | PeriodOutcome::Repeated(dates), _) => Summary::Period(*dates),
        (PeriodOutcome::NoOlderPeriod, _) => Summary::NoOlderPeriod,
        (PeriodOutcome::Failed(_), Some(StopReason::Failed)) => Summary::FailedForAll,
        (PeriodOutcome::Failed(_), _) => Summary::Failed,
    }
}

/// Whether all requests of the session wait for the same.
fn is_session_wait(waiting: &WaitReason) -> bool {
    match waiting {
        WaitReason::Throttled | WaitReason::QuotaExhausted | WaitReason::Spacing | WaitReason::Login => true,
        WaitReason::NotStarted | WaitReason::ReportPending(_) | WaitReason::Retry(_) => false,
    }
}

/// So many times as many organisations may be begun as requests may be out: the others wait to be asked about again.
const OPEN: usize = 4;

/// What the server says where a token lacks a permission, whatever it is used for.
const PERMISSION_CODES: [&str; 2] = ["missing.permissions", "missing.any.permissions"];
