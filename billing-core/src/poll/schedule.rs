//! The poll schedule: the wait before each poll of a report.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::machine::jitter::{draw, saturating_millis};
use crate::machine::progress::WakeReason;
use crate::poll::{AdaptiveSchedule, PollTimings};
use crate::values::clock::millis;

/// A schedule of polls. The wait after a response is `clamp(growth·√age, min_wait, max_wait)`, where the age
/// counts from the first request, varied by the jitter.
///
/// The square root keeps the lag in proportion to the time already waited, without frequent polls: every 5 s
/// after 10 s, every 15 s after 100 s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollSchedule {
    /// The factor on √age, in thousandths. 1500.
    pub growth_permille: u32,
    /// The shortest wait. 2 s. A smaller value counts as 2 s, the minimum by rule D4.
    #[serde(with = "millis")]
    pub min_wait: Duration,
    /// The longest wait. 15 s.
    #[serde(with = "millis")]
    pub max_wait: Duration,
    /// The largest jitter in either direction, in thousandths of the wait. 100.
    pub jitter_permille: u32,
    /// The learned schedule; `None` by default. The configured schedule applies to ages beyond it, and where
    /// it would miss the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<AdaptiveSchedule>,
}

impl Default for PollSchedule {
    fn default() -> Self {
        Self {
            growth_permille: 1500,
            min_wait: MIN_POLL_INTERVAL,
            max_wait: Duration::from_secs(15),
            jitter_permille: 100,
            adaptive: None,
        }
    }
}

impl PollSchedule {
    /// Returns the schedule with a learned part from `completions`, or without one if there are none.
    ///
    /// Learned waits are at least [`PollSchedule::min_wait`] (and 2 s, by rule D4) and at most twice the age
    /// of the report, but this limit is never below 15 s nor above [`AdaptiveSchedule::MAX_WAIT`].
    /// [`PollSchedule::max_wait`] does not limit them. Their jitter is at most 1 s. Learning takes about 1
    /// ms, so do it once for each operation.
    #[must_use = "the schedule is not changed in place"]
    pub fn adapted_to(&self, completions: &PollTimings) -> Self {
        Self {
            adaptive: AdaptiveSchedule::learn(completions, |age| self.base_wait(age), self.min_wait),
            ..self.clone()
        }
    }

    /// Returns the wait after the `n`th response to a poll that began `age` ago, with `left` until the
    /// deadline.
    pub(crate) fn next_wait(
        &self,
        age: Duration,
        left: Duration,
        seed: u64,
        n: u32,
    ) -> (Duration, WakeReason) {
        let usual = (self.base_wait(age), Duration::MAX);
        let learned = self.adaptive.as_ref().and_then(|learned| {
            let wait = learned.next_wait(age)?.max(self.min_wait).max(MIN_POLL_INTERVAL);
            Some(((wait, AdaptiveSchedule::MAX_JITTER), learned.report_count()))
        });
        let ((wait, most_spread), timing) = match learned {
            // A learned poll that is due after the deadline is never sent, so the configured schedule
            // applies.
            Some((learned, _))
                if learned.0.saturating_add(AdaptiveSchedule::MAX_JITTER) >= left && usual.0 < learned.0 =>
            {
                (usual, WakeReason::ScheduleForDeadline)
            }
            Some((learned, reports)) => (learned, WakeReason::Adaptive { reports }),
            None => (usual, WakeReason::Schedule),
        };
        let spread = wait.as_millis() * u128::from(self.jitter_permille.min(1000)) / 1000;
        let spread = spread.min(most_spread.as_millis());
        let low = wait.as_millis().saturating_sub(spread);
        (saturating_millis(low + draw(seed, n, spread * 2)).max(MIN_POLL_INTERVAL), timing)
    }

    /// Returns the configured wait at this age, without jitter.
    fn base_wait(&self, age: Duration) -> Duration {
        // √ms · √1000 = √(ms·1000) milliseconds per √second: integers all the way, so that every platform agrees.
        let root = age.as_millis().saturating_mul(1000).isqrt();
        let wait = saturating_millis(root.saturating_mul(self.growth_permille.into()) / 1000);
        wait.min(self.max_wait).max(self.min_wait)
    }
}

