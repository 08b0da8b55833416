//! The policy of an operation: timeouts, retries and bounds, all configurable within rules D4 and D5.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::machine::jitter::{draw, saturating_millis};
use crate::poll::PollSchedule;
use crate::values::clock::{millis, saturating_add};

/// Timeouts, retries and bounds of one operation. [`Policy::default`] fits Genesys Cloud.
///
/// ```
/// use billing_core::Policy;
/// use std::time::Duration;
/// let patient = Policy { timeout: Duration::from_secs(3600), ..Policy::default() };
/// # assert_eq!(patient.retry.max_retries, 5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The time limit of the whole operation, from its first step. Default: 15 minutes.
    #[serde(with = "millis")]
    pub timeout: Duration,
    /// A deadline on the clock in addition to [`Policy::timeout`]; the earlier one applies. Use it if several operations must end
    /// together.
    pub deadline: Option<DateTime<Utc>>,
    /// The time limit of one attempt, from connecting to the last byte. `None` means the limit of the operation: 30 s, for the
    /// overview 60 s, for a document 120 s.
    pub attempt_timeout: Option<Duration>,
    /// How large a body may be after decompression, in bytes. 64 MiB. What is made of one fills at most eight times as much
    /// memory and 32 MiB, whatever the server puts into it; a [`PackedReport`](crate::model::PackedReport) next to nothing.
    pub max_body: usize,
    /// The schedule for polls of a report.
    pub poll: PollSchedule,
    /// The schedule for retries after a transient failure.
    pub retry: RetrySchedule,
    /// The number of retries in a row after an answer that cannot be decoded. Default: 2.
    pub max_decode_retries: u32,
    /// The longest wait that the server may ask for. A longer one ends the operation with
    /// [`ErrorKind::Deferred`](crate::ErrorKind::Deferred). Default: 120 s.
    #[serde(with = "millis")]
    pub max_server_wait: Duration,
    /// The seed of the jitter. Equal seeds and equal answers give equal requests at equal times (rule D8), so drivers draw a new
    /// seed for each operation.
    pub seed: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(15 * 60),
            deadline: None,
            attempt_timeout: None,
            max_body: 64 << 20,
            poll: PollSchedule::default(),
            retry: RetrySchedule::default(),
            max_decode_retries: 2,
            max_server_wait: Duration::from_secs(120),
            seed: 0,
        }
    }
}

impl Policy {
    /// Returns the deadline of an operation that starts at `now`.
    pub(crate) fn deadline_from(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let overall = saturating_add(now, self.timeout);
        self.deadline.map_or(overall, |deadline| deadline.min(overall))
    }
}

/// The schedule of retries. The wait after the `k`th transient failure in a row is random between zero and
/// `min(max_delay, initial_delay·factor^k)`. This "full jitter" spreads many clients best.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrySchedule {
    /// The upper bound of the first wait. Default: 0.5 s.
    #[serde(with = "millis")]
    pub initial_delay: Duration,
    /// The factor by which the bound grows with each failure. Default: 2.
    pub factor: u32,
    /// The upper bound of every wait. Default: 20 s.
    #[serde(with = "millis")]
    pub max_delay: Duration,
    /// The number of retries in a row. Default: 5.
    pub max_retries: u32,
}

impl Default for RetrySchedule {
    fn default() -> Self {
        Self {
            initial_delay: Duration::from_millis(500),
            factor: 2,
            max_delay: Duration::from_secs(20),
            max_retries: 5,
        }
    }
}

impl RetrySchedule {
    /// Returns the wait after failure `k` in a row, counted from 0. `n` is the number of the request, so that equal failures of
    /// one operation have different waits.
    pub(crate) fn wait(&self, k: u32, seed: u64, n: u32) -> Duration {
        let bound = self.initial_delay.saturating_mul(self.factor.saturating_pow(k)).min(self.max_delay);
        saturating_millis(draw(seed, n, bound.as_millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
