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
//! use billing_core::calls::BillableUsage;
//! use billing_core::{Environment, Machine, Period, Policy, Poll, Step};
//! use chrono::{DateTime, TimeDelta, Utc};
//!
//! let mut now: DateTime<Utc> = "2026-11-02T09:00:00Z".parse()?;
//! let call = BillableUsage::new(Period::from_user("2026-10-01", "2026-11-01")?);
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
//! let poll: Poll<BillableUsage> = serde_json::from_str(&saved)?;
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

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::calls::{Answer, Call, as_inner_call};
use crate::checkpoint::Format;
use crate::error::{Evidence, quoted};
use crate::exchange::{Attempts, Taken, into_step};
use crate::machine::{Hold, Received, sealed};
use crate::model::ReportStatus;
use crate::policy::POLL_FLOOR;
use crate::progress::{Progress, Waiting};
use crate::secret::Secret;
use crate::timestamp::{after, between, millis, whole_millis};
use crate::{
    BaseUrl, Completion, Completions, DecodeError, Error, ErrorKind, Learning, Machine, Policy, Step,
};

/// An answer that says whether it is ready.
pub trait Report {
    /// The status, as far as the answer has one.
    fn status(&self) -> Option<&ReportStatus>;
}

impl<T: Report> Report for Answer<T> {
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
    exchange: Attempts<Tick<C>>,
    polls: Polls,
}

/// What a poll remembers beside its exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Polls {
    /// Answers so far that were not complete.
    unready: u32,
    /// How old the report was at the last of these, counted from the first request, in whole milliseconds.
    #[serde(with = "millis")]
    age: Duration,
    /// Answers in a row with a status that nobody knows.
    unheard_of: u32,
}

impl<C: Call<Output: Report>> Poll<C> {
    /// Asks under the address `api`.
    pub fn new(call: C, api: BaseUrl, policy: Policy) -> Self {
        Self { exchange: Attempts::new(Tick(call), api, policy), polls: Polls::default() }
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
    pub fn learning(mut self, completions: &Completions) -> Learning<C> {
        let polls = &mut self.exchange.policy.polls;
        *polls = polls.learned(completions);
        Learning::from(self)
    }

    /// Takes an answer in that is not complete.
    fn rest(
        &mut self,
        status: Option<ReportStatus>,
        hint: Option<DateTime<Utc>>,
        evidence: Evidence,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let seen_before = self.polls.unready;
        self.polls.unready = seen_before.saturating_add(1);
        match &status {
            Some(ReportStatus::Unknown(raw)) => {
                self.polls.unheard_of = self.polls.unheard_of.saturating_add(1);
                if self.polls.unheard_of >= UNHEARD_OF_LIMIT {
                    return Err(self.exchange.error(ErrorKind::UnknownStatus(raw.to_string()), evidence));
                }
            }
            _ => self.polls.unheard_of = 0,
        }
        let age = self.age(now);
        self.polls.age = whole_millis(age);
        let policy = &self.exchange.policy;
        let (wait, timing) = policy.polls.wait(age, self.exchange.left(now), policy.seed, seen_before);
        self.exchange.remember(evidence);
        self.exchange.rest(after(now, wait), hint, (Waiting::Report(status), timing), now)
    }

    /// What it has seen of how long the report takes, if an answer at `now` has it complete; nothing if that is the first
    /// answer, because then it may have been complete for long.
    pub(crate) fn completion(&self, now: DateTime<Utc>) -> Option<Completion> {
        let seen = self.polls.unready > 0;
        seen.then(|| Completion::new(now, self.polls.age, self.age(now))).flatten()
    }

    fn age(&self, now: DateTime<Utc>) -> Duration {
        between(self.exchange.started().unwrap_or(now), now)
    }
}

impl<C: Call<Output: Report>> Machine for Poll<C> {
    type Output = C::Output;

    fn step(mut self, now: DateTime<Utc>) -> Step<Self> {
        into_step(self.exchange.wake(now), self)
    }

