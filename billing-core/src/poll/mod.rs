//! Polling: the same request again and again until the report is complete.
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
//! A whole life of a report, in virtual time, without a network:
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
//! // The first request goes out at once.
//! let Step::Send(request, sent) = poll.step(now) else { panic!("a request") };
//! assert_eq!(request.http().uri().path(), "/api/v2/billing/reports/billableusage");
//!
//! // The server is not ready: wait, and ask the very same again.
//! let in_progress = http::Response::new(r#"{"status":"InProgress"}"#.into());
//! let Step::Wait(until, poll) = sent.receive(Ok(in_progress), now) else { panic!("a wait") };
//! assert!(until >= now + TimeDelta::seconds(2));
//!
//! // In between it can be saved, and resumed by another process.
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
mod schedule;
mod timings;

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calls::{Call, WithRaw, forward_call};
use crate::error::ErrorContext;
use crate::error::redaction::redacted_line;
use crate::machine::checkpoint::Format;
use crate::machine::exchange::{Handled, RetryLoop, into_step};
use crate::machine::progress::{Progress, WaitReason};
use crate::machine::{Hold, ReceivedReply, sealed};
use crate::model::ReportStatus;
use crate::values::clock::{between, millis, saturating_add, truncate_to_millis};
use crate::values::secret::Secret;
use crate::{BaseUrl, DecodeError, Error, ErrorKind, Machine, Policy, Step};

pub use adaptive::{AdaptivePoll, Timed};
pub use adaptive_schedule::AdaptiveSchedule;
pub(crate) use schedule::MIN_POLL_INTERVAL;
pub use schedule::PollSchedule;
pub use timings::{PollTiming, PollTimings};

/// An answer that says whether it is ready.
pub trait Report {
    /// The status, as far as the answer has one.
    fn status(&self) -> Option<&ReportStatus>;
}

impl<T: Report> Report for WithRaw<T> {
    fn status(&self) -> Option<&ReportStatus> {
        self.value.status()
    }
}

/// Asks for a report until it is complete; see the [module's text](self).
///
/// Parked (in [`Step::Wait`]) it can be saved with serde and restored: the saved form has a version and a checksum, and
/// holds neither a token nor a secret nor anything of an answer. Restored and stepped it does what the original would.
///
/// # Bound
/// Any two requests of a poll are at least 2 s apart, but for a repeat after a 401. So there are at most
/// `overall / 2 s + 1` of them (451 for the 15 minutes by default). What a session adds,
/// [`Authorized`](crate::Authorized) says.
#[derive(Clone, Debug)]
pub struct Poll<C> {
    exchange: RetryLoop<PollAttempt<C>>,
    state: PollState,
}

/// What a poll remembers beside its exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PollState {
    /// Answers so far that were not complete.
    pending_answers: u32,
    /// How old the report was at the last of these, counted from the first request, in whole milliseconds.
    #[serde(with = "millis")]
    last_pending_age: Duration,
    /// Answers in a row with a status that nobody knows.
    unknown_statuses: u32,
}

impl<C: Call<Output: Report>> Poll<C> {
    /// Asks under the address `api`.
    pub fn new(call: C, api: BaseUrl, policy: Policy) -> Self {
        Self { exchange: RetryLoop::new(PollAttempt(call), api, policy), state: PollState::default() }
    }

    /// What it asks for.
    pub fn call(&self) -> &C {
        &self.exchange.call.0
    }

    /// The address of the API that it asks under. Of a restored poll, check that it is the one that you mean; a session
    /// sends nothing to another.
    pub fn api(&self) -> &BaseUrl {
        &self.exchange.api
    }

