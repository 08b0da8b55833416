//! Timestamps: instants as the API writes them.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, TimeDelta, Utc};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::model::{Scan, Scanner};

/// An instant, read from any RFC 3339 form: with and without fractions of a second (one real report mixed both), with
/// `Z` or an offset. It is kept to the nanosecond and written in UTC with as many digits as it needs.
///
/// ```
/// use billing_core::Timestamp;
/// let t: Timestamp = "2025-07-01T03:19:11.696Z".parse()?;
/// assert_eq!(t.instant().timestamp_millis(), 1_751_339_951_696);
/// assert_eq!("2025-07-01T05:00:00+02:00".parse::<Timestamp>()?.to_string(), "2025-07-01T03:00:00Z");
/// # Ok::<(), billing_core::InvalidInput>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The instant as a chrono value.
    pub fn instant(self) -> DateTime<Utc> {
        self.0
    }

    /// The day in UTC, which is how the API's billing periods are meant.
    pub fn date(self) -> NaiveDate {
        self.0.date_naive()
    }

    /// Reads what a person types: a day, which means its midnight in UTC, or any RFC 3339 form.
    ///
    /// # Errors
    /// Names the text and the two forms that are understood.
    pub fn from_user(text: &str) -> Result<Self, crate::InvalidInput> {
        // chrono also takes years with a sign and days without their zero; a day is ten characters, written back as it came.
        let is_day = |day: &NaiveDate| text.len() == "2026-10-01".len() && day.to_string() == text;
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(is_day);
        match day.and_then(|day| day.and_hms_opt(0, 0, 0)) {
            Some(midnight) => Ok(Self(midnight.and_utc())),
            None => text.parse(),
        }
    }
}

impl FromStr for Timestamp {
    type Err = crate::InvalidInput;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(instant) = usual(text.as_bytes()) {
            return Ok(Self(instant));
        }
        DateTime::parse_from_rfc3339(text)
            // Some Java services write the offset without its colon.
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .ok()
            .map(|instant| Self(instant.to_utc()))
            // An offset can push the last hours of the year 9999 to where RFC 3339 has no form for them.
            .filter(|t| (0..=9999).contains(&t.0.year()))
            .ok_or_else(|| crate::InvalidInput::Date(text.to_owned()))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(instant: DateTime<Utc>) -> Self {
        Self(instant)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a timestamp such as \"2026-10-01T00:00:00Z\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'a> Scan<'a> for Timestamp {
    #[inline]
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.string()?.parse().ok()
    }
}

/// Reads the form that the API writes, `2026-10-01T00:00:00.000Z` with at most nine digits of a fraction or with none, in a
/// tenth of the time that a general parser takes. `None` for whatever is not just that, instant or not.
fn usual(text: &[u8]) -> Option<DateTime<Utc>> {
    let (date_and_time, fraction) = text.split_first_chunk()?;
    let [c1, c2, y1, y2, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] =
        date_and_time
    else {
        return None;
    };
    let digit = |byte: &u8| Some(u32::from(byte.wrapping_sub(b'0'))).filter(|digit| *digit < 10);
    let number = |tens, ones| Some(digit(tens)? * 10 + digit(ones)?);
    let nanos = match fraction {
        b"Z" => 0,
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => {
            let mut weight = 1_000_000_000;
            digits.iter().try_fold(0, |nanos, byte| {
                weight /= 10;
                Some(nanos + digit(byte)? * weight)
            })?
        }
        _ => return None,
    };
    let year = i32::try_from(number(c1, c2)? * 100 + number(y1, y2)?).ok()?;
    let day = NaiveDate::from_ymd_opt(year, number(m1, m2)?, number(d1, d2)?)?;
    let time = day.and_hms_nano_opt(number(h1, h2)?, number(n1, n2)?, number(s1, s2)?, nanos)?;
    Some(time.and_utc())
}

/// `time` plus `wait`, stopping at the end of the calendar instead of panicking.
pub(crate) fn after(time: DateTime<Utc>, wait: std::time::Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait)
        .ok()
        .and_then(|wait| time.checked_add_signed(wait))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// `time` less `wait`, stopping at the beginning of the calendar.