    fn progress(&self) -> Progress {
        Progress { polls: self.polls.unready, ..self.exchange.progress() }
    }
}

impl<C: Call<Output: Report>> sealed::Machine for Poll<C> {
    fn received(mut self, received: Received, now: DateTime<Utc>) -> Step<Self> {
        let token = received.token.clone();
        let rested = match self.exchange.take(received, POLL_FLOOR, now) {
            Ok(Taken::Value(Tock::Complete(report), _, _)) => return Step::Done(Ok(report)),
            Ok(Taken::Value(Tock::Unready(status), hint, evidence)) => {
                let status = status.map(|status| without(status, token.as_ref()));
                self.rest(status, hint, evidence, now)
            }
            Ok(Taken::Again) => Ok(()),
            Err(error) => Err(error),
        };
        into_step(rested.and_then(|()| self.exchange.proceed(now)), self)
    }

    fn held(mut self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        let next = self.exchange.held(hold, now);
        into_step(next, self)
    }
}

impl<C: Call<Output: Report> + Serialize> Serialize for Poll<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let saved = Saved { exchange: &self.exchange, polls: &self.polls };
        FORMAT.seal(Some(self.exchange.operation()), &saved, serializer)
    }
}

impl<'de, C: Call<Output: Report> + Serialize + DeserializeOwned> Deserialize<'de> for Poll<C> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let operation = |saved: &Saved<Attempts<Tick<C>>, Polls>| Some(saved.exchange.operation());
        let Saved { exchange, polls } = FORMAT.unseal(operation, deserializer)?;
        Ok(Self { exchange, polls })
    }
}

/// A status as it is shown in progress and errors and saved with the poll: one that nobody knows is text of the server.
fn without(status: ReportStatus, token: Option<&Secret>) -> ReportStatus {
    match status {
        ReportStatus::Unknown(raw) => ReportStatus::Unknown(quoted(raw.into(), token.as_slice()).into()),
        known => known,
    }
}

/// Everything that a poll is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved<E, P> {
    exchange: E,
    polls: P,
}

/// One poll: the call itself, but an answer that is not complete is an answer too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tick<C>(pub(crate) C);

/// What one poll says.
pub(crate) enum Tock<T> {
    Complete(T),
    /// With its status, or none where it was a 202.
    Unready(Option<ReportStatus>),
}

#[warn(clippy::missing_trait_methods)]
impl<C: Call<Output: Report>> Call for Tick<C> {
    type Output = Tock<C::Output>;

    as_inner_call!(0, own accepts);

    fn parse(&self, response: &Response<Bytes>) -> Result<Self::Output, DecodeError> {
        if response.status() == StatusCode::ACCEPTED {
            return Ok(Tock::Unready(None));
        }
        let report = self.0.parse(response)?;
        match report.status() {
            Some(ReportStatus::Complete) => Ok(Tock::Complete(report)),
            Some(status) => Ok(Tock::Unready(Some(status.clone()))),
            // Rule 3: a body that does not say that it is complete is not taken for complete.
            None => Err(DecodeError::new("status", "the report has no status")),
        }
    }

    fn accepts(&self, status: StatusCode) -> bool {
        status == StatusCode::ACCEPTED || self.0.accepts(status)
    }
}

