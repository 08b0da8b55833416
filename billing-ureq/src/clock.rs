//! The clock, the only source of time in this crate.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};

/// A source of time that a client reads and sleeps by. Implement it in tests to control the time.
///
/// A wait for a reply, or for a login by another thread or task, takes real time with every clock.
pub trait Clock: Send + Sync {
    /// Returns the current time. It must never go backwards.
    fn now(&self) -> DateTime<Utc>;

    /// Sleeps until [`Clock::now`] reaches `until`.
    fn sleep_until(&self, until: DateTime<Utc>);
}

/// The wall time at the start plus the monotonic time since then, so that setting the system clock neither
/// lengthens nor skips a wait.
pub(crate) struct SteadyClock {
    wall_start: DateTime<Utc>,
    started: Instant,
}

impl SteadyClock {
    pub(crate) fn new() -> Self {
        Self { wall_start: SystemTime::now().into(), started: Instant::now() }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> DateTime<Utc> {
        TimeDelta::from_std(self.started.elapsed())
            .ok()
            .and_then(|elapsed| self.wall_start.checked_add_signed(elapsed))
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn sleep_until(&self, until: DateTime<Utc>) {
        thread::sleep(time_until(self.now(), until));
    }
}

/// Returns the time from `now` to `until`, or zero if `until` has passed.
pub(crate) fn time_until(now: DateTime<Utc>, until: DateTime<Utc>) -> Duration {
    (until - now).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_clock_sleeps_until_its_own_time() {
        let clock = SteadyClock::new();
        let until = clock.now() + TimeDelta::milliseconds(5);
        clock.sleep_until(until);
        assert!(clock.now() >= until);
        clock.sleep_until(until - TimeDelta::days(1));
    }
}
