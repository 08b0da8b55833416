//! The rate-limit headers of a response.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;

use super::window::DEFAULT_WINDOW;
use crate::values::clock::saturating_add;

/// The rate-limit headers of one response.
#[derive(Clone, Copy)]
pub(super) struct RateLimitHeaders {
    pub(super) allowed: u32,
    pub(super) used: u32,
    /// The latest end of the window, whichever way the server rounds.
    pub(super) ends: DateTime<Utc>,
    /// The remaining time of the window, as the server sent it.
    pub(super) remaining_time: Duration,
}

impl RateLimitHeaders {
    /// Parses the headers. `length` is the known length of windows. Returns `None` if a header is missing or
    /// unusable.
    pub(super) fn parse(headers: &HeaderMap, length: Duration, now: DateTime<Utc>) -> Option<Self> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u32>().ok();
        let (allowed, count) = (number("inin-ratelimit-allowed")?, number("inin-ratelimit-count")?);
        // A quota of zero requests, or a window longer than a day, is no rate limit that a client can keep
        // to.
        let reset =
            number("inin-ratelimit-reset").filter(|reset| *reset <= MAX_WINDOW_SECONDS && allowed > 0)?;
        let left = Duration::from_secs(reset.into());
        // Seconds that were rounded down leave out up to a second. But the time left is never more than the
        // full length.
        let max_left = if left == length && length == DEFAULT_WINDOW { left } else { left + HEADER_ROUNDING };
        Some(Self { allowed, used: count, ends: saturating_add(now, max_left), remaining_time: left })
    }
}

/// The longest window that is accepted: a day.
const MAX_WINDOW_SECONDS: u32 = 24 * 3600;
/// The rounding error of the seconds until the end of a window: it is unknown if the server rounds up or
/// down.
const HEADER_ROUNDING: Duration = Duration::from_secs(1);
