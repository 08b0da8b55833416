//! Fuzz targets for stored poll timings and the schedules that are learned from them.

use std::time::Duration;

use billing_core::calls::BillableUsageCall;
use billing_core::poll::{AdaptiveSchedule, PollSchedule, PollTiming, PollTimings};
use billing_core::{Environment, ErrorKind, Machine, Policy, Poll, Step};
use chrono::{DateTime, TimeDelta, Utc};
use http::Response;

use super::period;

/// Whatever stands in the file in which a program keeps how long reports took: it is refused, or it is a history that is
/// small, written as it was read, and the same however often and in whatever order it is merged. Whatever was learned, or is
/// said to have been: polls are 2 s apart at least and two minutes at most, and end by the deadline.
///
/// The first byte says what the rest is: the file, the learned schedule as a saved poll has it, or numbers, of which three make
/// a report: how many seconds later than the one before, from when and until when it may have been complete.
pub fn learned(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    match which % 3 {
        0 => {
            let Ok(seen) = serde_json::from_slice::<PollTimings>(rest) else { return };
            keeps(&seen);
            polls(PollSchedule::default().adapted_to(&seen));
        }
        1 => {
            let Ok(learned) = serde_json::from_slice::<AdaptiveSchedule>(rest) else { return };
            polls(PollSchedule { adaptive: Some(learned), ..PollSchedule::default() });
        }
        _ => {
            let mut seen = PollTimings::default();
            let mut at = now();
            let (three, _) = rest.as_chunks::<9>();
            for [a, b, c, d, e, f, g, h, i] in three {
                let number = |high, middle, low| u32::from_be_bytes([0, high, middle, low]);
                at += TimeDelta::seconds(number(*a, *b, *c).into());
                let [after, by] = [number(*d, *e, *f), number(*g, *h, *i)];
                let [after, by] = [after, by].map(|millis| Duration::from_millis(millis.into()));
                seen.extend(PollTiming::new(at, after, by));
            }
            keeps(&seen);
            let hasty =
                PollSchedule { min_wait: Duration::ZERO, jitter_permille: 1_000, ..PollSchedule::default() };
            polls(hasty.adapted_to(&seen));
        }
    }
}

fn keeps(seen: &PollTimings) {
    assert!(seen.len() <= PollTimings::MAX_TIMINGS);
    assert!(seen.iter().all(|completion| completion.pending_age() < completion.complete_age()));
    let saved = serde_json::to_string(seen).expect("a history can be saved");
    assert_eq!(&serde_json::from_str::<PollTimings>(&saved).expect("and restored"), seen);
    // Each by itself, from the newest to the oldest and back.
    let mut merged = PollTimings::default();
    for completion in seen.iter().rev().chain(seen) {
        let mut one = PollTimings::default();
        one.add(*completion);
        merged.merge(&one);
    }
    assert_eq!(&merged, seen);
}

fn polls(schedule: PollSchedule) {
    let policy = Policy { poll: schedule, seed: 7, ..Policy::default() };
    let deadline = now() + TimeDelta::from_std(policy.timeout).expect("a quarter of an hour");
    let mut now = now();
    let mut poll = Poll::new(BillableUsageCall::new(period()), Environment::default().api().clone(), policy);
    loop {
        let Step::Send(_, sent) = poll.step(now) else { panic!("a request") };
        poll = match sent.receive(Ok(Response::new(r#"{"status":"InProgress"}"#.into())), now) {
            Step::Wait(until, poll) => {
                let wait = until - now;
                assert!((TimeDelta::seconds(2)..=TimeDelta::seconds(120)).contains(&wait), "{wait}");
                assert!(until < deadline);
                now = until;
                poll
            }
            Step::Done(Err(error)) => {
                assert!(matches!(error.kind(), ErrorKind::DeadlineExceeded(_)), "{error}");
                return assert!(deadline - now <= TimeDelta::seconds(120), "given up early");
            }
            other => panic!("a wait or the end, not {other:?}"),
        };
    }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}
