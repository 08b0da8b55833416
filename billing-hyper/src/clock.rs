//! The clock: the only place that knows the time.

use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};

/// What a client takes the time from and sleeps by. Another one than the default is for tests.
///
/// Waiting for an answer, or for the login that another task performs, takes real time whatever the clock says.
pub trait Clock: Send + Sync {
    /// The time now. It must not go back.
    fn now(&self) -> DateTime<Utc>;

    /// Is ready when [`Clock::now`] has reached `until`.
    fn sleep_until(&self, until: DateTime<Utc>) -> Sleep;
}

/// What [`Clock::sleep_until`] returns.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Wall time at its start plus monotonic time since, so that a clock that is set meanwhile neither stretches a wait nor
/// skips one.
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

    fn sleep_until(&self, until: DateTime<Utc>) -> Sleep {
        let sleep = time_until(self.now(), until);
        Box::pin(async move { tokio::time::sleep(sleep).await })
    }
}

/// The time from `now` to `until`; none if it is over.
pub(crate) fn time_until(now: DateTime<Utc>, until: DateTime<Utc>) -> Duration {
    (until - now).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_default_clock_sleeps_until_its_own_time() {
        let clock = SteadyClock::new();
        let until = clock.now() + TimeDelta::milliseconds(5);
        clock.sleep_until(until).await;
        assert!(clock.now() >= until);
        clock.sleep_until(until - TimeDelta::days(1)).await;
    }
}