/// The shortest time between polls, whatever a header or a configuration says (rule D4).
pub(crate) const MIN_POLL_INTERVAL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn waited(schedule: &PollSchedule, age: u64, seed: u64, n: u32) -> Duration {
        schedule.next_wait(seconds(age), Duration::MAX, seed, n).0
    }

    #[test]
    fn polls_follow_the_root_of_the_age() {
        let even = PollSchedule { jitter_permille: 0, ..PollSchedule::default() };
        for (age, wait) in [(0, 2000), (1, 2000), (4, 3000), (16, 6000), (100, 15000), (900, 15000)] {
            assert_eq!(waited(&even, age, 7, 0).as_millis(), wait, "age {age}");
        }
    }

    #[test]
    fn d04_no_configuration_goes_below_the_floor() {
        let hasty = PollSchedule {
            growth_permille: 0,
            min_wait: seconds(0),
            max_wait: seconds(0),
            jitter_permille: 5000,
            adaptive: None,
        };
        for n in 0..1000 {
            assert!(waited(&hasty, 0, 1, n) >= seconds(2));
            assert!(waited(&PollSchedule::default(), 0, 1, n) >= seconds(2));
        }
    }

    #[test]
    fn jitter_fills_its_range_and_depends_on_the_seed_alone() {
        let schedule = PollSchedule::default();
        let waits: Vec<_> = (0..1000).map(|n| waited(&schedule, 16, 3, n).as_millis()).collect();
        assert!(waits.iter().all(|w| (5400..=6600).contains(w)));
        assert!(waits.iter().any(|w| *w < 5500) && waits.iter().any(|w| *w > 6500));
        assert_eq!(waits[5], waited(&schedule, 16, 3, 5).as_millis());
        assert_ne!(waits[5], waited(&schedule, 16, 4, 5).as_millis());
    }

    #[test]
    fn d04_a_learned_wait_has_its_bounds_whatever_was_learned() {
        let hostile = [
            r#"{"report_count":4294967295,"poll_ages":[]}"#,
            r#"{"report_count":0,"poll_ages":[0,0,1,2,3]}"#,
            r#"{"report_count":1,"poll_ages":[4294967295,0]}"#,
            r#"{"report_count":7,"poll_ages":[1,1500,1501,2999,3000,400000]}"#,
        ];
        for learned in hostile {
            let learned = Some(serde_json::from_str(learned).unwrap());
            for (least, jitter_permille) in [(0, 100), (2, 100), (2, 5000), (30, 100), (300, 1000)] {
                let least = seconds(least);
                let schedule = PollSchedule {
                    adaptive: learned.clone(),
                    min_wait: least,
                    jitter_permille,
                    ..Default::default()
                };
                for n in 0..2000 {
                    let wait =
                        schedule.next_wait(Duration::from_millis(u64::from(n) * 500), Duration::MAX, 3, n).0;
                    assert!(wait >= MIN_POLL_INTERVAL, "{wait:?}");
                    assert!(wait <= AdaptiveSchedule::MAX_WAIT.max(least.saturating_mul(2)), "{wait:?}");
                }
            }
        }
    }

    #[test]
    fn adaptive_wait_past_the_deadline_falls_back_to_the_schedule() {
        let learned = Some(serde_json::from_str(r#"{"report_count":9,"poll_ages":[2000,60000]}"#).unwrap());
        let schedule = PollSchedule { adaptive: learned, jitter_permille: 0, ..Default::default() };
        for (age, left, wait, timing) in [
            (0, 900, 2, WakeReason::Adaptive { reports: 9 }),
            (4, 896, 56, WakeReason::Adaptive { reports: 9 }),
            (4, 58, 56, WakeReason::Adaptive { reports: 9 }),
            (4, 57, 3, WakeReason::ScheduleForDeadline),
            (4, 1, 3, WakeReason::ScheduleForDeadline),
            // Both schedules are past the deadline.
            (58, 1, 2, WakeReason::Adaptive { reports: 9 }),
            (60, 840, 11, WakeReason::Schedule),
        ] {
            let (waited, said) = schedule.next_wait(seconds(age), seconds(left), 1, 0);
            assert_eq!((waited.as_secs(), said), (wait, timing), "at {age} s with {left} s left");
        }
    }

    #[test]
    fn the_jitter_of_a_learned_wait_is_a_second_at_most() {
        let learned = Some(serde_json::from_str(r#"{"report_count":9,"poll_ages":[7000,100000]}"#).unwrap());
        let schedule = PollSchedule { adaptive: learned, ..Default::default() };
        for (age, low, high) in [(2, 4500, 5500), (10, 89_000, 91_000)] {
            let waits: Vec<_> = (0..1000).map(|n| waited(&schedule, age, 3, n).as_millis()).collect();
            assert!(waits.iter().all(|w| (low..=high).contains(w)), "{age}");
            assert!(waits.iter().any(|w| *w < low + 50) && waits.iter().any(|w| *w > high - 50), "{age}");
        }
    }
}
