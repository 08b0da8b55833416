//! Adaptive polling: a poll on a schedule learned from earlier reports, which also returns the timing of its
//! own report.
//!
//! ```
//! use billing_core::calls::BillableUsageCall;
//! use billing_core::poll::{PollTimings, Timed};
//! use billing_core::{Environment, Machine, Period, Policy, Poll, Step};
//! use chrono::{DateTime, TimeDelta, Utc};
//!
//! // The history of earlier runs; empty at first.
//! let mut timings = PollTimings::default();
//!
//! let october = BillableUsageCall::new(Period::from_user("2026-10-01", "2026-11-01")?);
//! let poll = Poll::new(october, Environment::default().api().clone(), Policy::default());
//!
//! let now: DateTime<Utc> = "2026-11-02T09:00:00Z".parse()?;
//! let Step::Send(_, sent) = poll.adaptive(&timings).step(now) else { panic!("a request") };
//! let in_progress = http::Response::new(r#"{"status":"InProgress"}"#.into());
//! let Step::Wait(until, poll) = sent.receive(Ok(in_progress), now) else { panic!("a wait") };
//! assert!(poll.progress().explain().ends_with("by the usual schedule"));
//!
//! let Step::Send(_, sent) = poll.step(until) else { panic!("a request") };
//! let complete = http::Response::new(r#"{"status":"Complete","usages":[]}"#.into());
//! let Step::Done(Ok(Timed { report, timing })) = sent.receive(Ok(complete), until) else {
//!     panic!("a report")
//! };
//! assert!(report.usages().is_empty());
//!
//! // The report was completed between the two responses; the next poll uses this.
//! timings.extend(timing);
//! let timing = timings.iter().next().expect("the timing just added");
//! assert_eq!((TimeDelta::from_std(timing.pending_age())?, TimeDelta::from_std(timing.complete_age())?), (TimeDelta::zero(), until - now));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An operation that ends without a report gives no timing.

use chrono::{DateTime, Utc};

use crate::calls::Call;
use crate::machine::{Hold, ReceivedReply, Sent, sealed};
use crate::poll::{PollTiming, Report};
use crate::{Machine, Poll, Progress, Step};

/// A [`Poll`] that returns the timing of its report; from [`Poll::adaptive`]. It sends the same requests as
/// the poll, with the same bound.
#[derive(Clone, Debug)]
#[must_use = "a machine does nothing unless it is stepped"]
pub struct AdaptivePoll<C>(Poll<C>);

/// A report with its timing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed<T> {
    /// The report.
    pub report: T,
    /// The timing, for [`PollTimings`](crate::poll::PollTimings). `None` if the first response was complete,
    /// because then the time of completion is unknown.
    pub timing: Option<PollTiming>,
}

impl<C: Call<Output: Report>> AdaptivePoll<C> {
    /// Returns the poll, to save it. Convert a restored poll with [`From`] to continue it; it keeps its
    /// learned schedule.
    pub fn poll(&self) -> &Poll<C> {
        &self.0
    }

    /// Converts a step of the poll. If it is the last one, `completion` is the timing.
    fn wrap_step(step: Step<Poll<C>>, completion: Option<PollTiming>) -> Step<Self> {
        match step {
            Step::Send(request, sent) => Step::Send(request, Sent::new(Self(sent.into_unsent()))),
            Step::Wait(until, poll) => Step::Wait(until, Self(poll)),
            Step::Done(result) => Step::Done(result.map(|report| Timed { report, timing: completion })),
        }
    }
}

impl<C> From<Poll<C>> for AdaptivePoll<C> {
    fn from(poll: Poll<C>) -> Self {
        Self(poll)
    }
}

impl<C: Call<Output: Report>> Machine for AdaptivePoll<C> {
    type Output = Timed<C::Output>;

    fn step(self, now: DateTime<Utc>) -> Step<Self> {
        Self::wrap_step(self.0.step(now), None)
    }

    fn progress(&self) -> Progress {
        self.0.progress()
    }
}

impl<C: Call<Output: Report>> sealed::MachineInternals for AdaptivePoll<C> {
    fn on_reply(self, received: ReceivedReply, now: DateTime<Utc>) -> Step<Self> {
        let completion = self.0.timing(now);
        Self::wrap_step(self.0.on_reply(received, now), completion)
    }

