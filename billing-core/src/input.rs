//! What callers bring, made valid once: periods, indexes, page sizes, filters; and what is said when it is not.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use crate::id::encode;
use crate::{Date, Timestamp};

/// The stretch of time that a usage report covers: from `start` to `end`, `start` before `end`, to the millisecond.
///
/// ```
/// use billing_core::Period;
/// let october = Period::from_user("2026-10-01", "2026-11-01")?;
/// assert!(Period::new(october.end(), october.start()).is_err());
/// # Ok::<(), billing_core::InvalidInput>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "PeriodText")]
pub struct Period {
    start: Timestamp,
    end: Timestamp,
}

impl Period {
    /// A period between two instants; what is finer than a millisecond is cut off, as the API's own form cannot say it.
    ///
    /// # Errors
    /// When `start` is not before `end`, or a year cannot be written with four digits.
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

    /// A period from two texts as a person types them; see [`Timestamp::from_user`].
    ///
    /// # Errors
    /// When one of them is no date, or `start` is not before `end`.
    pub fn from_user(start: &str, end: &str) -> Result<Self, InvalidInput> {
        Self::new(Timestamp::from_user(start)?, Timestamp::from_user(end)?)
    }

    /// The first instant.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The instant after the last.
    pub fn end(&self) -> Timestamp {
        self.end
    }

    /// `startDate=…&endDate=…`, in the one form of a date that every source agrees on.
    pub(crate) fn query(&self) -> String {
        let wire = |t: Timestamp| encode(&t.instant().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
        format!("startDate={}&endDate={}", wire(self.start), wire(self.end))
    }
}

#[derive(Deserialize)]
struct PeriodText {
    start: Timestamp,
    end: Timestamp,
}

impl TryFrom<PeriodText> for Period {
    type Error = InvalidInput;

    fn try_from(text: PeriodText) -> Result<Self, InvalidInput> {
        Self::new(text.start, text.end)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.start, self.end)
    }
}

/// Which billing period of a trustor: 0 is the latest that the server has, 1 the one before it, and so on.
///
/// Index 0 is not always the open period, because the server takes days to rotate: choose by the dates in the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PeriodIndex(u32);

impl PeriodIndex {
    /// The index; any number from 0 can be asked for, and the server answers 404 where it has no such period.
    pub fn new(index: u32) -> Self {
        Self(index)
    }

