//! Policies: how long, how often and how much, all configurable, all with the bounds that rules 4 and 5 need.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::progress::Timing;
use crate::timestamp::{after, between, millis};
use crate::{Completions, Learned};

/// How an operation waits, repeats and gives up. [`Policy::default`] is made for Genesys Cloud; change what you must.
///
/// ```
/// use billing_core::Policy;
/// use std::time::Duration;
/// let patient = Policy { overall: Duration::from_secs(3600), ..Policy::default() };
/// # assert_eq!(patient.retries.limit, 5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How long the operation may take in all, from its first step. 15 minutes.
    #[serde(with = "millis")]
    pub overall: Duration,
    /// A deadline on the clock beside [`Policy::overall`]; the earlier one holds. For a command that must end as a whole.
    pub deadline: Option<DateTime<Utc>>,
    /// How long one attempt may take, from connecting to the last byte; `None` for the operation's own bound
    /// (30 s, for the overview 60 s, for a document 120 s).
    pub attempt: Option<Duration>,
    /// How large a body may be after decompression, in bytes. 64 MiB. What is made of one fills at most eight times as much
    /// memory and 32 MiB, whatever the server puts into it; a [`PackedReport`](crate::model::PackedReport) next to nothing.
    pub max_body: usize,
    /// When to ask again for a report that is still being made.
    pub polls: PollSchedule,
    /// When to try again after a failure that usually passes.
    pub retries: RetrySchedule,
    /// How often in a row an answer that cannot be read is asked for again. 2.
    pub unreadable: u32,
    /// The longest wait on behalf of the server that an operation sits through; a longer one ends it with
    /// [`ErrorKind::Deferred`](crate::ErrorKind::Deferred). 120 s.
    #[serde(with = "millis")]
    pub patience: Duration,
    /// The seed of the jitter. The same seed and the same answers give the same requests at the same times, so drivers
    /// draw one for each operation.
    pub seed: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            overall: Duration::from_secs(15 * 60),
            deadline: None,
            attempt: None,
            max_body: 64 << 20,
            polls: PollSchedule::default(),
            retries: RetrySchedule::default(),
            unreadable: 2,
            patience: Duration::from_secs(120),
            seed: 0,
        }
    }
}

impl Policy {
    /// When an operation that begins at `now` gives up.
    pub(crate) fn deadline_from(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let overall = after(now, self.overall);
        self.deadline.map_or(overall, |deadline| deadline.min(overall))
    }
}

/// When the next poll of a report is due: `clamp(growth·√age, least, most)` after an answer, where the age counts from
/// the first request, varied by the jitter.
///
/// The square root keeps the lag in proportion to what was waited for already without asking often: after 10 s every
/// 5 s, after 100 s every 15 s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollSchedule {
    /// The factor on √age, in thousandths. 1500.
    pub growth_permille: u32,
    /// The shortest wait; less than 2 s counts as 2 s, which rule 4 makes the floor. 2 s.
    #[serde(with = "millis")]
    pub least: Duration,
    /// The longest wait. 15 s.
    #[serde(with = "millis")]
    pub most: Duration,
    /// The jitter, in thousandths of the wait to either side. 100.
    pub jitter_permille: u32,
    /// What it has learned; nothing at first. Past the ages that this covers, and where it would miss the deadline, the rest
    /// of the schedule holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<Learned>,
}

impl Default for PollSchedule {
    fn default() -> Self {
        Self {
            growth_permille: 1500,
            least: POLL_FLOOR,
            most: Duration::from_secs(15),
            jitter_permille: 100,
            learned: None,
        }
    }
}

impl PollSchedule {
    /// The same schedule with what `completions` teach; it is the schedule as it was where there are none.
    ///
    /// Learned waits are [`PollSchedule::least`] (and 2 s, by rule 4) at least, and at most twice the age of the report:
    /// between 15 s and [`Learned::MOST`]. [`PollSchedule::most`] does not bound them. Their jitter is a second at most. To
    /// learn takes about a millisecond, so do it once for an operation.
    #[must_use = "the schedule is not changed in place"]
    pub fn learned(&self, completions: &Completions) -> Self {
        Self { learned: Learned::from(completions, |age| self.usual(age), self.least), ..self.clone() }
    }

    /// How long to wait after the `n`th answer to a poll that began `age` ago, with `left` until the deadline.
    pub(crate) fn wait(&self, age: Duration, left: Duration, seed: u64, n: u32) -> (Duration, Timing) {
        let usual = (self.usual(age), Duration::MAX);
        let learned = self.learned.as_ref().and_then(|learned| {
            let wait = learned.wait(age)?.max(self.least).max(POLL_FLOOR);
            Some(((wait, Learned::JITTER), learned.reports()))
        });
        let ((wait, most_spread), timing) = match learned {
            // One that is due too late to be sent at all is no use, however well it is learned.
            Some((learned, _))
                if learned.0.saturating_add(Learned::JITTER) >= left && usual.0 < learned.0 =>
            {
                (usual, Timing::Deadline)
            }
            Some((learned, reports)) => (learned, Timing::Learned { reports }),
            None => (usual, Timing::Schedule),
        };
        let spread = wait.as_millis() * u128::from(self.jitter_permille.min(1000)) / 1000;
        let spread = spread.min(most_spread.as_millis());
        let low = wait.as_millis().saturating_sub(spread);
        (saturating_millis(low + draw(seed, n, spread * 2)).max(POLL_FLOOR), timing)
    }

