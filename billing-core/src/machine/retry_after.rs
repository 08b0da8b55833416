//! `Retry-After`: parses it, and gives the backoff after a 429 without it.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::values::clock::{between, saturating_add};

/// Returns the wait after the `k`th 429 in a row without a header, counted from 0: `min(60 s, 5 s × 2^k)`.
pub(crate) fn throttle_backoff(k: u32) -> Duration {
    Duration::from_secs(5).saturating_mul(2_u32.saturating_pow(k)).min(Duration::from_secs(60))
}

/// Returns the time in `Retry-After`, given as seconds or as a date. A date is read relative to the
/// response's own `Date`, so that a wrong clock on either side does not matter.
pub(crate) fn retry_after(headers: &http::HeaderMap, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
        // A number too large for `u64` is a very long wait, not a missing header.
        return Some(saturating_add(now, Duration::from_secs(text.parse().unwrap_or(u64::MAX))));
    }
    let date = http_date(text)?;
    let server_now = headers.get(http::header::DATE).and_then(|v| http_date(v.to_str().ok()?)).unwrap_or(now);
    Some(saturating_add(now, between(server_now, date)))
}

fn http_date(text: &str) -> Option<DateTime<Utc>> {
    httpdate::parse_http_date(text.trim()).ok().map(DateTime::from)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn throttling_without_headers_doubles_to_a_minute() {
        let waits: Vec<_> = [0, 1, 2, 3, 4, 99].map(|k| throttle_backoff(k).as_secs()).into();
        assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_against_the_servers_clock() {
        let now: DateTime<Utc> = "2026-10-01T00:00:00Z".parse().unwrap();
        let hint = |pairs: &[(&'static str, &str)]| {
            let headers: HeaderMap =
                pairs.iter().map(|(k, v)| (http::HeaderName::from_static(k), v.parse().unwrap())).collect();
            retry_after(&headers, now).map(|t| between(now, t).as_secs())
        };
        assert_eq!(hint(&[("retry-after", "42")]), Some(42));
        assert_eq!(hint(&[("retry-after", " 0 ")]), Some(0));
        // The server's clock is a year behind ours; only the difference counts.
        let date = ("date", "Wed, 01 Oct 2025 00:00:00 GMT");
        assert_eq!(hint(&[date, ("retry-after", "Wed, 01 Oct 2025 00:00:30 GMT")]), Some(30));
        assert_eq!(hint(&[date, ("retry-after", "Wed, 01 Oct 2025 00:00:00 GMT")]), Some(0));
        assert_eq!(hint(&[date, ("retry-after", "Tue, 30 Sep 2025 00:00:00 GMT")]), Some(0));
        assert_eq!(hint(&[("retry-after", "Thu, 01 Oct 2026 00:01:00 GMT")]), Some(60));
        assert!(hint(&[("retry-after", "99999999999999999999")]).unwrap() > 1 << 40);
        for nonsense in ["", "soon", "-1", "1.5", "2026-10-01"] {
            assert_eq!(hint(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
    }
}
