//! The selection of an organisation's billing periods.

use std::fmt;
use std::num::NonZeroU32;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{InvalidInput, Period, PeriodIndex, Timestamp};

/// The billing periods that a walk returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum PeriodSelection {
    /// The period with this index, and no other.
    Nth(PeriodIndex),
    /// The latest N periods. A failed index counts as one of them.
    Latest(NonZeroU32),
    /// The periods that overlap this range, by their own dates.
    Range(Period),
    /// Every period that the server still has.
    All,
}

impl PeriodSelection {
    /// Returns the selection of all periods that overlap a range that a person types. `from` is parsed by
    /// [`Timestamp::from_user`] and `to` by [`Timestamp::range_end_from_user`], so that a last day is part of
    /// the range.
    ///
    /// ```
    /// use billing_core::PeriodSelection;
    /// let october = PeriodSelection::from_user("2026-10-01", "2026-10-31")?;
    /// assert_eq!(october.to_string(), "the periods of 2026-10-01T00:00:00Z to 2026-11-01T00:00:00Z");
    /// # Ok::<(), billing_core::InvalidInput>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if one of them is not a date, or if `from` is after `to`.
    pub fn from_user(from: &str, to: &str) -> Result<Self, InvalidInput> {
        Period::new(Timestamp::from_user(from)?, Timestamp::range_end_from_user(to)?).map(Self::Range)
    }

    /// Returns the selection of all periods that overlap a calendar year, in UTC. These are 13 months if
    /// periods do not begin with a calendar month.
    ///
    /// # Errors
    /// Returns an error for a year before 1 or after 9998.
    pub fn year(year: i32) -> Result<Self, InvalidInput> {
        let first = |year: i32| {
            let midnight = NaiveDate::from_ymd_opt(year, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
            midnight.map(|t| t.and_utc()).ok_or_else(|| InvalidInput::Date(year.to_string()))
        };
        Ok(Self::Range(Period::new(first(year)?, first(year.saturating_add(1))?)?))
    }
}

impl fmt::Display for PeriodSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth(index) => write!(f, "the period with index {index}"),
            Self::Latest(n) if n.get() == 1 => f.write_str("the latest period"),
            Self::Latest(n) => write!(f, "the latest {n} periods"),
            Self::Range(range) => write!(f, "the periods of {range}"),
            Self::All => f.write_str("all periods"),
        }
    }
}
