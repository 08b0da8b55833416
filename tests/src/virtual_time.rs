//! Virtual time: a clock that both drivers and the fake server share, and on which waiting costs nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

/// A clock that stands still until somebody waits, and is then at the time that was waited for.
#[derive(Clone, Debug)]
pub struct VirtualTime(Arc<Mutex<DateTime<Utc>>>);

impl VirtualTime {
    /// A clock that shows `now`.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Returns the current time.
    pub fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves it to `time`, never back.
    pub fn advance_to(&self, time: DateTime<Utc>) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = time.max(*now);
    }
}

impl billing_ureq::Clock for VirtualTime {
    fn now(&self) -> DateTime<Utc> {
        self.now()
    }

    fn sleep_until(&self, time: DateTime<Utc>) {
        self.advance_to(time);
    }
}

impl billing_hyper::Clock for VirtualTime {
    fn now(&self) -> DateTime<Utc> {
        self.now()
    }

    fn sleep_until(&self, time: DateTime<Utc>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.advance_to(time);
        Box::pin(tokio::task::yield_now())
    }
}