pub(crate) fn before(time: DateTime<Utc>, wait: std::time::Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait)
        .ok()
        .and_then(|wait| time.checked_sub_signed(wait))
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// The time from `earlier` to `later`; nothing where it would be negative.
pub(crate) fn between(earlier: DateTime<Utc>, later: DateTime<Utc>) -> std::time::Duration {
    later.signed_duration_since(earlier).to_std().unwrap_or_default()
}

/// `std::time::Duration` as whole milliseconds, in what is saved.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_was_seen_parses() {
        for (text, written) in [
            ("2025-07-01T03:00:00Z", "2025-07-01T03:00:00Z"),
            ("2018-08-31T23:59:59.999Z", "2018-08-31T23:59:59.999Z"),
            ("2025-07-01t03:00:00z", "2025-07-01T03:00:00Z"),
            ("2025-07-01 03:00:00Z", "2025-07-01T03:00:00Z"),
            ("2025-07-01T03:00:00.5Z", "2025-07-01T03:00:00.500Z"),
            ("2025-07-01T03:00:00.123456789Z", "2025-07-01T03:00:00.123456789Z"),
            ("2025-06-30T20:00:00-07:00", "2025-07-01T03:00:00Z"),
            ("2025-07-01T03:00:00.000+0000", "2025-07-01T03:00:00Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn the_usual_form_has_its_own_way_and_all_others_the_general_one() {
        for text in [
            "2025-07-01T03:00:00Z",
            "2018-08-31T23:59:59.999Z",
            "2024-02-29T00:00:00.123456789Z",
            "0000-01-01T00:00:00.0Z",
        ] {
            let general = DateTime::parse_from_rfc3339(text).unwrap().to_utc();
            assert_eq!(usual(text.as_bytes()), Some(general), "{text}");
        }
        for text in [
            "2025-07-01T03:00:00.Z",
            "2025-07-01T03:00:00.0000000000Z",
            "2025-07-01T03:00:60Z",
            "2025-07-01T24:00:00Z",
            "2023-02-29T00:00:00Z",
            "2025-07-00T00:00:00Z",
            "2025-00-01T00:00:00Z",
            "2025-07-01T03:00:00+00:00",
            "2025-07-01t03:00:00Z",
            "2025-07-01T03:00:00z",
            "2025-07-01T03:00:00.0:0Z",
            "2025-07-01T03:00:/0Z",
        ] {
            assert_eq!(usual(text.as_bytes()), None, "{text}");
        }
        assert!("2025-07-01T03:00:60Z".parse::<Timestamp>().is_ok(), "a second that leaps is an instant");
    }

    #[test]
    fn what_is_no_instant_is_refused_never_year_one() {
        for text in [
            "",
            "yesterday",
            "2025-13-01T00:00:00Z",
            "2025-02-30T00:00:00Z",
            "2025-07-01",
            "2025-07-01T03:00:00",
            "9999-12-31T23:59:59-01:00",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_it_is_in_json_is_a_text() {
        let t: Timestamp = serde_json::from_str("\"2026-10-01T23:30:00-01:00\"").unwrap();
        assert_eq!(
            (t.date().to_string(), format!("{t:?}")),
            ("2026-10-02".into(), "2026-10-02T00:30:00Z".into())
        );
        assert_eq!(serde_json::to_string(&t).unwrap(), "\"2026-10-02T00:30:00Z\"");
        let error = serde_json::from_str::<Timestamp>("7").unwrap_err().to_string();
        assert!(error.contains("a timestamp such as"), "{error}");
    }

    #[test]
    fn a_person_may_type_a_day() {
        assert_eq!(Timestamp::from_user("2026-10-01").unwrap().to_string(), "2026-10-01T00:00:00Z");
        assert_eq!(
            Timestamp::from_user("2026-10-01T02:00:00+02:00").unwrap().to_string(),
            "2026-10-01T00:00:00Z"
        );
        for text in
            ["2026-2-30", "2026-02-30", "1.10.2026", "2026-10-1", "tomorrow", "-8201-08-9", "+12026-01-01"]
        {
            let error = Timestamp::from_user(text).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