    /// How long to wait at that age if nothing is learned, without jitter.
    fn usual(&self, age: Duration) -> Duration {
        // √ms · √1000 = √(ms·1000) milliseconds per √second: integers all the way, so that every platform agrees.
        let root = age.as_millis().saturating_mul(1000).isqrt();
        let wait = saturating_millis(root.saturating_mul(self.growth_permille.into()) / 1000);
        wait.min(self.most).max(self.least)
    }
}

/// When to try again after the `k`th transient failure in a row: at random between nothing and
/// `min(most, first·factor^k)`, the "full jitter" that spreads many clients best.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrySchedule {
    /// The bound of the first wait. 0.5 s.
    #[serde(with = "millis")]
    pub first: Duration,
    /// How much the bound grows from one failure to the next. 2.
    pub factor: u32,
    /// The bound that is never passed. 20 s.
    #[serde(with = "millis")]
    pub most: Duration,
    /// How many failures in a row are repeated. 5.
    pub limit: u32,
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), factor: 2, most: Duration::from_secs(20), limit: 5 }
    }
}

impl RetrySchedule {
    /// How long to wait after failure `k` in a row, counted from 0. `n` is the number of the request, so that equal
    /// failures of one operation do not wait equally long.
    pub(crate) fn wait(&self, k: u32, seed: u64, n: u32) -> Duration {
        let bound = self.first.saturating_mul(self.factor.saturating_pow(k)).min(self.most);
        saturating_millis(draw(seed, n, bound.as_millis()))
    }
}

/// The wait after 429 number `k` in a row, counted from 0, that came without any header: `min(60 s, 5 s × 2^k)`.
pub(crate) fn unhinted_throttle(k: u32) -> Duration {
    Duration::from_secs(5).saturating_mul(2_u32.saturating_pow(k)).min(Duration::from_secs(60))
}

/// What the server asks for in `Retry-After`: seconds, or a date, which is read against the response's own `Date` so
/// that a wrong clock on either side does not matter.
pub(crate) fn retry_after(headers: &http::HeaderMap, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        // Too many digits for a number is a very long time, not no hint.
        return Some(after(now, Duration::from_secs(text.parse().unwrap_or(u64::MAX))));
    }
    let date = http_date(text)?;
    let server_now = headers.get(http::header::DATE).and_then(|v| http_date(v.to_str().ok()?)).unwrap_or(now);
    Some(after(now, between(server_now, date)))
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    httpdate::parse_http_date(text.trim()).ok().map(DateTime::from)
}

