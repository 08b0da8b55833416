//! The charge of a line, or the reason why it is unknown (B5, B10).

use std::fmt;

use rust_decimal::Decimal;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::allowances::AllowancePools;
use super::money::checked_product;
use super::row::OverviewRow;
use super::{checked_sum, line};
use crate::Amount;

/// The cost of a line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Charge {
    /// committed × prepay price + overage × overage price, exactly (B5).
    Known(Decimal),
    /// It cannot be computed. That is not zero (B10).
    Unknown(UnknownReason),
    /// The line is a part of a rollup, and is charged with it (B6).
    InRollup,
}

/// The reason why a figure is unknown. `Display` is a phrase such as `the server sent no prepayPrice`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownReason {
    /// The server did not send this field.
    MissingField(&'static str),
    /// This field is not a number, or has more digits than can be computed with exactly.
    NotANumber(&'static str, Amount),
    /// The allowance on AI tokens was not sent, and is not guessed (B7).
    MissingAllowance,
    /// The quantity of the allowance is missing or is not a number.
    UnreadableAllowance,
    /// The allowance is shared with an earlier row whose own need is unknown.
    SharedAllowance,
    /// The result has more digits than can be held exactly.
    TooManyDigits,
    /// The line is a part of a rollup that was not sent, so that nothing charges it.
    MissingRollup,
}

impl Charge {
    /// Returns the exact amount, where it is known.
    pub fn amount(&self) -> Option<Decimal> {
        match self {
            Self::Known(amount) => Some(*amount),
            Self::Unknown(_) | Self::InRollup => None,
        }
    }
}

impl Serialize for Charge {
    /// Writes `"charge": "47.48"`, or `"charge": null` with `"unknownBecause"` or `"explainsRollup"`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("charge", &self.amount().map(|amount| amount.to_string()))?;
        match self {
            Self::Known(_) => {}
            Self::Unknown(reason) => map.serialize_entry("unknownBecause", reason)?,
            Self::InRollup => map.serialize_entry("explainsRollup", &true)?,
        }
        map.end()
    }
}

impl fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingField(field) => write!(f, "the server sent no {field}"),
            Self::NotANumber(field, amount) => {
                write!(f, "{field} is {:?}, which is not a number or has too many digits", amount.text())
            }
            Self::MissingAllowance => f.write_str("the server did not send its fair-use allowance"),
            Self::UnreadableAllowance => f.write_str("the quantity of its allowance (fair use) is unknown"),
            Self::SharedAllowance => {
                f.write_str("its allowance is shared with a row whose quantities are unknown")
            }
            Self::TooManyDigits => f.write_str("the result has too many digits to be exact"),
            Self::MissingRollup => f.write_str("it is part of a rollup row that the server did not send"),
        }
    }
}

impl Serialize for UnknownReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The computed figures of a line.
pub(super) struct LineAmounts {
    pub(super) included: Option<Decimal>,
    pub(super) overage: Option<Decimal>,
    pub(super) charge: Charge,
}

impl LineAmounts {
    /// Returns those of a part, which has neither an allowance nor an overage of its own (B6).
    pub(super) fn of_part(charge: Charge) -> Self {
        Self { included: None, overage: None, charge }
    }

    /// Computes those of a row that is charged, which draws its share of the allowances.
    pub(super) fn compute(row: &OverviewRow<'_>, pools: &mut AllowancePools) -> Self {
        let sent = row.sent;
        let used = number("usageQuantity", sent.usage_quantity.as_ref());
        let committed = number("prepayQuantity", sent.prepay_quantity.as_ref());
        let beyond = match (&used, &committed) {
            (Ok(used), Ok(committed)) => checked_sum(*used, -*committed).ok_or(UnknownReason::TooManyDigits),
            (Err(reason), _) | (_, Err(reason)) => Err(reason.clone()),
        };
        // The row draws also where its need is unknown: the other rows of the allowance must learn that.
        let included = pools.draw(row, beyond.as_ref().ok().copied());
        // B4, and by the same formula B7: the use of a rollup is the sum of its parts.
        let overage = beyond.and_then(|beyond| {
            line::above_zero(beyond, included.clone()?).ok_or(UnknownReason::TooManyDigits)
        });
        let charge = || {
            // Each of the four figures must be a number, also a price that would be multiplied by zero (B10).
            let overage = overage.clone()?;
            let prepay_price = number("prepayPrice", sent.prepay_price.as_ref())?;
            let overage_price = number("overagePrice", sent.overage_price.as_ref())?;
            let exact = || {
                let commitment = checked_product(committed.clone().ok()?, prepay_price)?;
                checked_sum(commitment, checked_product(overage, overage_price)?)
            };
            exact().ok_or(UnknownReason::TooManyDigits)
        };
        Self {
            included: included.ok(),
            overage: overage.clone().ok(),
            charge: charge().map_or_else(Charge::Unknown, Charge::Known),
        }
    }
}

/// Returns the number in a field. Both a missing one and a text that is not a number are unknown, never zero (B10).
pub(super) fn number(field: &'static str, amount: Option<&Amount>) -> Result<Decimal, UnknownReason> {
    let amount = amount.ok_or(UnknownReason::MissingField(field))?;
    amount.decimal().ok_or_else(|| UnknownReason::NotANumber(field, amount.clone()))
}
