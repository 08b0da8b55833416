//! Polling: sends the same request until the report is complete.
//!
//! ```text
//!              ┌──── InProgress, 202: the schedule, at least 2 s, the server's hint ────┐
//!              │     another status: the same, three in a row are an error             │
//!              ▼                                                                        │
//!   start ─► exchange (with its retries) ─► answer ─┬───────────────────────────────────┘
//!                                                   ├─► Complete ─► Done(Ok(report))
//!                                                   └─► past the deadline ─► Done(Err)
//! ```
//!
//! A complete poll, in virtual time, without a network:
//!
//! ```
//! use billing_core::calls::BillableUsageCall;
//! use billing_core::{Environment, Machine, Period, Policy, Poll, Step};
//! use chrono::{DateTime, TimeDelta, Utc};
//!
//! let mut now: DateTime<Utc> = "2026-11-02T09:00:00Z".parse()?;
//! let call = BillableUsageCall::new(Period::from_user("2026-10-01", "2026-11-01")?);
//! let poll = Poll::new(call, Environment::default().api().clone(), Policy::default());
//!
//! // The first request is sent at once.
//! let Step::Send(request, sent) = poll.step(now) else { panic!("a request") };
//! assert_eq!(request.http().uri().path(), "/api/v2/billing/reports/billableusage");
//!
//! // The report is not complete: wait, then send the same request again.
//! let in_progress = http::Response::new(r#"{"status":"InProgress"}"#.into());
//! let Step::Wait(until, poll) = sent.receive(Ok(in_progress), now) else { panic!("a wait") };
//! assert!(until >= now + TimeDelta::seconds(2));
//!
//! // While it waits, the poll can be saved and resumed by another process.
//! let saved = serde_json::to_string(&poll)?;
//! let poll: Poll<BillableUsageCall> = serde_json::from_str(&saved)?;
//!
//! now = until;
//! let Step::Send(again, sent) = poll.step(now) else { panic!("a request") };
//! assert_eq!(request.http().uri(), again.http().uri());
//!
//! let complete = http::Response::new(r#"{"status":"Complete","usages":[]}"#.into());
//! let Step::Done(Ok(report)) = sent.receive(Ok(complete), now) else { panic!("a report") };
//! assert!(report.usages().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adaptive;
mod adaptive_schedule;
mod attempt;
mod schedule;
mod timings;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calls::{Call, WithRaw};
use crate::error::ErrorContext;
use crate::error::redaction::redacted_line;
use crate::machine::checkpoint::Format;
use crate::machine::progress::{Progress, WaitReason};
use crate::machine::retry_loop::{Handled, RetryLoop, into_step};
use crate::machine::{Hold, ReceivedReply, sealed};
use crate::model::ReportStatus;
use crate::values::clock::{between, millis, saturating_add, truncate_to_millis};
use crate::values::secret::Secret;
use crate::{BaseUrl, Error, ErrorKind, Machine, Policy, Step};

use self::attempt::{PollAnswer, PollAttempt};
pub use adaptive::{AdaptivePoll, Timed};
pub use adaptive_schedule::AdaptiveSchedule;
pub(crate) use schedule::MIN_POLL_INTERVAL;
pub use schedule::PollSchedule;
pub use timings::{PollTiming, PollTimings};

/// A response with a report status.
pub trait Report {
    /// Returns the status, if the response has one.
    fn status(&self) -> Option<&ReportStatus>;
}

impl<T: Report> Report for WithRaw<T> {
    fn status(&self) -> Option<&ReportStatus> {
        self.value.status()
    }
}

/// Polls a report until it is complete; see the [module's text](self).
///
/// A parked poll (in [`Step::Wait`]) can be saved with serde and restored. The saved form has a version and a
/// checksum, and holds no token, no secret and no response data but the status. A restored poll does what the
/// original would do.
///
/// # Bound
/// Any two requests of a poll are at least 2 s apart, except a repeat after a 401. So there are at most
/// `timeout / 2 s + 1` of them (451 for the default of 15 minutes). [`Authorized`](crate::Authorized)
/// documents the requests that a session adds.
#[derive(Clone, Debug)]
pub struct Poll<C> {
    exchange: RetryLoop<PollAttempt<C>>,
    state: PollState,
}

/// The state of a poll beside its retry loop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PollState {
    /// The number of responses that were not complete.
    pending_answers: u32,
    /// The age of the report at the last of these, since the first request, in whole milliseconds.
    #[serde(with = "millis")]
    last_pending_age: Duration,
    /// The number of responses in a row with an unknown status.
    unknown_statuses: u32,
}

impl<C: Call<Output: Report>> Poll<C> {
    /// Creates a poll that sends `call` to the API at `api`.
    pub fn new(call: C, api: BaseUrl, policy: Policy) -> Self {
        Self { exchange: RetryLoop::new(PollAttempt(call), api, policy), state: PollState::default() }
    }

    /// Returns the call that is polled.
    pub fn call(&self) -> &C {
        &self.exchange.call.0
    }

