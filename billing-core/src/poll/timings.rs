//! Poll timings: observed durations of reports, for adaptive schedules.

use std::collections::BTreeSet;
use std::collections::btree_set;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::machine::checkpoint::Format;
use crate::values::clock::{millis, saturating_add, truncate_to_millis};

/// An observed duration of one report: longer than `pending_age`, at most `complete_age`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "UncheckedTiming")]
pub struct PollTiming {
    observed_at: DateTime<Utc>,
    #[serde(with = "millis")]
    pending_age: Duration,
    #[serde(with = "millis")]
    complete_age: Duration,
}

impl PollTiming {
    /// Creates the timing of a report that was not complete at the age `after` and was complete at the age
    /// `by`, observed at the time `at`. Ages are cut to whole milliseconds. Returns `None` if `by` is not
    /// later than `after`.
    pub fn new(at: DateTime<Utc>, after: Duration, by: Duration) -> Option<Self> {
        let (after, by) = (truncate_to_millis(after), truncate_to_millis(by));
        (after < by).then_some(Self { observed_at: at, pending_age: after, complete_age: by })
    }

    /// Returns the time of the observation.
    pub fn observed_at(&self) -> DateTime<Utc> {
        self.observed_at
    }

    /// Returns the age of the report at the last response that was not complete.
    pub fn pending_age(&self) -> Duration {
        self.pending_age
    }

    /// Returns the age of the report at the complete response.
    pub fn complete_age(&self) -> Duration {
        self.complete_age
    }
}

/// A history of at most [`PollTimings::MAX_TIMINGS`] timings, the newest: the input of an [adaptive
/// schedule](crate::poll::PollSchedule::adaptive), which the caller keeps between runs.
///
/// It holds only times: no organisation, no name, no figure, no secret. It can be saved with serde; the saved
/// form has a format name, a version and a checksum, and other data is refused. Histories of several
/// processes or machines can be [merged](PollTimings::merge) in any order and repeatedly, with the same
/// result. Keep one history for each kind of report with similar durations.
///
/// ```
/// use billing_core::poll::{PollTiming, PollTimings};
/// use std::time::Duration;
///
/// let mut seen = PollTimings::default();
/// let at = "2026-11-02T09:00:00Z".parse()?;
/// seen.extend(PollTiming::new(at, Duration::from_secs(12), Duration::from_secs(17)));
/// let saved = serde_json::to_string(&seen)?;
/// assert_eq!(serde_json::from_str::<PollTimings>(&saved)?, seen);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollTimings(BTreeSet<PollTiming>);

impl PollTimings {
    /// The largest number of timings. It is enough for a good schedule, and small enough to forget an
    /// outdated server speed soon.
    pub const MAX_TIMINGS: usize = 32;

    /// Adds a timing observed just now. Timings more than a day newer come from a wrong clock and are
    /// removed: otherwise they would never be replaced.
    pub fn add(&mut self, completion: PollTiming) {
        let tomorrow = saturating_add(completion.observed_at, ONE_DAY);
        self.0.retain(|kept| kept.observed_at <= tomorrow);
        self.0.insert(completion);
        self.drop_oldest();
    }

    /// Adds all timings of another history. Merging is commutative, associative and idempotent.
    pub fn merge(&mut self, other: &Self) {
        self.0.extend(&other.0);
        self.drop_oldest();
    }

    /// Returns an iterator from the oldest timing to the newest.
    pub fn iter(&self) -> btree_set::Iter<'_, PollTiming> {
        self.0.iter()
    }

    /// Returns the number of timings.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if there are no timings.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn drop_oldest(&mut self) {
        while self.0.len() > Self::MAX_TIMINGS {
            self.0.pop_first();
        }
    }
}

impl Extend<PollTiming> for PollTimings {
    /// [Adds](PollTimings::add) each timing.
    fn extend<I: IntoIterator<Item = PollTiming>>(&mut self, completions: I) {
        completions.into_iter().for_each(|completion| self.add(completion));
    }
}

impl<'a> IntoIterator for &'a PollTimings {
    type Item = &'a PollTiming;
    type IntoIter = btree_set::Iter<'a, PollTiming>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for PollTimings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FORMAT.save(None, &self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for PollTimings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut completions = Self(FORMAT.restore(|_| None, deserializer)?);
        completions.drop_oldest();
        Ok(completions)
    }
}

/// A saved timing before validation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedTiming {
    observed_at: DateTime<Utc>,
    #[serde(with = "millis")]
    pending_age: Duration,
    #[serde(with = "millis")]
    complete_age: Duration,
}

impl TryFrom<UncheckedTiming> for PollTiming {
    type Error = &'static str;

    fn try_from(
        UncheckedTiming { observed_at, pending_age, complete_age }: UncheckedTiming,
    ) -> Result<Self, Self::Error> {
        Self::new(observed_at, pending_age, complete_age)
            .ok_or("a report cannot be complete before its last pending response")
    }
}