/// A number from 0 to `bound` that depends on `seed` and `n` alone.
pub(crate) fn draw(seed: u64, n: u32, bound: u128) -> u128 {
    // SplitMix64's finalizer: every bit of the input moves half of the bits of the output.
    let mut z = seed.wrapping_add(u64::from(n).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (u128::from(z) * (bound.min(u128::from(u64::MAX)) + 1)) >> 64
}

fn saturating_millis(millis: u128) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// Rule 4: between polls at least this, whatever a header or a configuration says.
pub(crate) const POLL_FLOOR: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn waited(schedule: &PollSchedule, age: u64, seed: u64, n: u32) -> Duration {
        schedule.wait(seconds(age), Duration::MAX, seed, n).0
    }

    #[test]
    fn polls_follow_the_root_of_the_age() {
        let even = PollSchedule { jitter_permille: 0, ..PollSchedule::default() };
        for (age, wait) in [(0, 2000), (1, 2000), (4, 3000), (16, 6000), (100, 15000), (900, 15000)] {
            assert_eq!(waited(&even, age, 7, 0).as_millis(), wait, "age {age}");
        }
    }

    #[test]
    fn rule_4_no_configuration_goes_below_the_floor() {
        let hasty = PollSchedule {
            growth_permille: 0,
            least: seconds(0),
            most: seconds(0),
            jitter_permille: 5000,
            learned: None,
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
    fn rule_4_a_learned_wait_has_its_bounds_whatever_was_learned() {
        let hostile = [
            r#"{"reports":4294967295,"ages":[]}"#,
            r#"{"reports":0,"ages":[0,0,1,2,3]}"#,
            r#"{"reports":1,"ages":[4294967295,0]}"#,
            r#"{"reports":7,"ages":[1,1500,1501,2999,3000,400000]}"#,
        ];
        for learned in hostile {
            let learned = Some(serde_json::from_str(learned).unwrap());
            for (least, jitter_permille) in [(0, 100), (2, 100), (2, 5000), (30, 100), (300, 1000)] {
                let least = seconds(least);
                let schedule =
                    PollSchedule { learned: learned.clone(), least, jitter_permille, ..Default::default() };
                for n in 0..2000 {
                    let wait =
                        schedule.wait(Duration::from_millis(u64::from(n) * 500), Duration::MAX, 3, n).0;
                    assert!(wait >= POLL_FLOOR, "{wait:?}");
                    assert!(wait <= Learned::MOST.max(least.saturating_mul(2)), "{wait:?}");
                }
            }
        }
    }

    #[test]
    fn what_would_miss_the_deadline_is_left_to_the_usual_schedule() {
        let learned = Some(serde_json::from_str(r#"{"reports":9,"ages":[2000,60000]}"#).unwrap());
        let schedule = PollSchedule { learned, jitter_permille: 0, ..Default::default() };
        for (age, left, wait, timing) in [
            (0, 900, 2, Timing::Learned { reports: 9 }),
            (4, 896, 56, Timing::Learned { reports: 9 }),
            (4, 58, 56, Timing::Learned { reports: 9 }),
            (4, 57, 3, Timing::Deadline),
            (4, 1, 3, Timing::Deadline),
            // It is past the deadline either way.
            (58, 1, 2, Timing::Learned { reports: 9 }),
            (60, 840, 11, Timing::Schedule),
        ] {
            let (waited, said) = schedule.wait(seconds(age), seconds(left), 1, 0);
            assert_eq!((waited.as_secs(), said), (wait, timing), "at {age} s with {left} s left");
        }
    }

    #[test]
    fn the_jitter_of_a_learned_wait_is_a_second_at_most() {
        let learned = Some(serde_json::from_str(r#"{"reports":9,"ages":[7000,100000]}"#).unwrap());
        let schedule = PollSchedule { learned, ..Default::default() };
        for (age, low, high) in [(2, 4500, 5500), (10, 89_000, 91_000)] {
            let waits: Vec<_> = (0..1000).map(|n| waited(&schedule, age, 3, n).as_millis()).collect();
            assert!(waits.iter().all(|w| (low..=high).contains(w)), "{age}");
            assert!(waits.iter().any(|w| *w < low + 50) && waits.iter().any(|w| *w > high - 50), "{age}");
        }
    }

    #[test]
    fn retries_back_off_with_full_jitter() {
        let schedule = RetrySchedule::default();
        for (k, bound) in [(0, 500), (1, 1000), (3, 4000), (6, 20000), (40, 20000)] {
            let waits: Vec<_> = (0..2000).map(|n| schedule.wait(k, 9, n).as_millis()).collect();
            assert!(waits.iter().all(|w| *w <= bound), "k {k}");
            assert!(
                waits.iter().any(|w| *w < bound / 10) && waits.iter().any(|w| *w > bound * 9 / 10),
                "k {k}"
            );
        }
    }

    #[test]
    fn throttling_without_headers_doubles_to_a_minute() {
        let waits: Vec<_> = [0, 1, 2, 3, 4, 99].map(|k| unhinted_throttle(k).as_secs()).into();
        assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_against_the_servers_clock() {
        let now: DateTime<Utc> = "2026-10-01T00:00:00Z".parse().unwrap();
        let hint = |pairs: &[(&'static str, &str)]| {
            let headers: HeaderMap =
                pairs.iter().map(|(k, v)| (http::HeaderName::from_static(k), v.parse().unwrap())).collect();
            retry_after(&headers, now).map(|t| between(now, t).as_secs())
        };
        assert_eq!(hint(&[("retry-after", "42")]), Some(42));
        assert_eq!(hint(&[("retry-after", " 0 ")]), Some(0));
        // The server's clock is a year behind ours; only the difference counts.
        let date = ("date", "Wed, 01 Oct 2025 00:00:00 GMT");
        assert_eq!(hint(&[date, ("retry-after", "Wed, 01 Oct 2025 00:00:30 GMT")]), Some(30));
        assert_eq!(hint(&[date, ("retry-after", "Wed, 01 Oct 2025 00:00:00 GMT")]), Some(0));
        assert_eq!(hint(&[date, ("retry-after", "Tue, 30 Sep 2025 00:00:00 GMT")]), Some(0));
        assert_eq!(hint(&[("retry-after", "Thu, 01 Oct 2026 00:01:00 GMT")]), Some(60));
        assert!(hint(&[("retry-after", "99999999999999999999")]).unwrap() > 1 << 40);
        for nonsense in ["", "soon", "-1", "1.5", "2026-10-01"] {
            assert_eq!(hint(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
    }
}
