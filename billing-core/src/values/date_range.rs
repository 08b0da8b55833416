//! Ranges of days that lists are filtered by.

use serde::{Deserialize, Serialize};

use crate::{Date, InvalidInput};

/// The days that filter a list: from a first day, up to a last day, or between two days, as the API's
/// `dateStart` and `dateEnd`.
///
/// The vendor does not document which date of a contract or an invoice the filter compares, nor if the last
/// day is included.
///
/// ```
/// use billing_core::DateRange;
/// let year = DateRange::between("2026-01-01".parse()?, "2026-12-31".parse()?)?;
/// assert!(DateRange::between("2026-12-31".parse()?, "2026-01-01".parse()?).is_err());
/// # Ok::<(), billing_core::InvalidInput>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "UncheckedDateRange")]
pub struct DateRange {
    start: Option<Date>,
    end: Option<Date>,
}

impl DateRange {
    /// Builds a range that starts at `start` and has no end.
    pub fn starting(start: Date) -> Self {
        Self { start: Some(start), end: None }
    }

    /// Builds a range that ends at `end` and has no start.
    pub fn up_to(end: Date) -> Self {
        Self { start: None, end: Some(end) }
    }

    /// Builds a range from `start` to `end`, which may be the same day.
    ///
    /// # Errors
    /// Returns an error if `start` is after `end`.
    pub fn between(start: Date, end: Date) -> Result<Self, InvalidInput> {
        if start > end {
            return Err(InvalidInput::DateRange { start, end });
        }
        Ok(Self { start: Some(start), end: Some(end) })
    }

    /// Returns the first day, if there is one.
    pub fn start(&self) -> Option<Date> {
        self.start
    }

    /// Returns the last day, if there is one.
    pub fn end(&self) -> Option<Date> {
        self.end
    }
}

#[derive(Deserialize)]
struct UncheckedDateRange {
    start: Option<Date>,
    end: Option<Date>,
}

impl TryFrom<UncheckedDateRange> for DateRange {
    type Error = InvalidInput;

    fn try_from(text: UncheckedDateRange) -> Result<Self, InvalidInput> {
        match (text.start, text.end) {
            (Some(start), Some(end)) => Self::between(start, end),
            (start, end) => Ok(Self { start, end }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_in_order() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let (first, last) = (day("2026-01-01"), day("2026-12-31"));
        assert_eq!(DateRange::between(first, first).unwrap().end(), Some(first));
        let error = DateRange::between(last, first).unwrap_err().to_string();
        assert!(error.contains("2026-12-31") && error.contains("2026-01-01"), "{error}");
        for range in
            [DateRange::starting(first), DateRange::up_to(last), DateRange::between(first, last).unwrap()]
        {
            let json = serde_json::to_string(&range).unwrap();
            assert_eq!(serde_json::from_str::<DateRange>(&json).unwrap(), range);
        }
        assert!(serde_json::from_str::<DateRange>(r#"{"start":"2026-12-31","end":"2026-01-01"}"#).is_err());
    }
}
