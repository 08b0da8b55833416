//! Policies: how long, how often and how much, all configurable, all with the bounds that rules D4 and D5 need.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::machine::jitter::{draw, saturating_millis};
use crate::poll::PollSchedule;
use crate::values::clock::{millis, saturating_add};

/// How an operation waits, repeats and gives up. [`Policy::default`] is made for Genesys Cloud; change what you must.
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
    /// How long the operation may take in all, from its first step. 15 minutes.
    #[serde(with = "millis")]
    pub timeout: Duration,
    /// A deadline on the clock beside [`Policy::timeout`]; the earlier one holds. For a command that must end as a whole.
    pub deadline: Option<DateTime<Utc>>,
    /// How long one attempt may take, from connecting to the last byte; `None` for the operation's own bound
    /// (30 s, for the overview 60 s, for a document 120 s).
    pub attempt_timeout: Option<Duration>,
    /// How large a body may be after decompression, in bytes. 64 MiB. What is made of one fills at most eight times as much
    /// memory and 32 MiB, whatever the server puts into it; a [`PackedReport`](crate::model::PackedReport) next to nothing.
    pub max_body: usize,
    /// When to ask again for a report that is still being made.
    pub poll: PollSchedule,
    /// When to try again after a failure that usually passes.
    pub retry: RetrySchedule,
    /// How often in a row an answer that cannot be read is asked for again. 2.
    pub max_decode_retries: u32,
    /// The longest wait on behalf of the server that an operation sits through; a longer one ends it with
    /// [`ErrorKind::Deferred`](crate::ErrorKind::Deferred). 120 s.
    #[serde(with = "millis")]
    pub max_server_wait: Duration,
    /// The seed of the jitter. The same seed and the same answers give the same requests at the same times, so drivers
    /// draw one for each operation.
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
    /// When an operation that begins at `now` gives up.
    pub(crate) fn deadline_from(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let overall = saturating_add(now, self.timeout);
        self.deadline.map_or(overall, |deadline| deadline.min(overall))
    }
}

/// When to try again after the `k`th transient failure in a row: at random between nothing and
/// `min(most, first·factor^k)`, the "full jitter" that spreads many clients best.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrySchedule {
    /// The bound of the first wait. 0.5 s.
    #[serde(with = "millis")]
    pub initial_delay: Duration,
    /// How much the bound grows from one failure to the next. 2.
    pub factor: u32,
    /// The bound that is never passed. 20 s.
    #[serde(with = "millis")]
    pub max_delay: Duration,
    /// How many failures in a row are repeated. 5.
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
    /// How long to wait after failure `k` in a row, counted from 0. `n` is the number of the request, so that equal
    /// failures of one operation do not wait equally long.
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
