//! Timestamps: instants as the API writes them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Datelike, Days, NaiveDate, SecondsFormat, Timelike, Utc};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use super::clock::saturating_sub;
use crate::model::{Scan, Scanner};

/// An instant, parsed from any RFC 3339 form: with and without fractions of a second (one real report mixed
/// both), with `Z` or an offset. It has nanosecond precision and is written in UTC with as many digits as it
/// needs.
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
    /// Returns the instant as a chrono value.
    pub fn instant(self) -> DateTime<Utc> {
        self.0
    }

    /// Returns the day in UTC, the time zone of the API's billing periods.
    pub fn date(self) -> NaiveDate {
        self.0.date_naive()
    }

    /// Returns the last day, in UTC, of a period that ends at this instant. A midnight is an exclusive end:
    /// the period ends with the day before (B14).
    pub fn last_day(self) -> NaiveDate {
        saturating_sub(self.0, Duration::from_nanos(1)).date_naive()
    }

    /// Returns true if a day begins at this instant: `2026-10-01T00:00:00Z`, with any fraction of a second.
    /// A period that starts at such an instant includes the whole day.
    pub fn is_start_of_day(self) -> bool {
        self.seconds_of_day() == 0
    }

    /// Returns true if a day ends at this instant: in its last second, `2026-10-31T23:59:59Z` with any
    /// fraction, or at the midnight after it. As the end of a period it then means its whole
    /// [`Timestamp::last_day`].
    pub fn is_end_of_day(self) -> bool {
        self.seconds_of_day() == LAST_SECOND || (self.is_start_of_day() && self.0.nanosecond() == 0)
    }

    /// Parses a text that a person types: a day, which means its midnight in UTC, or any RFC 3339 form.
    ///
    /// # Errors
    /// Returns an error that names the text and the two accepted forms.
    pub fn from_user(text: &str) -> Result<Self, crate::InvalidInput> {
        // chrono also accepts years with a sign and days without their zero; a day has ten characters and is
        // written back unchanged.
        let is_day = |day: &NaiveDate| text.len() == "2026-10-01".len() && day.to_string() == text;
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(is_day);
        match day.and_then(|day| day.and_hms_opt(0, 0, 0)) {
            Some(midnight) => Ok(Self(midnight.and_utc())),
            None => text.parse(),
        }
    }

    /// Parses the end of a range that a person types, and returns the exclusive end. A day is part of the
    /// range, so its end is the midnight after it; any RFC 3339 form is the end itself.
    ///
    /// # Errors
    /// Returns the same errors as [`Timestamp::from_user`].
    pub fn range_end_from_user(text: &str) -> Result<Self, crate::InvalidInput> {
        let end = Self::from_user(text)?;
        if end.date().to_string() != text {
            return Ok(end);
        }
        let after = end.0.checked_add_days(Days::new(1));
        after.map(Self).ok_or_else(|| crate::InvalidInput::Date(text.to_owned()))
    }

    fn seconds_of_day(self) -> u32 {
        self.0.num_seconds_from_midnight()
    }
}

impl FromStr for Timestamp {
    type Err = crate::InvalidInput;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(timestamp) = Self::parse_fast(text.as_bytes()) {
            return Ok(timestamp);
        }
        DateTime::parse_from_rfc3339(text)
            // Some Java services write the offset without its colon.
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
            .ok()
            .map(|instant| Self(instant.to_utc()))
            // An offset can move the last hours of the year 9999 into a year that RFC 3339 cannot express.
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
        Self::parse_any(&scanner.string()?.decoded())
    }
}

impl Timestamp {
    /// Parses any form.
    #[inline]
    pub(crate) fn parse_any(text: &str) -> Option<Self> {
        Self::parse_fast(text.as_bytes()).or_else(|| text.parse().ok())
    }

    /// Parses the forms that the API writes, with and without milliseconds.
    #[inline]
    fn parse_fast(text: &[u8]) -> Option<Self> {
        match text {
            text if text.len() == MILLIS_FORM.len() => Self::parse_millis_form(text.try_into().ok()?),
            [seconds @ .., b'Z'] if seconds.len() == SECONDS_FORM_LEN => {
                let mut text = *MILLIS_FORM;
                text[..SECONDS_FORM_LEN].copy_from_slice(seconds);
                Self::parse_millis_form(&text)
            }
            _ => None,
        }
    }

    /// Parses the form that the API writes, `2026-10-01T00:00:00.000Z`, several times as fast as the general
    /// parser. Every other form, and a text that is not an instant, gives `None` and is left to the general
    /// parser.
    #[inline]
    pub(crate) fn parse_millis_form(text: &[u8; 24]) -> Option<Self> {
        let [date, time, seconds] = digit_pairs(text)?;
        let year = i32::from(date[0]) * 100 + i32::from(date[2]);
        let date = NaiveDate::from_ymd_opt(year, date[5].into(), time[0].into())?;
        let millis = u32::from(seconds[4]) * 10 + u32::from(seconds[6]) / 10;
        let time = date.and_hms_milli_opt(time[3].into(), time[6].into(), seconds[1].into(), millis)?;
        Some(Self(time.and_utc()))
    }

    /// Returns true if [`parse_millis_form`](Self::parse_millis_form) accepts the text, without building the
    /// instant.
    #[inline]
    pub(crate) fn is_valid_millis_form(text: &[u8; 24]) -> bool {
        digit_pairs(text).is_some_and(|[date, time, seconds]| {
            // Days 1 to 28 exist in every month, so the calendar is needed only for later ones.
            let everywhere = (1..=12).contains(&date[5]) && (1..=28).contains(&time[0]);
            let in_a_day = time[3] < 24 && time[6] < 60 && seconds[1] < 60;
            everywhere && in_a_day || Self::parse_millis_form(text).is_some()
        })
    }