    /// Puts another policy in place, for a restored poll that is to have more time: its deadline counts from its next
    /// step. What it has learned about the report stays.
    #[must_use = "the poll is not changed in place"]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { exchange: self.exchange.with_policy(policy), ..self }
    }

    /// Polls when it was best for the reports of `completions`, and says at its end what it saw of this one.
    pub fn adaptive(mut self, completions: &PollTimings) -> AdaptivePoll<C> {
        let polls = &mut self.exchange.policy.poll;
        *polls = polls.adapted_to(completions);
        AdaptivePoll::from(self)
    }

    /// Takes an answer in that is not complete.
    fn handle_pending(
        &mut self,
        status: Option<ReportStatus>,
        hint: Option<DateTime<Utc>>,
        evidence: ErrorContext,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let seen_before = self.state.pending_answers;
        self.state.pending_answers = seen_before.saturating_add(1);
        match &status {
            Some(ReportStatus::Unknown(raw)) => {
                self.state.unknown_statuses = self.state.unknown_statuses.saturating_add(1);
                if self.state.unknown_statuses >= MAX_UNKNOWN_STATUSES {
                    return Err(self.exchange.error(ErrorKind::UnknownStatus(raw.to_string()), evidence));
                }
            }
            _ => self.state.unknown_statuses = 0,
        }
        let age = self.age(now);
        self.state.last_pending_age = truncate_to_millis(age);
        let policy = &self.exchange.policy;
        let (wait, timing) =
            policy.poll.next_wait(age, self.exchange.time_left(now), policy.seed, seen_before);
        self.exchange.set_context(evidence);
        self.exchange.schedule(
            saturating_add(now, wait),
            hint,
            (WaitReason::ReportPending(status), timing),
            now,
        )
    }

    /// What it has seen of how long the report takes, if an answer at `now` has it complete; nothing if that is the first
    /// answer, because then it may have been complete for long.
    pub(crate) fn timing(&self, now: DateTime<Utc>) -> Option<PollTiming> {
        let seen = self.state.pending_answers > 0;
        seen.then(|| PollTiming::new(now, self.state.last_pending_age, self.age(now))).flatten()
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
        let rested = match self.exchange.handle_reply(received, MIN_POLL_INTERVAL, now) {
            Ok(Handled::Accepted(PollAnswer::Complete(report), _, _)) => return Step::Done(Ok(report)),
            Ok(Handled::Accepted(PollAnswer::Pending(status), hint, evidence)) => {
                let status = status.map(|status| redact_status(status, token.as_ref()));
                self.handle_pending(status, hint, evidence, now)
            }
            Ok(Handled::Retry) => Ok(()),
            Err(error) => Err(error),
        };
        into_step(rested.and_then(|()| self.exchange.advance(now)), self)
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

/// A status as it is shown in progress and errors and saved with the poll: one that nobody knows is text of the server.
fn redact_status(status: ReportStatus, token: Option<&Secret>) -> ReportStatus {
    match status {
        ReportStatus::Unknown(raw) => {
            ReportStatus::Unknown(redacted_line(raw.into(), token.as_slice()).into())
        }
        known => known,
    }
}

/// Everything that a poll is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedPoll<E, P> {
    exchange: E,
    polls: P,
}

/// One poll: the call itself, but an answer that is not complete is an answer too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PollAttempt<C>(pub(crate) C);

/// What one poll says.
pub(crate) enum PollAnswer<T> {
    Complete(T),
    /// With its status, or none where it was a 202.
    Pending(Option<ReportStatus>),
}

#[warn(clippy::missing_trait_methods)]
impl<C: Call<Output: Report>> Call for PollAttempt<C> {
    type Output = PollAnswer<C::Output>;

    forward_call!(0, own accepts);

    fn parse(&self, response: &Response<Bytes>) -> Result<Self::Output, DecodeError> {
        if response.status() == StatusCode::ACCEPTED {
            return Ok(PollAnswer::Pending(None));
        }
        let report = self.0.parse(response)?;
        match report.status() {
            Some(ReportStatus::Complete) => Ok(PollAnswer::Complete(report)),
            Some(status) => Ok(PollAnswer::Pending(Some(status.clone()))),
            // Rule D3: a body that does not say that it is complete is not taken for complete.
            None => Err(DecodeError::new("status", "the report has no status")),
        }
    }

    fn accepts(&self, status: StatusCode) -> bool {
        status == StatusCode::ACCEPTED || self.0.accepts(status)
    }
}

/// So many answers in a row with a status that is neither `InProgress` nor `Complete` end a poll.
const MAX_UNKNOWN_STATUSES: u32 = 3;
const FORMAT: Format = Format { name: "billing-core poll", version: 2 };

#[cfg(test)]
mod tests;
