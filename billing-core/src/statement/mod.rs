//! The statement: what the rows of an overview mean and what they cost.
//!
//! The server sends quantities and prices, and no sums. The sums follow rules that the vendor publishes in prose and that
//! the applications on this data do not agree on. The decisions of this project are the
//! [billing rules](crate::guide::billing_rules) B1 to B15; the comments here cite them by number.
//!
//! ```text
//!   TrusteeOverview ─► rows by role ─► rollups (B6, B7) ─► allowances (B3, B7) ─► lines (B4, B5) ─► totals (B8 to B11)
//!                      use, rollup,    which parts are      how much of each      overage and       total, third party,
//!                      part, allowance charged elsewhere    goes to which row     charge            minimum commitment
//!
//!   Statements of several periods ─► Trend (totals and their changes), Comparison (row by row, B13)
//! ```
//!
//! ```
//! use billing_core::{Section, Statement};
//! use billing_core::model::TrusteeOverview;
//!
//! let overview: TrusteeOverview = serde_json::from_str(r#"{"currency":"USD","usages":[
//!     {"name":"CX 2","grouping":"user-license","unitOfMeasureType":"seat",
//!      "usageQuantity":"13","prepayQuantity":"10","prepayPrice":"75.00","overagePrice":"85.50"}]}"#)?;
//! let statement = Statement::new(&overview);
//!
//! let users = &statement.sections[0];
//! assert_eq!(users.section, Section::Users);
//! let line = &users.lines[0];
//! assert!(line.is_over());
//! assert_eq!(line.overage.unwrap().to_string(), "3");
//! // 10 × 75.00 + 3 × 85.50, exactly.
//! assert_eq!(line.charge.amount().unwrap().to_string(), "1006.5");
//! assert_eq!(statement.total.amount, line.charge.amount());
//! assert_eq!(statement.rounded(line.charge.amount().unwrap()).to_string(), "1006.50");
//! # Ok::<(), serde_json::Error>(())
//! ```

mod allowances;
mod change;
mod charge;
mod comparison;
mod line;
mod minimum;
mod money;
mod rollups;
mod row;
mod sections;
#[cfg(test)]
mod tests;
mod totals;
mod trend;

use std::collections::BTreeMap;

use rust_decimal::Decimal;

pub use self::allowances::Allowance;
pub use self::change::{Change, Difference};
pub use self::charge::{Charge, UnknownReason};
pub use self::comparison::{ComparedRow, Comparison, Incomparable, PeriodFigures};
pub use self::line::{Line, is_over, overage};
pub use self::minimum::{MinimumCommitment, MinimumStatus};
pub use self::money::{
    CurrencySum, checked_sum, decimals, is_same_currency, rounded, rounded_to, sums_by_currency,
};
pub use self::sections::{Section, SectionLines};
pub use self::totals::{CurrencyTotal, CurrencyTotals, Excluded, Total};
pub use self::trend::{PeriodTotal, Trend};

use self::allowances::AllowancePools;
use self::charge::LineAmounts;
use self::rollups::Rollups;
use self::row::{OverviewRow, RowRole};
use crate::Timestamp;
use crate::history::PeriodDates;
use crate::model::TrusteeOverview;

/// The charges of an overview, line by line and in sum, with the reason for each one that could not be computed.
///
/// All sums are exact; nothing is rounded before [`Statement::rounded`] is called. Amounts are serialized as texts, so that
/// no reader turns them into binary floats.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Statement {
    /// The currency of all prices and charges, as the server named it.
    pub currency: Option<String>,
    /// The start of the billing period.
    pub period_start: Option<Timestamp>,
    /// The end of the billing period, inclusive.
    pub period_end: Option<Timestamp>,
    /// The lines by section, in a fixed order of sections and in the server's order within each. No section is empty.
    pub sections: Vec<SectionLines>,
    /// The `fair-use` rows. They are neither used nor charged (B3).
    pub allowances: Vec<Allowance>,
    /// The charges of the vendor.
    pub total: Total,
    /// The charges of third parties, which are not in the total (B8).
    pub third_party: Total,
    /// The monthly minimum commitment, where one was agreed (B11).
    pub minimum: Option<MinimumCommitment>,
    /// A sentence that says which costs are in none of the totals (B12).
    pub not_included: &'static str,
}

/// The sentence of [`Statement::not_included`], to be shown with every total (B12).
pub const NOT_INCLUDED: &str = "Tax and telco usage are not included.";