    /// Returns true if the text has the form that the API writes. It may still not be an instant.
    #[inline]
    pub(crate) fn has_millis_form(text: &[u8; 24]) -> bool {
        digit_pairs(text).is_some()
    }
}

/// Returns, for each byte of a text, the number of the two digits that begin there; `None` unless the text
/// has a digit at each zero of [`MILLIS_FORM`] and equals it in all other places.
#[inline]
fn digit_pairs(text: &[u8; 24]) -> Option<[[u8; 8]; 3]> {
    // Eight bytes are processed at once. XOR with the form turns digits into their values and equal
    // characters into zero.
    let eights = |bytes: &[u8; 24]| {
        let (eights, _) = bytes.as_chunks();
        [eights[0], eights[1], eights[2]].map(u64::from_le_bytes)
    };
    let (mut values, form, above) = (eights(text), eights(MILLIS_FORM), eights(&DIGIT_OVERFLOW_BIAS));
    let mut wrong = 0;
    for at in 0..3 {
        values[at] ^= form[at];
        wrong |= values[at].wrapping_add(above[at]) | values[at];
    }
    // Each number is below 100, so none carries into its neighbour.
    (wrong & u64::from_le_bytes([0x80; 8]) == 0)
        .then(|| values.map(|eight| (eight * 10 + (eight >> 8)).to_le_bytes()))
}

const MILLIS_FORM: &[u8; 24] = b"0000-00-00T00:00:00.000Z";
/// The length of the form up to the seconds.
const SECONDS_FORM_LEN: usize = 19;

/// The bias for each byte: added to a value that is not allowed there, it sets the byte's high bit.
const DIGIT_OVERFLOW_BIAS: [u8; 24] = {
    let mut above = [0x7f; 24];
    let mut at = 0;
    while at < 24 {
        if MILLIS_FORM[at] == b'0' {
            above[at] = 0x7f - 9;
        }
        at += 1;
    }
    above
};

/// This lets callers pass a [`Timestamp`] where an instant is expected.
impl From<Timestamp> for DateTime<Utc> {
    fn from(t: Timestamp) -> Self {
        t.instant()
    }
}

/// The last second of a day, counted from midnight.
const LAST_SECOND: u32 = 24 * 60 * 60 - 1;

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
    fn the_usual_form_is_read_as_the_general_parser_reads_it() {
        let usual = |text: &str| Timestamp::parse_millis_form(text.as_bytes().try_into().unwrap());
        for text in ["2025-07-01T03:00:00.000Z", "2018-08-31T23:59:59.999Z", "0000-02-29T00:00:00.120Z"] {
            let general = DateTime::parse_from_rfc3339(text).unwrap().to_utc();
            assert_eq!(usual(text), Some(Timestamp(general)), "{text}");
            assert_eq!(
                format!("{}Z", &text[..19]).parse::<Timestamp>().unwrap().0.timestamp(),
                general.timestamp()
            );
            for at in 0..24 {
                for byte in 0..=0x7f {
                    let mut other = text.as_bytes().to_vec();
                    other[at] = byte;
                    let other = String::from_utf8(other).unwrap();
                    let general = DateTime::parse_from_rfc3339(&other).ok().map(|instant| instant.to_utc());
                    assert_eq!(other.parse::<Timestamp>().ok().map(Timestamp::instant), general, "{other}");
                    assert!(usual(&other).is_none_or(|timestamp| Some(timestamp.0) == general), "{other}");
                    let is_usual =
                        <&[u8; 24]>::try_from(other.as_bytes()).is_ok_and(Timestamp::is_valid_millis_form);
                    assert_eq!(is_usual, other.len() == 24 && usual(&other).is_some(), "{other}");
                }
            }
        }
        for text in [
            "2025-07-01T03:00:60.000Z",
            "2025-07-01T24:00:00.000Z",
            "2023-02-29T00:00:00.000Z",
            "2025-07-01T03:00:00.00\u{b0}",
        ] {
            assert_eq!(usual(text), None, "{text}");
            assert!(!Timestamp::is_valid_millis_form(text.as_bytes().try_into().unwrap()), "{text}");
        }
        for text in ["2025-07-31T03:00:00.000Z", "2024-02-29T23:59:59.999Z"] {
            assert!(Timestamp::is_valid_millis_form(text.as_bytes().try_into().unwrap()), "{text}");
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
    fn b14_the_last_day_of_a_period_is_inclusive() {
        let t = |text: &str| text.parse::<Timestamp>().unwrap();
        for (end, day, is_whole_day) in [
            ("2026-10-31T23:59:59Z", "2026-10-31", true),
            ("2026-10-31T23:59:59.999Z", "2026-10-31", true),
            ("2026-11-01T00:00:00Z", "2026-10-31", true),
            ("2026-11-01T00:00:00.500Z", "2026-11-01", false),
            ("2026-10-31T22:00:00Z", "2026-10-31", false),
        ] {
            assert_eq!((t(end).last_day().to_string().as_str(), t(end).is_end_of_day()), (day, is_whole_day));
        }
        assert!(t("2026-10-01T00:00:00.123Z").is_start_of_day());
        assert!(!t("2026-10-01T00:00:01Z").is_start_of_day() && !t("2026-09-30T23:59:59Z").is_start_of_day());
        let end = |text: &str| Timestamp::range_end_from_user(text).unwrap().to_string();
        assert_eq!(end("2026-10-31"), "2026-11-01T00:00:00Z");
        assert_eq!(end("2026-10-31T12:00:00Z"), "2026-10-31T12:00:00Z");
        assert!(Timestamp::range_end_from_user("31.10.2026").is_err());
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
