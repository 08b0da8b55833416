//! Dates: calendar days as the API writes them.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::InvalidInput;
use crate::model::{Scan, Scanner};

/// A calendar day, `2026-10-01`. Contracts and invoices have days instead of instants.
///
/// ```
/// use billing_core::Date;
/// let day: Date = "2026-10-01".parse()?;
/// assert_eq!(day.day(), chrono::NaiveDate::from_ymd_opt(2026, 10, 1).unwrap());
/// assert!("2026-02-30".parse::<Date>().is_err());
/// # Ok::<(), billing_core::InvalidInput>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(NaiveDate);

impl Date {
    /// Builds a day of the years 0 to 9999, which can be written with four digits.
    ///
    /// # Errors
    /// Returns an error for any other year.
    pub fn new(day: NaiveDate) -> Result<Self, InvalidInput> {
        if (0..=9999).contains(&day.year()) { Ok(Self(day)) } else { Err(InvalidInput::Day(day.to_string())) }
    }

    /// Returns the day as a chrono value.
    pub fn day(self) -> NaiveDate {
        self.0
    }
}

impl FromStr for Date {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        // chrono also accepts years with a sign and days without their zero; only a day that is written back
        // unchanged is accepted.
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .and_then(|day| Self::new(day).ok())
            .filter(|day| day.0.to_string() == text)
            .ok_or_else(|| InvalidInput::Day(text.to_owned()))
    }
}

impl From<Date> for NaiveDate {
    fn from(date: Date) -> Self {
        date.0
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text is padded to the width of the format; chrono's own `Display` ignores it.
        f.pad(&self.0.to_string())
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'a> Scan<'a> for Date {
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.string()?.decoded().parse().ok()
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Date;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a day such as \"2026-10-01\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Date, E> {
                text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_ten_characters_and_exists() {
        for text in ["2026-10-01", "2024-02-29", "0000-01-01", "9999-12-31"] {
            assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "2026-02-29",
            "2026-13-01",
            "2026-1-1",
            "26-10-01",
            "+2026-10-01",
            "-2026-10-01",
            "12026-10-01",
            "2026-10-01T00:00:00Z",
            "2026-10-01 ",
            "01.10.2026",
        ] {
            let error = text.parse::<Date>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")) && error.contains("2026-10-01"), "{error}");
        }
        assert!(Date::new(NaiveDate::MAX).is_err() && Date::new(NaiveDate::MIN).is_err());
    }

    #[test]
    fn it_is_a_text_in_json_and_can_be_padded() {
        let day: Date = serde_json::from_str("\"2026-10-01\"").unwrap();
        assert_eq!(serde_json::to_string(&day).unwrap(), "\"2026-10-01\"");
        assert_eq!(format!("{day:?}|{day:>12}|"), "2026-10-01|  2026-10-01|");
        assert_eq!(NaiveDate::from(day), day.day());
        for (json, said) in [("7", "a day such as"), ("\"2026-02-30\"", "2026-02-30")] {
            let error = serde_json::from_str::<Date>(json).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