impl Statement {
    /// Computes the statement of an overview.
    ///
    /// Rows that share an allowance draw on it in the server's order, third-party rows after all others; the last one takes the
    /// rest, so that no unit is granted twice (B3).
    pub fn new(overview: &TrusteeOverview) -> Self {
        let mut rows: Vec<OverviewRow<'_>> =
            overview.usages().iter().enumerate().map(OverviewRow::read).collect();
        let rollups = Rollups::of(&rows);
        rollups.mark_ai_token_parts(&mut rows);
        let (sections, allowances) = lines(&rows, &rollups);

        let list_sent = overview.usages.is_some();
        let all = || sections.iter().flat_map(|section| &section.lines);
        let total = Total::of(all().filter(|line| !line.third_party), list_sent);
        let third_party = Total::of(all().filter(|line| line.third_party), list_sent);
        let agreed = overview.minimum_monthly_amount.clone();
        Self {
            currency: overview.currency.clone(),
            period_start: overview.billing_period_start_date,
            period_end: overview.billing_period_end_date,
            minimum: agreed.map(|amount| MinimumCommitment::new(amount, &total)),
            sections,
            allowances,
            total,
            third_party,
            not_included: NOT_INCLUDED,
        }
    }

    /// Returns the dates of the billing period.
    pub fn dates(&self) -> PeriodDates {
        PeriodDates { start: self.period_start, end: self.period_end }
    }

    /// Returns all lines, section by section.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.sections.iter().flat_map(|section| &section.lines)
    }

    /// Returns the lines whose use went beyond what was agreed (B4), third-party lines included; see [`Line::is_over`].
    ///
    /// Their number is the one answer to "how many rows are over" in every output.
    pub fn lines_over(&self) -> impl Iterator<Item = &Line> {
        self.lines().filter(|line| line.is_over())
    }

    /// Returns the lines that may be over or not, because their overage is unknown (B10). A part that is charged with its
    /// rollup is none of them: the rollup answers for it (B6).
    pub fn lines_of_unknown_overage(&self) -> impl Iterator<Item = &Line> {
        self.lines().filter(|line| line.overage.is_none() && line.charge != Charge::InRollup)
    }

    /// Returns the number of lines whose charge is in none of the totals because it is unknown (B10), third-party lines included.
    pub fn unknown_charges(&self) -> usize {
        self.total.excluded.len() + self.third_party.excluded.len()
    }

    /// Returns true if the server sent a list of rows. Without one, nothing is known of the period; an empty list costs nothing.
    pub fn has_rows_list(&self) -> bool {
        self.total.amount.is_some() || !self.total.excluded.is_empty()
    }

    /// Returns what the vendor charges for overage. It is a part of [`Statement::total`].
    pub fn overage_total(&self) -> Total {
        Total::of_overage(self.lines().filter(|line| !line.third_party), self.has_rows_list())
    }

    /// Returns what the vendor will charge: the total, or the minimum commitment where that is greater (B11).
    ///
    /// `None` where a charge is unknown that could change it. A minimum that the known charges reach already does not settle
    /// it, because the unknown ones are charged on top.
    pub fn payable(&self) -> Option<Decimal> {
        match &self.minimum {
            Some(MinimumCommitment { status: MinimumStatus::Applies, amount }) => amount.decimal(),
            Some(MinimumCommitment { status: MinimumStatus::Undecided, .. }) => None,
            Some(MinimumCommitment { status: MinimumStatus::Reached, .. }) | None => {
                self.total.amount.filter(|_| self.total.is_complete())
            }
        }
    }

    /// Rounds an amount of this statement for display; see [`rounded`].
    pub fn rounded(&self, amount: Decimal) -> Decimal {
        rounded(amount, self.currency.as_deref())
    }
}

/// Returns the lines by section, and the allowances with whether they found a row to apply to.
fn lines(rows: &[OverviewRow<'_>], rollups: &Rollups) -> (Vec<SectionLines>, Vec<Allowance>) {
    let mut pools = AllowancePools::of(rows);
    // Third-party rows draw on an allowance only after our own rows (B8), wherever the server lists them. So the amounts
    // are computed in that order first, and sorted into sections in the server's order afterwards.
    let mut amounts: BTreeMap<usize, LineAmounts> = BTreeMap::new();
    for third_party in [false, true] {
        for row in rows.iter().filter(|row| row.is_charged() && row.is_third_party() == third_party) {
            amounts.insert(row.index, LineAmounts::compute(row, &mut pools));
        }
    }

    let mut sections: BTreeMap<Section, SectionLines> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.role != RowRole::Allowance) {
        // Only parts have no amounts of their own.
        let amounts = amounts.remove(&row.index).unwrap_or_else(|| match rollups.cover(row) {
            true => LineAmounts::of_part(Charge::InRollup),
            // Without its rollup nothing charges the part. It is reported, because it would be missing from the total unseen.
            false => LineAmounts::of_part(Charge::Unknown(UnknownReason::MissingRollup)),
        });
        sections
            .entry(row.section.normalized())
            .or_insert_with(|| SectionLines { section: row.section.clone(), lines: Vec::new() })
            .lines
            .push(Line::new(row, amounts));
    }
    let allowances = rows.iter().filter_map(|row| Allowance::read(row, &pools)).collect();
    (sections.into_values().collect(), allowances)
}

/// Trims a text and removes its case, as names, groupings, part numbers and currencies are compared (B2, B3, B13).
pub(crate) fn normalized(text: Option<&str>) -> String {
    text.unwrap_or_default().trim().to_lowercase()
}
