//! A line: one row of an overview with its overage and its charge (B4, B5).

use rust_decimal::Decimal;

use super::charge::LineAmounts;
use super::money::{checked_product, optional_text};
use super::row::{OverviewRow, RowRole};
use super::{Charge, checked_sum};
use crate::Amount;

/// One row of an overview and its charge.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Line {
    /// Its position in the overview's `usages`, from 0.
    pub row: usize,
    /// Its name.
    pub name: Option<String>,
    /// The vendor's part number.
    pub part_number: Option<String>,
    /// The grouping, as the server sent it.
    pub grouping: Option<String>,
    /// The unit of its quantities.
    pub unit: Option<String>,
    /// True if a third party bills it (B8).
    pub third_party: bool,
    /// The quantity used, as the server sent it.
    pub used: Option<Amount>,
    /// The quantity committed to, as the server sent it.
    pub committed: Option<Amount>,
    /// The price of one committed unit, as the server sent it.
    pub prepay_price: Option<Amount>,
    /// The price of one unit of overage, as the server sent it.
    pub overage_price: Option<Amount>,
    /// A multiplier by the schema. It is shown and never computed with (B9).
    pub bundle: Option<Amount>,
    /// Remarks of the vendor.
    pub notes: Option<String>,
    /// The quantity that an allowance includes on top of the commitment (B3); `None` where it is unknown, and for a part of a
    /// rollup.
    #[serde(serialize_with = "optional_text")]
    pub included: Option<Decimal>,
    /// The quantity used beyond committed and included (B4); `None` where it is unknown, and for a part of a rollup.
    #[serde(serialize_with = "optional_text")]
    pub overage: Option<Decimal>,
    /// True if it is a part of a rollup (B6, B7), also of one that was not sent. A part has neither overage
    /// nor charge.
    #[serde(skip)]
    pub rollup_part: bool,
    /// The charge.
    #[serde(flatten)]
    pub charge: Charge,
}

impl Line {
    pub(super) fn new(row: &OverviewRow<'_>, amounts: LineAmounts) -> Self {
        let OverviewRow { index, sent, role, .. } = *row;
        Self {
            row: index,
            name: sent.name.clone(),
            part_number: sent.part_number.clone(),
            grouping: sent.grouping.clone(),
            unit: sent.unit_of_measure_type.clone(),
            third_party: row.is_third_party(),
            used: sent.usage_quantity.clone(),
            committed: sent.prepay_quantity.clone(),
            prepay_price: sent.prepay_price.clone(),
            overage_price: sent.overage_price.clone(),
            bundle: sent.bundle_quantity.clone(),
            notes: sent.usage_notes.clone(),
            included: amounts.included,
            overage: amounts.overage,
            rollup_part: role == RowRole::Part,
            charge: amounts.charge,
        }
    }

    /// Returns true if more was used than was agreed (B4): its overage is known and greater than zero.
    ///
    /// Being over is about quantities. It depends neither on the price of the overage, which may be zero or unknown, nor on
    /// who bills the row.
    pub fn is_over(&self) -> bool {
        is_over(self.overage)
    }

    /// Returns the cost of the overage alone: overage × overage price, exactly. `None` where the charge is unknown, and for a
    /// part of a rollup.
    pub fn overage_charge(&self) -> Option<Decimal> {
        self.charge.amount()?;
        checked_product(self.overage?, self.overage_price.as_ref()?.decimal()?)
    }
}

/// Returns the overage: `used` less `committed` less `included`, and never less than zero (B4).
///
/// `None` where the exact result has more digits than a [`Decimal`] holds.
///
/// ```
/// use billing_core::statement::{is_over, overage};
/// let [used, committed, included] = [10.into(), 4.into(), 3.into()];
/// assert_eq!(overage(used, committed, included), Some(3.into()));
/// assert!(!is_over(overage(committed, used, included)));
/// ```
pub fn overage(used: Decimal, committed: Decimal, included: Decimal) -> Option<Decimal> {
    above_zero(checked_sum(used, -committed)?, included)
}

/// Returns true if an overage, as a quantity or as its charge, is known and greater than zero (B4). An
/// unknown overage gives false and has to be reported as unknown (B10).
pub fn is_over(overage: Option<Decimal>) -> bool {
    overage.is_some_and(|overage| overage > Decimal::ZERO)
}

/// Returns `beyond` (what was used beyond the commitment) less `included`, and never less than zero.
pub(super) fn above_zero(beyond: Decimal, included: Decimal) -> Option<Decimal> {
    Some(checked_sum(beyond, -included)?.max(Decimal::ZERO))
}
