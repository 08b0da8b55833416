//! Policies: timeouts, retries and size limits. All are configurable, within the bounds that rules D4 and D5
//! need.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::machine::jitter::{draw, saturating_millis};
use crate::poll::PollSchedule;
use crate::values::clock::{millis, saturating_add};

/// The timeouts, schedules and limits of an operation. [`Policy::default`] is made for Genesys Cloud.
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
    /// The longest duration of the whole operation, from its first step. 15 minutes.
    #[serde(with = "millis")]
    pub timeout: Duration,
    /// A fixed deadline beside [`Policy::timeout`]; the earlier one holds. For a command that must end as a
    /// whole.
    pub deadline: Option<DateTime<Utc>>,
    /// The longest duration of one attempt, from connecting to the last byte; `None` for the operation's own
    /// limit (30 s, for the overview 60 s, for a document 120 s).
    pub attempt_timeout: Option<Duration>,
    /// The largest body after decompression, in bytes. 64 MiB. A parsed value fills at most eight times as
    /// much memory plus 32 MiB, whatever the server sends; a [`PackedReport`](crate::model::PackedReport)
    /// needs almost no additional memory.
    pub max_body: usize,
    /// The schedule of polls for a report in progress.
    pub poll: PollSchedule,
    /// The schedule of retries after transient failures.
    pub retry: RetrySchedule,
    /// The largest number of retries in a row after responses that cannot be parsed. 2.
    pub max_decode_retries: u32,
    /// The longest wait that the server may ask for; a longer one ends the operation with
    /// [`ErrorKind::Deferred`](crate::ErrorKind::Deferred). 120 s.
    #[serde(with = "millis")]
    pub max_server_wait: Duration,
    /// The seed of the jitter. The same seed and the same replies give the same requests at the same times,
    /// so drivers draw a seed for each operation.
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
    /// Returns the deadline of an operation that begins at `now`.
    pub(crate) fn deadline_from(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let overall = saturating_add(now, self.timeout);
        self.deadline.map_or(overall, |deadline| deadline.min(overall))
    }
}

/// The schedule of retries. Before retry `k`, counted from 0, the wait is random between 0 and
/// `min(max_delay, initial_delay · factor^k)`: "full jitter", which spreads the requests of many clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrySchedule {
    /// The upper bound of the first wait. 0.5 s.
    #[serde(with = "millis")]
    pub initial_delay: Duration,
    /// The factor by which the bound grows with each failure. 2.
    pub factor: u32,
    /// The largest upper bound of a wait. 20 s.
    #[serde(with = "millis")]
    pub max_delay: Duration,
    /// The largest number of retries in a row after transient failures. 5.
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
    /// Returns the wait after failure `k` in a row, counted from 0. `n` is the number of the request, so that
    /// the waits of one operation differ.
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
