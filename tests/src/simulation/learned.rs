//! Learned schedules for operations.

use std::sync::OnceLock;
use std::time::Duration;

use billing_core::poll::{AdaptiveSchedule, PollSchedule, PollTiming, PollTimings};
use chrono::{DateTime, TimeDelta};

use super::rng::Rng;

/// Returns a learned schedule for a quarter of the operations, one of a few that are the same in every run.
pub(super) fn schedule(rng: &mut Rng) -> Option<AdaptiveSchedule> {
    static POOL: OnceLock<Vec<AdaptiveSchedule>> = OnceLock::new();
    let pool = POOL.get_or_init(|| (0..POOL_SIZE).filter_map(learned).collect());
    rng.permille(250).then(|| pool[rng.index(pool.len())].clone())
}

/// Learns a schedule from reports whose times vary freely or are nearly equal.
fn learned(seed: u64) -> Option<AdaptiveSchedule> {
    let mut rng = Rng::new(seed);
    let (least, spread) = (rng.pick(&[0, 0, 5_000, 200_000]), rng.pick(&[100, 10_000, 300_000, 2_000_000]));
    let mut seen = PollTimings::default();
    for hour in 0..=rng.millis(40) {
        let after = least + rng.millis(spread);
        let by = after + 1 + rng.millis(20_000);
        let [after, by] = [after, by].map(|millis| Duration::from_millis(millis.unsigned_abs()));
        seen.extend(PollTiming::new(DateTime::UNIX_EPOCH + TimeDelta::hours(hour), after, by));
    }
    PollSchedule::default().adapted_to(&seen).adaptive
}

const POOL_SIZE: u64 = 24;
