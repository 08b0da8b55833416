//! The trend: the totals of several periods side by side and in sum, and their changes from one to the next.
//!
//! ```
//! use billing_core::model::TrusteeOverview;
//! use billing_core::{Statement, Trend};
//!
//! let month = |start: &str, end: &str, used: &str| -> Result<Statement, serde_json::Error> {
//!     let overview: TrusteeOverview = serde_json::from_str(&format!(
//!         r#"{{"currency":"EUR","billingPeriodStartDate":"{start}T00:00:00Z","billingPeriodEndDate":"{end}T23:59:59Z",
//!             "usages":[{{"name":"CX 2","grouping":"user-license","usageQuantity":"{used}",
//!             "prepayQuantity":"0","prepayPrice":"0","overagePrice":"80"}}]}}"#
//!     ))?;
//!     Ok(Statement::new(&overview))
//! };
//! let trend = Trend::new([month("2026-10-01", "2026-10-31", "15")?, month("2026-09-01", "2026-09-30", "12")?]);
//!
//! let change = trend.changes[0].difference().unwrap();
//! assert_eq!((change.delta, change.percent), (240.into(), Some(25.into())));
//! assert_eq!(trend.totals[0].amount, Some(2160.into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::{Change, CurrencyTotal, CurrencyTotals, MinimumCommitment, Statement, Total};
use crate::history::{PeriodDates, sort_latest_first};
use crate::{PeriodIndex, Timestamp};

/// The totals of several periods of one organisation.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Trend {
    /// The periods, the earliest first.
    pub periods: Vec<PeriodTotal>,
    /// The change of the total into each period from the one before it. The first period has none, so that there is one
    /// change less than there are periods.
    pub changes: Vec<Change>,
    /// The change of the charges of third parties into each period from the one before it.
    pub third_party_changes: Vec<Change>,
    /// The sums of all periods, by currency.
    pub totals: Vec<CurrencyTotal>,
}

/// The total of one period.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PeriodTotal {
    /// The start.
    pub period_start: Option<Timestamp>,
    /// The end, inclusive.
    pub period_end: Option<Timestamp>,
    /// The currency of its amounts.
    pub currency: Option<String>,
    /// The charges of the vendor.
    pub total: Total,
    /// The charges of third parties, which are not in the total (B8).
    pub third_party: Total,
    /// The monthly minimum commitment, where one was agreed (B11).
    pub minimum: Option<MinimumCommitment>,
}

impl Trend {
    /// Computes the trend of periods that stand in the order of a walk back, the latest first; see [`sort_latest_first`].
    pub fn new(latest_first: impl IntoIterator<Item = Statement>) -> Self {
        let mut statements: Vec<Statement> = latest_first.into_iter().collect();
        sort_latest_first(&mut statements, Statement::dates);
        statements.reverse();
        Self::of_ordered(&statements)
    }

    /// Computes the trend of the periods that a walk found, the latest first, each with the index that it was found under.
    ///
    /// If the walk could not read an index between those of two periods, the change between the two is
    /// unknown: the period before the later one is missing, and the change since a still earlier one would
    /// pass for a monthly change.
    pub fn with_gaps(
        latest_first: impl IntoIterator<Item = (PeriodIndex, Statement)>,
        unreadable: &[PeriodIndex],
    ) -> Self {
        let mut periods: Vec<(PeriodIndex, Statement)> = latest_first.into_iter().collect();
        sort_latest_first(&mut periods, |(_, statement)| statement.dates());
        periods.reverse();
        let (indexes, statements): (Vec<PeriodIndex>, Vec<Statement>) = periods.into_iter().unzip();
        let mut trend = Self::of_ordered(&statements);
        for (n, pair) in indexes.windows(2).enumerate() {
            // Dates decide the order, so the later period may have either of the two indexes.
            let is_between =
                |unread: &PeriodIndex| pair.iter().min() < Some(unread) && Some(unread) < pair.iter().max();
            if unreadable.iter().any(is_between) {
                for changes in [&mut trend.changes, &mut trend.third_party_changes] {
                    changes.iter_mut().skip(n).take(1).for_each(|change| *change = Change::Unknown);
                }
            }
        }
        trend
    }

    /// Computes the trend of periods in order, the earliest first.
    pub(super) fn of_ordered(statements: &[Statement]) -> Self {
        let mut totals = CurrencyTotals::default();
        statements.iter().for_each(|statement| totals.add(statement));
        let changes = |total: fn(&Statement) -> &Total| {
            let pairs = statements.iter().zip(statements.iter().skip(1));
            pairs.map(|(earlier, later)| Change::of_totals(earlier, later, total)).collect()
        };
        Self {
            changes: changes(|statement| &statement.total),
            third_party_changes: changes(|statement| &statement.third_party),
            periods: statements.iter().map(PeriodTotal::of).collect(),
            totals: totals.by_currency(),
        }
    }
}

impl PeriodTotal {
    fn of(statement: &Statement) -> Self {
        Self {
            period_start: statement.period_start,
            period_end: statement.period_end,
            currency: statement.currency.clone(),
            total: statement.total.clone(),
            third_party: statement.third_party.clone(),
            minimum: statement.minimum.clone(),
        }
    }

    /// Returns the dates of the period.
    pub fn dates(&self) -> PeriodDates {
        PeriodDates { start: self.period_start, end: self.period_end }
    }

    /// Returns the number of rows whose charge is unknown (B10), third-party rows included.
    pub fn unknown_charges(&self) -> usize {
        self.total.excluded.len() + self.third_party.excluded.len()
    }
}