/// So many answers in a row with a status that is neither `InProgress` nor `Complete` end a poll.
const UNHEARD_OF_LIMIT: u32 = 3;
const FORMAT: Format = Format { name: "billing-core poll", version: 2 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TransportErrorKind;
    use crate::calls::BillableUsage;
    use crate::testing::{COMPLETE, IN_PROGRESS, lost, poll, reply, run, script};

    fn default() -> Poll<BillableUsage> {
        poll(Policy::default())
    }

    #[test]
    fn rule_1_and_4_every_poll_is_the_same_and_at_least_two_seconds_apart() {
        let mut replies = vec![reply(200, "", IN_PROGRESS); 30];
        replies.push(reply(200, "", COMPLETE));
        let run = script(default(), &replies);
        assert!(run.result.is_ok());
        let shape = |i: usize| {
            let http = run.sent[i].1.http();
            (http.method().clone(), http.uri().clone(), http.headers().clone(), http.body().clone())
        };
        assert!((1..31).all(|i| shape(i) == shape(0)));
        assert!(run.gaps().iter().all(|gap| (2000..=16_502).contains(gap)), "{:?}", run.gaps());
    }

    #[test]
    fn rule_4_faults_and_hints_do_not_make_it_hasty() {
        let replies = [
            reply(200, "retry-after: 0", IN_PROGRESS),
            reply(503, "retry-after: 0", ""),
            lost(TransportErrorKind::Reset),
            reply(200, "", "{"),
            reply(429, "retry-after: 0", ""),
            reply(202, "retry-after: 1", ""),
            reply(200, "", COMPLETE),
        ];
        let run = script(default(), &replies);
        assert!(run.result.is_ok());
        assert!(run.gaps().iter().all(|gap| *gap >= 2000), "{:?}", run.gaps());
    }

    #[test]
    fn rule_4_never_before_a_hint() {
        let replies = [reply(200, "retry-after: 40", IN_PROGRESS), reply(200, "", COMPLETE)];
        assert_eq!(script(default(), &replies).gaps(), [40_001]);
    }

    #[test]
    fn rule_3_only_complete_is_complete() {
        for body in ["{}", r#"{"status":null}"#, r#"{"usages":[]}"#, "null", r#"{"status":"complete"}"#] {
            let run = script(default(), &[reply(200, "", body)]);
            assert!(run.result.is_err(), "{body}");
        }
        let accepted = [reply(202, "", COMPLETE), reply(200, "", COMPLETE)];
        assert_eq!(script(default(), &accepted).sent.len(), 2);
    }

    #[test]
    fn a_status_that_nobody_knows_is_an_error_the_third_time_in_a_row() {
        let paused = reply(200, "", r#"{"status":"Paused"}"#);
        let run = script(default(), std::slice::from_ref(&paused));
        assert_eq!(run.error().kind(), &ErrorKind::UnknownStatus("Paused".into()));
        assert_eq!(run.sent.len(), 3);
        let progress = reply(200, "", IN_PROGRESS);
        let replies =
            [&paused, &paused, &progress, &paused, &paused, &reply(200, "", COMPLETE)].map(Clone::clone);
        assert!(script(default(), &replies).result.is_ok());
    }

    #[test]
    fn a_new_status_is_shown_while_it_is_polled_on() {
        let Step::Send(_, sent) = default().step(crate::testing::start()) else { panic!("a request") };
        let reply = reply(200, "", r#"{"status":"Paused"}"#);
        let Step::Wait(_, poll) = sent.receive(reply, crate::testing::start()) else { panic!("a wait") };
        assert_eq!(poll.progress().waiting, Waiting::Report(Some(ReportStatus::Unknown("Paused".into()))));
        assert_eq!((poll.progress().polls, poll.progress().requests), (1, 1));
    }

    #[test]
    fn a_new_status_that_is_long_is_not_saved_whole() {
        let Step::Send(_, sent) = default().step(crate::testing::start()) else { panic!("a request") };
        let reply = reply(200, "", &format!(r#"{{"status":"{}"}}"#, "P".repeat(1 << 20)));
        let Step::Wait(_, poll) = sent.receive(reply, crate::testing::start()) else { panic!("a wait") };
        assert!(serde_json::to_string(&poll).unwrap().len() < 5_000);
    }

    #[test]
    fn failures_are_counted_in_a_row_and_not_over_the_whole_life() {
        let mut n = 0;
        let run = run(default(), |_, _| {
            n += 1;
            match n {
                60.. => reply(200, "", COMPLETE),
                n if n % 6 == 0 => reply(200, "", IN_PROGRESS),
                _ => reply(502, "", ""),
            }
        });
        assert!(run.result.is_ok(), "{:?}", run.result);
    }

    #[test]
    fn rule_5_the_deadline_bounds_the_requests() {
        let hasty = Policy {
            polls: crate::PollSchedule { most: Duration::ZERO, ..Default::default() },
            ..Policy::default()
        };
        let run = script(poll(hasty), &[reply(200, "", IN_PROGRESS)]);
        assert!(matches!(run.error().kind(), ErrorKind::Deadline(_)));
        assert!(run.sent.len() <= 451 && run.ended <= 900_000);
    }

    #[test]
    fn rule_11_a_deadline_while_the_report_is_made_names_the_last_exchange() {
        let policy = Policy { overall: Duration::from_secs(5), ..Policy::default() };
        let run = script(poll(policy), &[reply(200, "inin-correlation-id: c-1", IN_PROGRESS)]);
        assert!(matches!(run.error().kind(), ErrorKind::Deadline(_)));
        assert_eq!(run.error().correlation_id(), Some("c-1"));
        assert_eq!(run.error().body_start(), None, "what was accepted is no evidence of a failure");
    }

    #[test]
    fn a_report_that_goes_back_to_in_progress_is_polled_on() {
        let replies = [
            reply(200, "", IN_PROGRESS),
            reply(202, "", ""),
            reply(200, "", IN_PROGRESS),
            reply(200, "", COMPLETE),
        ];
        assert_eq!(script(default(), &replies).sent.len(), 4);
    }

    #[test]
    fn a_restored_poll_does_what_the_original_would() {
        let mut replies = vec![reply(200, "", IN_PROGRESS), reply(500, "", ""), reply(200, "", IN_PROGRESS)];
        replies.extend(vec![reply(200, "", IN_PROGRESS); 5]);
        replies.push(reply(200, "", COMPLETE));
        let mut now = crate::testing::start();
        let mut machines = [default(), default()];
        for reply in replies {
            let sent = machines.map(|machine| match machine.step(now) {
                Step::Send(request, sent) => (format!("{:?}", request.http()), sent),
                other => panic!("a request, not {other:?}"),
            });
            assert_eq!(sent[0].0, sent[1].0);
            let [a, b] = sent.map(|(_, sent)| sent.receive(reply.clone(), now));
            match (a, b) {
                (Step::Wait(t, a), Step::Wait(u, b)) => {
                    assert_eq!(t, u);
                    let saved = serde_json::to_string(&b).unwrap();
                    machines = [a, serde_json::from_str(&saved).unwrap()];
                    now = t;
                }
                (Step::Done(Ok(_)), Step::Done(Ok(_))) => return,
                other => panic!("{other:?}"),
            }
        }
        panic!("no end");
    }

    #[test]
    fn a_poll_says_what_it_asks_for_and_where() {
        let poll = default();
        assert_eq!(poll.api(), crate::Environment::default().api());
        assert_eq!(
            poll.call(),
            &BillableUsage::new(crate::Period::from_user("2026-10-01", "2026-11-01").unwrap())
        );
    }

    #[test]
    fn a_restored_poll_that_is_given_less_time_than_it_waits_for_ends_at_once() {
        let now = crate::testing::start();
        let Step::Send(_, sent) = default().step(now) else { panic!("a request") };
        let reply = reply(200, "retry-after: 60", IN_PROGRESS);
        let Step::Wait(until, parked) = sent.receive(reply, now) else { panic!("a wait") };
        let left = |overall| Policy { overall, ..Policy::default() };
        let short = parked.clone().with_policy(left(crate::timestamp::between(now, until))).step(now);
        let Step::Done(Err(error)) = short else { panic!("an end, not {short:?}") };
        assert_eq!(error.kind(), &ErrorKind::Deadline(until));
        let enough = crate::timestamp::between(now, until) + Duration::from_millis(1);
        assert!(matches!(parked.with_policy(left(enough)).step(now), Step::Wait(at, _) if at == until));
    }

    #[test]
    fn a_restored_poll_can_be_given_more_time() {
        let run = |policy| script(poll(policy), &[reply(200, "", IN_PROGRESS)]);
        let short = Policy { overall: Duration::from_secs(5), ..Policy::default() };
        assert!(run(short.clone()).ended < 5000);
        let Step::Send(_, sent) = poll(short).step(crate::testing::start()) else { panic!("a request") };
        let later = crate::testing::start() + chrono::TimeDelta::seconds(1);
        let Step::Wait(_, parked) = sent.receive(reply(200, "", IN_PROGRESS), later) else {
            panic!("a wait")
        };
        let tomorrow = later + chrono::TimeDelta::days(1);
        assert!(matches!(parked.clone().step(tomorrow), Step::Done(Err(_))));
        let policy = Policy { max_body: 7, ..Policy::default() };
        let Step::Send(request, _) = parked.with_policy(policy).step(tomorrow) else { panic!("a request") };
        assert_eq!(request.max_body(), 7, "and whatever else the other policy says");
    }
}
