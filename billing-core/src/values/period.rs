//! The period of a report, and the index of a billing period.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, SubsecRound};
use serde::{Deserialize, Serialize};

use crate::{InvalidInput, Timestamp};

/// The time that a usage report covers: from `start` to `end`, `start` before `end`, in milliseconds.
///
/// ```
/// use billing_core::Period;
/// let october = Period::from_user("2026-10-01", "2026-11-01")?;
/// assert!(Period::new(october.end(), october.start()).is_err());
/// # Ok::<(), billing_core::InvalidInput>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "UncheckedPeriod")]
pub struct Period {
    start: Timestamp,
    end: Timestamp,
}

impl Period {
    /// Builds a period between two instants. Fractions of a millisecond are cut off, because the API's format
    /// cannot express them.
    ///
    /// # Errors
    /// Returns an error if `start` is not before `end`, or if a year cannot be written with four digits.
    pub fn new(start: impl Into<Timestamp>, end: impl Into<Timestamp>) -> Result<Self, InvalidInput> {
        let [start, end] = [start.into(), end.into()].map(|t| t.instant().trunc_subsecs(3));
        for instant in [start, end] {
            if !(1..=9999).contains(&instant.year()) {
                return Err(InvalidInput::Date(instant.to_string()));
            }
        }
        if start >= end {
            return Err(InvalidInput::Period { start: start.into(), end: end.into() });
        }
        Ok(Self { start: start.into(), end: end.into() })
    }

    /// Parses a period from two texts that a person types; see [`Timestamp::from_user`].
    ///
    /// # Errors
    /// Returns an error if one of them is not a date, or if `start` is not before `end`.
    pub fn from_user(start: &str, end: &str) -> Result<Self, InvalidInput> {
        Self::new(Timestamp::from_user(start)?, Timestamp::from_user(end)?)
    }

    /// Returns the first instant.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// Returns the instant after the last one.
    pub fn end(&self) -> Timestamp {
        self.end
    }
}

#[derive(Deserialize)]
struct UncheckedPeriod {
    start: Timestamp,
    end: Timestamp,
}

impl TryFrom<UncheckedPeriod> for Period {
    type Error = InvalidInput;

    fn try_from(text: UncheckedPeriod) -> Result<Self, InvalidInput> {
        Self::new(text.start, text.end)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.start, self.end)
    }
}

/// The index of a trustor's billing period: 0 is the latest that the server has, 1 the one before it, and so
/// on.
///
/// Index 0 is not always the open period, because the server takes days to begin a new one: choose periods by
/// the dates in the response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeriodIndex(u32);

impl PeriodIndex {
    /// Builds an index. Any number can be requested; the server returns 404 where it has no such period.
    pub fn new(index: u32) -> Self {
        Self(index)
    }

    /// Returns the number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for PeriodIndex {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        text.parse().map(Self).map_err(|_| InvalidInput::Index(text.to_owned()))
    }
}

impl TryFrom<i64> for PeriodIndex {
    type Error = InvalidInput;

    fn try_from(index: i64) -> Result<Self, InvalidInput> {
        index.try_into().map(Self).map_err(|_| InvalidInput::Index(index.to_string()))
    }
}

impl fmt::Display for PeriodIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    #[test]
    fn periods_are_ordered_and_hold_whole_milliseconds() {
        let period = Period::from_user("2026-10-01", "2026-11-01T01:00:00.1239+01:00").unwrap();
        assert_eq!(period.end().to_string(), "2026-11-01T00:00:00.123Z");
        for (start, end) in [
            ("2026-10-01", "2026-10-01"),
            ("2026-11-01", "2026-10-01"),
            ("2026-10-01T00:00:00.0001Z", "2026-10-01T00:00:00.0002Z"),
        ] {
            let error = Period::from_user(start, end).unwrap_err().to_string();
            assert!(error.contains("2026-10-01T00:00:00Z") && error.contains("not before"), "{error}");
        }
    }

    #[test]
    fn a_period_is_checked_when_it_is_restored_too() {
        let period = Period::from_user("2026-10-01", "2026-11-01").unwrap();
        let json = serde_json::to_string(&period).unwrap();
        assert_eq!(serde_json::from_str::<Period>(&json).unwrap(), period);
        assert!(serde_json::from_str::<Period>(&json.replace("2026-11", "2026-09")).is_err());
    }

    #[test]
    fn what_was_given_can_be_read_back() {
        let period = Period::from_user("2026-10-01", "2026-11-01").unwrap();
        assert_eq!(period.to_string(), "2026-10-01T00:00:00Z to 2026-11-01T00:00:00Z");
        assert_eq!(Period::new(DateTime::from(period.start()), DateTime::from(period.end())), Ok(period));
        assert!(Period::new(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC).is_err());
        assert_eq!(PeriodIndex::new(7).to_string(), "7");
    }

    #[test]
    fn indexes_are_not_negative() {
        assert!("-1".parse::<PeriodIndex>().unwrap_err().to_string().contains("-1"));
        assert!(PeriodIndex::try_from(-1).is_err());
        assert_eq!("54".parse::<PeriodIndex>().unwrap().get(), 54);
    }
}
