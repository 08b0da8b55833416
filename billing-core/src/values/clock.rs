//! Arithmetic with wall-clock times that never panics, and durations as they are saved.

use chrono::{DateTime, TimeDelta, Utc};

/// Returns `time` plus `wait`. It stops at the end of the calendar instead of panicking.
pub(crate) fn saturating_add(time: DateTime<Utc>, wait: std::time::Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait)
        .ok()
        .and_then(|wait| time.checked_add_signed(wait))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Returns `time` minus `wait`. It stops at the beginning of the calendar instead of panicking.
pub(crate) fn saturating_sub(time: DateTime<Utc>, wait: std::time::Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait)
        .ok()
        .and_then(|wait| time.checked_sub_signed(wait))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// Returns the time from `earlier` to `later`; zero if it would be negative.
pub(crate) fn between(earlier: DateTime<Utc>, later: DateTime<Utc>) -> std::time::Duration {
    later.signed_duration_since(earlier).to_std().unwrap_or_default()
}

/// Returns `time` as it is after it was [saved](millis) and restored.
pub(crate) fn truncate_to_millis(time: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// Saves a `std::time::Duration` as whole milliseconds.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        u64::try_from(value.as_millis()).unwrap_or(u64::MAX).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
