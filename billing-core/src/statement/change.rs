//! The change of a figure from one period to the next (B13).

use rust_decimal::Decimal;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Statement, Total, checked_sum, is_same_currency, rounded_to};

/// The change of a figure from an earlier period to a later one (B13).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Both figures are known.
    Known(Difference),
    /// One of the two is unknown, or a period between the two could not be read; so the change is unknown.
    Unknown,
    /// The two are in different currencies or units, so that their difference means nothing.
    Incomparable,
}

/// The later figure less the earlier one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// The exact difference.
    pub delta: Decimal,
    /// Δ ÷ earlier in percent, with all the digits that a [`Decimal`] has room for; serialized with two decimals. `None`
    /// where the earlier figure is zero.
    pub percent: Option<Decimal>,
    /// True if one of the two is a total that excludes rows, so that this is the difference of the known
    /// charges.
    pub partial: bool,
}

impl Change {
    /// Returns the difference, where there is one.
    pub fn difference(&self) -> Option<&Difference> {
        match self {
            Self::Known(difference) => Some(difference),
            Self::Unknown | Self::Incomparable => None,
        }
    }

    pub(super) fn between(earlier: Option<Decimal>, later: Option<Decimal>) -> Self {
        let (Some(earlier), Some(later)) = (earlier, later) else { return Self::Unknown };
        let Some(delta) = checked_sum(later, -earlier) else { return Self::Unknown };
        // `checked_div` refuses a zero: there is no percentage of nothing (B13).
        let percent = delta.checked_div(earlier).and_then(|ratio| ratio.checked_mul(Decimal::ONE_HUNDRED));
        Self::Known(Difference { delta, percent: percent.map(|p| p.normalize()), partial: false })
    }

    pub(super) fn of_totals(earlier: &Statement, later: &Statement, total: fn(&Statement) -> &Total) -> Self {
        if !is_same_currency(earlier.currency.as_deref(), later.currency.as_deref()) {
            return Self::Incomparable;
        }
        let (earlier, later) = (total(earlier), total(later));
        match Self::between(earlier.amount, later.amount) {
            Self::Known(difference) => {
                let partial = !earlier.is_complete() || !later.is_complete();
                Self::Known(Difference { partial, ..difference })
            }
            other => other,
        }
    }
}

impl Serialize for Change {
    /// Writes `{"delta": "240", "percent": "25.00"}`, with `"partial": true` where it is; or both `null`, with `"because"`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let difference = self.difference();
        let percent = difference.and_then(|difference| difference.percent);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("delta", &difference.map(|d| d.delta.to_string()))?;
        map.serialize_entry("percent", &percent.map(|percent| rounded_to(percent, 2).to_string()))?;
        match self {
            Self::Known(difference) if difference.partial => map.serialize_entry("partial", &true)?,
            Self::Known(_) => {}
            Self::Unknown => map.serialize_entry("because", "one of the two is unknown")?,
            Self::Incomparable => {
                map.serialize_entry("because", "the two are in different currencies or units")?;
            }
        }
        map.end()
    }
}