const FORMAT: Format = Format { name: "billing-core poll timings", version: 3 };

const ONE_DAY: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::start_time;

    fn seen(second: u64, after_ms: u64, by_ms: u64) -> PollTiming {
        let at = saturating_add(start_time(), Duration::from_secs(second));
        PollTiming::new(at, Duration::from_millis(after_ms), Duration::from_millis(by_ms)).unwrap()
    }

    fn history(completions: impl IntoIterator<Item = PollTiming>) -> PollTimings {
        let mut history = PollTimings::default();
        history.extend(completions);
        history
    }

    #[test]
    fn the_newest_are_kept() {
        let history = history((0..100).map(|n| seen(n, 0, 2000)));
        assert_eq!(history.len(), PollTimings::MAX_TIMINGS);
        assert_eq!(history.iter().next(), Some(&seen(68, 0, 2000)));
        assert_eq!(history.iter().last(), Some(&seen(99, 0, 2000)));
    }

    #[test]
    fn merging_is_the_same_in_any_order_and_however_often() {
        let [a, b, c] = [0, 20, 31].map(|from| history((from..from + 25).map(|n| seen(n, n, 3000))));
        let merged = |all: &[&PollTimings]| {
            let mut into = PollTimings::default();
            all.iter().for_each(|one| into.merge(one));
            into
        };
        let all = merged(&[&a, &b, &c]);
        assert_eq!(all.len(), PollTimings::MAX_TIMINGS);
        assert_eq!(merged(&[&c, &merged(&[&b, &a])]), all);
        assert_eq!(merged(&[&merged(&[&a, &c]), &all, &b, &b]), all);
    }

    #[test]
    fn timings_from_the_future_are_dropped() {
        let year = 365 * 24 * 3600;
        let mut kept = history((0..20).map(|n| seen(year + n, 0, 2000)));
        // A merged timing from another history stays.
        kept.merge(&history([seen(60, 0, 2000)]));
        kept.add(seen(0, 0, 2000));
        assert_eq!(kept, history([seen(60, 0, 2000), seen(0, 0, 2000)]));
    }

    #[test]
    fn a_completion_is_kept_to_the_millisecond_and_in_order() {
        let nanos = Duration::from_nanos;
        let completion = PollTiming::new(start_time(), nanos(2_000_999_999), nanos(5_001_000_001)).unwrap();
        assert_eq!(completion, seen(0, 2000, 5001));
        assert_eq!(
            (completion.observed_at(), completion.pending_age(), completion.complete_age()),
            (start_time(), Duration::from_millis(2000), Duration::from_millis(5001))
        );
        assert_eq!(PollTiming::new(start_time(), nanos(2_000_000), nanos(2_000_001)), None);
        assert_eq!(PollTiming::new(start_time(), nanos(3_000_000), nanos(2_000_000)), None);
    }

    #[test]
    fn what_is_saved_is_restored_and_what_is_foreign_refused() {
        let history = history([seen(0, 0, 2000), seen(3, 8000, 12345)]);
        let text = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<PollTimings>(&text).unwrap(), history);
        assert_eq!(
            text,
            r#"{"format":"billing-core poll timings","version":3,"state":[{"observed_at":"2026-10-26T07:33:20Z","pending_age":0,"complete_age":2000},{"observed_at":"2026-10-26T07:33:23Z","pending_age":8000,"complete_age":12345}],"checksum":"acc5ad46"}"#
        );
        for (from, to, why) in [
            ("timings\",", "poll\",", "not a saved"),
            ("\"version\":3", "\"version\":4", "version 4"),
            // A later version may have any layout.
            ("\"version\":3", "\"version\":4,\"kinds\":{}", "version 4"),
            ("\"complete_age\":2000", "\"complete_age\":2001", "checksum"),
            ("\"complete_age\":2000", "\"complete_age\":0", "cannot be complete"),
            ("\"complete_age\":2000", "\"complete_age\":-1", "invalid value"),
            ("\"complete_age\":2000", "\"complete_age\":2000,\"org\":1", "unknown field"),
            ("\"version\":3", "\"version\":3,\"org\":1", "unknown field"),
        ] {
            assert!(text.contains(from), "{from} in {text}");
            let error =
                serde_json::from_str::<PollTimings>(&text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(why), "{to}: {error}");
        }
    }

    #[test]
    fn a_saved_history_that_is_too_long_is_cut() {
        let entries: Vec<_> = (0..100).map(|n| seen(n, 0, 2000)).collect();
        let mut text = Vec::new();
        FORMAT.save(None, &entries, &mut serde_json::Serializer::new(&mut text)).unwrap();
        let text = String::from_utf8(text).unwrap();
        let history: PollTimings = serde_json::from_str(&text).unwrap();
        assert_eq!((history.len(), *history.iter().next().unwrap()), (32, seen(68, 0, 2000)));
    }
}