    /// The number.
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

/// How many things a page of a list may hold: from 1 to 200, the most that the API gives. 100 unless said otherwise.
///
/// ```
/// use billing_core::PageSize;
/// assert_eq!(PageSize::new(200)?.get(), 200);
/// assert!(PageSize::new(201).is_err() && PageSize::new(0).is_err());
/// # Ok::<(), billing_core::InvalidInput>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct PageSize(u16);

impl PageSize {
    /// So many.
    ///
    /// # Errors
    /// When it is none, or more than 200.
    pub fn new(size: u16) -> Result<Self, InvalidInput> {
        if (1..=200).contains(&size) { Ok(Self(size)) } else { Err(InvalidInput::PageSize(size)) }
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<u16> for PageSize {
    type Error = InvalidInput;

    fn try_from(size: u16) -> Result<Self, InvalidInput> {
        Self::new(size)
    }
}

impl From<PageSize> for u16 {
    fn from(size: PageSize) -> Self {
        size.0
    }
}

impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The days that a list is asked for: from one day on, up to one, or between two, as the API's `dateStart` and `dateEnd`.
///
/// Which of a contract's or an invoice's dates they are compared with, and whether the last day is one of them, the vendor
/// does not say.
///
/// ```
/// use billing_core::DateRange;
/// let year = DateRange::between("2026-01-01".parse()?, "2026-12-31".parse()?)?;
/// assert!(DateRange::between("2026-12-31".parse()?, "2026-01-01".parse()?).is_err());
/// # Ok::<(), billing_core::InvalidInput>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "DateRangeText")]
pub struct DateRange {
    start: Option<Date>,
    end: Option<Date>,
}

impl DateRange {
    /// From `start` on.
    pub fn from(start: Date) -> Self {
        Self { start: Some(start), end: None }
    }

    /// Up to `end`.
    pub fn up_to(end: Date) -> Self {
        Self { start: None, end: Some(end) }
    }

    /// From `start` up to `end`, which may be the same day.
    ///
    /// # Errors
    /// When `start` is after `end`.
    pub fn between(start: Date, end: Date) -> Result<Self, InvalidInput> {
        if start > end {
            return Err(InvalidInput::DateRange { start, end });
        }
        Ok(Self { start: Some(start), end: Some(end) })
    }

    /// The first day, if there is one.
    pub fn start(&self) -> Option<Date> {
        self.start
    }

    /// The last day, if there is one.
    pub fn end(&self) -> Option<Date> {
        self.end
    }
}

#[derive(Deserialize)]
struct DateRangeText {
    start: Option<Date>,
    end: Option<Date>,
}

impl TryFrom<DateRangeText> for DateRange {
    type Error = InvalidInput;

    fn try_from(text: DateRangeText) -> Result<Self, InvalidInput> {
        match (text.start, text.end) {
            (Some(start), Some(end)) => Self::between(start, end),
            (start, end) => Ok(Self { start, end }),
        }
    }
}

/// A value that was refused before anything was sent. The text names the value and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidInput {
    /// No date in a form that is understood.
    Date(String),
    /// The start is not before the end.
    Period {
        /// The start that was given.
        start: Timestamp,
        /// The end that was given.
        end: Timestamp,
    },
    /// An id that is empty or would change the path.
    Id(String),
    /// A billing period index that is negative or no number.
    Index(String),
    /// A page size that is none, or more than the API gives.
    PageSize(u16),
    /// No calendar day.
    Day(String),
    /// The first day of a filter is after its last.
    DateRange {
        /// The first day that was given.
        start: Date,
        /// The last day that was given.
        end: Date,
    },
    /// A value that a list cannot be filtered by.
    Filter {
        /// What the API calls the filter.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What can be given instead.
        instead: &'static str,
    },
    /// A region that is neither one of the AWS names nor one of the domains.
    Region(String),
    /// A base address that is no https address (or http on loopback), or carries a query, a fragment or credentials.
    BaseUrl {
        /// The address that was given, without what stands before an `@`.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Credentials that cannot be used.
    Credentials(&'static str),
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(text) => {
                write!(f, "{text:?} is no date: write 2026-10-01 (midnight UTC) or 2026-10-01T00:00:00+02:00")
            }
            Self::Period { start, end } => {
                write!(
                    f,
                    "the period starts at {start}, which is not before its end {end}: swap or change them"
                )
            }
            Self::Id(text) => {
                write!(
                    f,
                    "{text:?} is no id: an id is not empty, not '.' or '..', and holds no control character"
                )
            }
            Self::Index(text) => {
                write!(f, "{text:?} is no billing period index: 0 is the latest period, 1 the one before it")
            }
            Self::PageSize(size) => write!(f, "a page cannot hold {size} entries: ask for 1 to 200"),
            Self::Day(text) => write!(f, "{text:?} is no day: write it as 2026-10-01"),
            Self::DateRange { start, end } => {
                write!(f, "the first day, {start}, is after the last, {end}: swap or change them")
            }
            Self::Filter { name, value, instead } => {
                write!(f, "{value:?} is nothing that {name} can be: give {instead}")
            }
            Self::Region(text) => {
                write!(
                    f,
                    "{text:?} is no region of Genesys Cloud: use an AWS name such as eu-central-1 or a domain such \
                     as mypurecloud.de (`genesys-billing regions` lists them), or give the addresses themselves"
                )
            }
            Self::BaseUrl { url, reason } => {
                write!(f, "{url:?} cannot be used as a base address: {reason}")
            }
            Self::Credentials(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for InvalidInput {}

/// Instants become periods without ceremony in callers' code.
impl From<Timestamp> for DateTime<Utc> {
    fn from(t: Timestamp) -> Self {
        t.instant()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_ordered_and_go_out_in_milliseconds() {
        let period = Period::from_user("2026-10-01", "2026-11-01T01:00:00.1239+01:00").unwrap();
        assert_eq!(
            period.query(),
            "startDate=2026-10-01T00%3A00%3A00.000Z&endDate=2026-11-01T00%3A00%3A00.123Z"
        );
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
    fn a_page_size_is_checked_when_it_is_restored_too() {
        for size in [0, 201, u16::MAX] {
            assert!(PageSize::new(size).unwrap_err().to_string().contains(&size.to_string()));
            assert!(serde_json::from_str::<PageSize>(&size.to_string()).is_err());
        }
        assert_eq!(serde_json::from_str::<PageSize>("200").unwrap(), PageSize::new(200).unwrap());
        assert_eq!(serde_json::to_string(&PageSize::default()).unwrap(), "100");
    }

    #[test]
    fn days_are_in_order() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let (first, last) = (day("2026-01-01"), day("2026-12-31"));
        assert_eq!(DateRange::between(first, first).unwrap().end(), Some(first));
        let error = DateRange::between(last, first).unwrap_err().to_string();
        assert!(error.contains("2026-12-31") && error.contains("2026-01-01"), "{error}");
        for range in
            [DateRange::from(first), DateRange::up_to(last), DateRange::between(first, last).unwrap()]
        {
            let json = serde_json::to_string(&range).unwrap();
            assert_eq!(serde_json::from_str::<DateRange>(&json).unwrap(), range);
        }
        assert!(serde_json::from_str::<DateRange>(r#"{"start":"2026-12-31","end":"2026-01-01"}"#).is_err());
    }

    #[test]
    fn indexes_are_not_negative() {
        assert!("-1".parse::<PeriodIndex>().unwrap_err().to_string().contains("-1"));
        assert!(PeriodIndex::try_from(-1).is_err());
        assert_eq!("54".parse::<PeriodIndex>().unwrap().get(), 54);
    }
}
