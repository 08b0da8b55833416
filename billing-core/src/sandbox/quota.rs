//! The quota of a token: counts its requests in a window, and reports the count in headers.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue};

use crate::values::clock::{between, saturating_add};

/// A rate limit: the number of requests that one token may send in a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    pub(super) allowed: u32,
    pub(super) window: Duration,
}

/// The rounding of the seconds until the end of a window. It is unknown how the real server rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounding {
    Up,
    Down,
}

/// The current window of one token, with the number of its requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    ends: DateTime<Utc>,
    count: u32,
}

/// The result of counting a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuotaCount {
    allowed: u32,
    count: u32,
    /// Whole seconds until the window ends.
    pub(super) reset_seconds: u64,
    /// True if the request exceeds the limit. Such a request is refused and not counted.
    pub(super) is_over_limit: bool,
}

impl Quota {
    pub(super) fn count(
        self,
        rounding: Rounding,
        window: &mut Option<Window>,
        now: DateTime<Utc>,
    ) -> QuotaCount {
        let fresh = Window { ends: saturating_add(now, self.window), count: 0 };
        let window = match window {
            Some(window) if now < window.ends => window,
            slot => slot.insert(fresh),
        };
        let over = window.count >= self.allowed;
        if !over {
            window.count += 1;
        }
        let left = between(now, window.ends);
        QuotaCount {
            allowed: self.allowed,
            count: window.count,
            reset_seconds: left.as_secs() + u64::from(rounding == Rounding::Up && left.subsec_nanos() > 0),
            is_over_limit: over,
        }
    }
}

impl QuotaCount {
    pub(super) fn set_headers(self, headers: &mut HeaderMap) {
        headers.insert("inin-ratelimit-allowed", HeaderValue::from(self.allowed));
        headers.insert("inin-ratelimit-count", HeaderValue::from(self.count));
        headers.insert("inin-ratelimit-reset", HeaderValue::from(self.reset_seconds));
    }
}