    fn on_hold(self, hold: Hold, now: DateTime<Utc>) -> Step<Self> {
        Self::wrap_step(self.0.on_hold(hold, now), None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::calls::BillableUsageCall;
    use crate::machine::WakeReason;
    use crate::poll::{PollSchedule, PollTimings};
    use crate::testing::{COMPLETE, IN_PROGRESS, poll, reply, run_script, start_time};
    use crate::values::clock::saturating_add;
    use crate::{ErrorKind, Policy};

    fn history() -> PollTimings {
        let mut history = PollTimings::default();
        for hour in 0..20 {
            let at = saturating_add(start_time(), Duration::from_secs(3600 * hour));
            history.extend(PollTiming::new(at, Duration::from_secs(40), Duration::from_secs(43)));
        }
        history
    }

    #[test]
    fn adaptive_poll_uses_its_schedule_and_reports_the_timing() {
        let slow = [reply(200, "", IN_PROGRESS), reply(202, "", ""), reply(200, "", COMPLETE)];
        let run = run_script(poll(Policy::default()).adaptive(&history()), &slow);
        let observed = run.result.unwrap();
        let completion = observed.timing.unwrap();
        let millis = |n: usize| Duration::from_millis(u64::try_from(run.sent_requests[n].0).unwrap() + 1);
        assert_eq!((completion.pending_age(), completion.complete_age()), (millis(1), millis(2)));
        assert_eq!(completion.observed_at(), saturating_add(start_time(), millis(2)));
        let usual = run_script(poll(Policy::default()), &slow);
        assert!(
            run.sent_requests[1].0 > 2 * usual.sent_requests[1].0,
            "{:?} {:?}",
            run.sent_requests[1].0,
            usual.sent_requests[1].0
        );
        assert_eq!(run.sent_requests[2].1.http().uri(), usual.sent_requests[2].1.http().uri());
    }

    #[test]
    fn report_complete_at_first_answer_gives_no_timing() {
        let run = run_script(poll(Policy::default()).adaptive(&history()), &[reply(200, "", COMPLETE)]);
        assert_eq!(run.result.unwrap().timing, None);
        // A report gives no timing either if the responses before it were lost.
        let late = [reply(503, "", ""), reply(200, "", "{"), reply(200, "", COMPLETE)];
        let run = run_script(poll(Policy::default()).adaptive(&history()), &late);
        assert_eq!(run.result.unwrap().timing, None);
    }

    #[test]
    fn failure_between_polls_widens_the_timing_interval() {
        let replies =
            [reply(200, "", IN_PROGRESS), reply(503, "", ""), reply(429, "", ""), reply(200, "", COMPLETE)];
        let run = run_script(poll(Policy::default()).adaptive(&history()), &replies);
        let completion = run.result.unwrap().timing.unwrap();
        assert_eq!(completion.pending_age(), Duration::from_millis(1));
        assert_eq!(completion.complete_age().as_millis(), run.end_millis);
    }

    #[test]
    fn d08_saved_and_restored_it_does_what_it_would_have_done() {
        let mut now = start_time();
        let mut machines = [0, 1].map(|_| poll(Policy::default()).adaptive(&history()));
        for n in 0..12 {
            let sent = machines.map(|machine| match machine.step(now) {
                Step::Send(_, sent) => sent,
                other => panic!("a request, not {other:?}"),
            });
            now = saturating_add(now, Duration::from_nanos(1_234_567));
            let answer = reply(200, "", if n < 11 { IN_PROGRESS } else { COMPLETE });
            let [a, b] = sent.map(|sent| sent.receive(answer.clone(), now));
            match (a, b) {
                (Step::Wait(t, a), Step::Wait(u, b)) => {
                    assert_eq!((t, a.progress()), (u, b.progress()));
                    let saved = serde_json::to_string(b.poll()).unwrap();
                    assert!(saved.len() < 2500, "{}", saved.len());
                    let restored: Poll<BillableUsageCall> = serde_json::from_str(&saved).unwrap();
                    (machines, now) = ([a, restored.into()], t);
                }
                (Step::Done(Ok(a)), Step::Done(Ok(b))) => {
                    assert!(a.timing.is_some());
                    return assert_eq!(a.timing, b.timing);
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("no end");
    }

    #[test]
    fn adaptive_poll_explains_its_wake_reason() {
        let explained = |policy: Policy, headers: &str, status: u16| {
            let Step::Send(_, sent) = poll(policy).adaptive(&history()).step(start_time()) else {
                panic!("a request")
            };
            let body = if status == 200 { IN_PROGRESS } else { "" };
            let Step::Wait(_, machine) = sent.receive(reply(status, headers, body), start_time()) else {
                panic!("a wait")
            };
            let progress = machine.progress();
            (progress.wake_reason, progress.explain())
        };
        let hurried = Policy { timeout: Duration::from_secs(5), ..Policy::default() };
        for (policy, headers, status, timing, words) in [
            (
                Policy::default(),
                "",
                200,
                WakeReason::Adaptive { reports: 20 },
                "as learned from 20 reports before",
            ),
            (
                Policy::default(),
                "retry-after: 60",
                200,
                WakeReason::ServerHint,
                "because the server asks for it",
            ),
            (hurried, "", 200, WakeReason::ScheduleForDeadline, "would miss the deadline"),
            (Policy::default(), "", 503, WakeReason::Backoff, "grows with each failure"),
            (
                Policy::default(),
                "retry-after: 60",
                429,
                WakeReason::ServerHint,
                "because the server asks for it",
            ),
        ] {
            let (said, sentence) = explained(policy, headers, status);
            assert_eq!(said, timing);
            assert!(sentence.contains("; again at 07:3") && sentence.contains(words), "{sentence}");
        }
        let Step::Send(_, sent) = poll(Policy::default()).step(start_time()) else { panic!("a request") };
        assert_eq!(sent.progress().explain(), "about to start");
    }

    #[test]
    fn d05_the_bound_of_a_poll_holds_whatever_was_learned() {
        let learned = serde_json::from_str(r#"{"report_count":1,"poll_ages":[0,0,0]}"#).unwrap();
        let polls = PollSchedule { adaptive: Some(learned), max_wait: Duration::ZERO, ..Default::default() };
        let policy = Policy { poll: polls, ..Policy::default() };
        let run = run_script(AdaptivePoll::from(poll(policy)), &[reply(200, "", IN_PROGRESS)]);
        assert!(matches!(run.error().kind(), ErrorKind::DeadlineExceeded(_)));
        assert!(run.sent_requests.len() <= 451 && run.end_millis <= 900_000);
    }
}