    /// Returns the address of the API. Check it on a restored poll; a session sends nothing to another
    /// address than its own.
    pub fn api(&self) -> &BaseUrl {
        &self.exchange.api
    }

    /// Replaces the policy, to give a restored poll more time: the timeout counts anew from the next step.
    /// The polling history of the report is kept.
    #[must_use = "the poll is not changed in place"]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { exchange: self.exchange.with_policy(policy), ..self }
    }

    /// Polls on a schedule learned from `completions`, and returns the timing of this report with it.
    pub fn adaptive(mut self, completions: &PollTimings) -> AdaptivePoll<C> {
        let polls = &mut self.exchange.policy.poll;
        *polls = polls.adapted_to(completions);
        AdaptivePoll::from(self)
    }

    /// Processes a response that is not complete.
    fn handle_pending(
        &mut self,
        status: Option<ReportStatus>,
        hint: Option<DateTime<Utc>>,
        context: ErrorContext,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let earlier_answers = self.state.pending_answers;
        self.state.pending_answers = earlier_answers.saturating_add(1);
        match &status {
            Some(ReportStatus::Unknown(raw)) => {
                self.state.unknown_statuses = self.state.unknown_statuses.saturating_add(1);
                if self.state.unknown_statuses >= MAX_UNKNOWN_STATUSES {
                    return Err(self.exchange.error(ErrorKind::UnknownStatus(raw.to_string()), context));
                }
            }
            _ => self.state.unknown_statuses = 0,
        }
        let age = self.age(now);
        self.state.last_pending_age = truncate_to_millis(age);
        let policy = &self.exchange.policy;
        let (wait, timing) =
            policy.poll.next_wait(age, self.exchange.time_left(now), policy.seed, earlier_answers);
        self.exchange.set_context(context);
        self.exchange.schedule(
            saturating_add(now, wait),
            hint,
            (WaitReason::ReportPending(status), timing),
            now,
        )
    }

    /// Returns the timing of a report that is complete at `now`, or `None` if that is the first response: it
    /// may have been complete long before.
    pub(crate) fn timing(&self, now: DateTime<Utc>) -> Option<PollTiming> {
        let was_pending = self.state.pending_answers > 0;
        was_pending.then(|| PollTiming::new(now, self.state.last_pending_age, self.age(now))).flatten()
    }

    fn age(&self, now: DateTime<Utc>) -> Duration {
        between(self.exchange.started().unwrap_or(now), now)
    }
}

impl<C: Call<Output: Report>> Machine for Poll<C> {
    type Output = C::Output;

    fn step(mut self, now: DateTime<Utc>) -> Step<Self> {
        into_step(self.exchange.resume(now), self)
    }

    fn progress(&self) -> Progress {
        Progress { pending_answers: self.state.pending_answers, ..self.exchange.progress() }
    }
}

impl<C: Call<Output: Report>> sealed::MachineInternals for Poll<C> {
    fn on_reply(mut self, received: ReceivedReply, now: DateTime<Utc>) -> Step<Self> {
        let token = received.sent_token.clone();
        let outcome = match self.exchange.handle_reply(received, MIN_POLL_INTERVAL, now) {
            Ok(Handled::Accepted(PollAnswer::Complete(report), _, _)) => return Step::Done(Ok(report)),
            Ok(Handled::Accepted(PollAnswer::Pending(status), hint, context)) => {
                let status = status.map(|status| redact_status(status, token.as_ref()));
                self.handle_pending(status, hint, context, now)
            }
            Ok(Handled::Retry) => Ok(()),
            Err(error) => Err(error),
        };
        into_step(outcome.and_then(|()| self.exchange.advance(now)), self)
    }

    fn on_hold(mut self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let next = self.exchange.handle_hold(hold, now);
        into_step(next, self)
    }
}

impl<C: Call<Output: Report> + Serialize> Serialize for Poll<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let saved = SavedPoll { exchange: &self.exchange, polls: &self.state };
        FORMAT.save(Some(self.exchange.operation()), &saved, serializer)
    }
}

impl<'de, C: Call<Output: Report> + Serialize + DeserializeOwned> Deserialize<'de> for Poll<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let operation =
            |saved: &SavedPoll<RetryLoop<PollAttempt<C>>, PollState>| Some(saved.exchange.operation());
        let SavedPoll { exchange, polls } = FORMAT.restore(operation, deserializer)?;
        Ok(Self { exchange, state: polls })
    }
}

/// Redacts a status for display and storage: an unknown one is text from the server.
fn redact_status(status: ReportStatus, token: Option<&Secret>) -> ReportStatus {
    match status {
        ReportStatus::Unknown(raw) => {
            ReportStatus::Unknown(redacted_line(raw.into(), token.as_slice()).into())
        }
        known => known,
    }
}

/// The whole state of a poll, as it is saved.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedPoll<E, P> {
    exchange: E,
    polls: P,
}

/// The number of responses in a row with an unknown status that ends a poll with an error.
const MAX_UNKNOWN_STATUSES: u32 = 3;
const FORMAT: Format = Format { name: "billing-core poll", version: 3 };

#[cfg(test)]
mod tests;
