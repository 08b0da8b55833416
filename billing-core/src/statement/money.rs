//! Money: exact sums and products, currencies, and rounding for display (B5).

use rust_decimal::{Decimal, RoundingStrategy};
use serde::ser::Serializer;

use super::charge::number;
use super::{UnknownReason, normalized};
use crate::Amount;

/// Returns the exact sum; `None` if it has more digits than a [`Decimal`] holds. [`Decimal::checked_add`]
/// would round it.
///
/// ```
/// use billing_core::statement::checked_sum;
/// use rust_decimal::Decimal;
/// assert_eq!(checked_sum(Decimal::new(15, 1), Decimal::new(5, 1)), Some(Decimal::TWO));
/// assert_eq!(checked_sum(Decimal::MAX, Decimal::new(1, 28)), None);
/// ```
pub fn checked_sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalize(), b.normalize());
    let scale = a.scale().max(b.scale());
    let aligned = |x: Decimal| x.mantissa().checked_mul(10_i128.checked_pow(scale - x.scale())?);
    exact(aligned(a)?.checked_add(aligned(b)?)?, scale)
}

/// Rounds an amount of money for display: to the minor unit of `currency`, half away from zero (B5).
///
/// Without a currency nothing is rounded off, because its minor unit is unknown; see [`decimals`].
///
/// ```
/// use billing_core::statement::rounded;
/// use rust_decimal::Decimal;
/// let amount = Decimal::new(-1005, 3);
/// assert_eq!(rounded(amount, Some("USD")).to_string(), "-1.01");
/// assert_eq!(rounded(amount, Some("JPY")).to_string(), "-1");
/// assert_eq!(rounded(amount, None).to_string(), "-1.005");
/// ```
pub fn rounded(amount: Decimal, currency: Option<&str>) -> Decimal {
    rounded_to(amount, decimals(amount, currency))
}

/// Rounds a number for display: to `decimals` digits after the point, half away from zero, and padded with zeros (B5).
pub fn rounded_to(number: Decimal, decimals: u32) -> Decimal {
    let mut shown = number.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
    // Pads `47.5` to `47.50`; a number that has no room for the zeros stays as it is.
    shown.rescale(decimals);
    shown
}

/// Returns the number of decimals that an amount of money is shown with: those of the currency's minor unit.
///
/// Without a currency the number is that of the amount's own decimals, and at least two: dollars have two
/// decimals and dinars three, so rounding could drop money.
pub fn decimals(amount: Decimal, currency: Option<&str>) -> u32 {
    let currency = normalized(currency);
    match currency.is_empty() {
        true => minor_unit(&currency).max(amount.normalize().scale()),
        false => minor_unit(&currency),
    }
}

/// Returns true if two currencies are the same, whatever their case and the white space around them. Two that were not sent
/// count as the same.
pub fn is_same_currency(a: Option<&str>, b: Option<&str>) -> bool {
    normalized(a) == normalized(b)
}

/// The exact sum of amounts in one currency.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CurrencySum<T> {
    /// The currency, as it was first written; `None` for the amounts without one.
    pub currency: Option<String>,
    /// The exact sum of the known amounts; `None` where none is known.
    pub amount: Option<Decimal>,
    /// The things whose amount is not in it, with the reason (B10).
    pub excluded: Vec<(T, UnknownReason)>,
}

/// Sums up the amounts of things by currency and never across currencies, in the order in which the currencies first come.
///
/// Each thing comes with its amount and its currency, as the server sent them. Currencies are compared as in
/// [`is_same_currency`].
///
/// ```
/// use billing_core::Amount;
/// use billing_core::statement::sums_by_currency;
/// let [one, two] = ["1.10", "2"].map(Amount::from);
/// let sums = sums_by_currency([("a", Some(&one), Some("USD")), ("b", Some(&two), Some("usd")), ("c", None, Some("EUR"))]);
/// assert_eq!((sums[0].currency.as_deref(), sums[0].amount.unwrap().to_string()), (Some("USD"), "3.1".into()));
/// assert_eq!((sums[1].amount, sums[1].excluded[0].0), (None, "c"));
/// ```
pub fn sums_by_currency<'a, T>(
    amounts: impl IntoIterator<Item = (T, Option<&'a Amount>, Option<&'a str>)>,
) -> Vec<CurrencySum<T>> {
    let mut sums: Vec<CurrencySum<T>> = Vec::new();
    for (thing, amount, currency) in amounts {
        let same = |sum: &CurrencySum<T>| is_same_currency(sum.currency.as_deref(), currency);
        let at = sums.iter().position(same).unwrap_or(sums.len());
        if at == sums.len() {
            sums.push(CurrencySum {
                currency: currency.map(str::to_owned),
                amount: None,
                excluded: Vec::new(),
            });
        }
        let Some(sum) = sums.get_mut(at) else { continue };
        let added = number("amount", amount).and_then(|amount| {
            checked_sum(sum.amount.unwrap_or_default(), amount).ok_or(UnknownReason::TooManyDigits)
        });
        match added {
            Ok(amount) => sum.amount = Some(amount),
            Err(reason) => sum.excluded.push((thing, reason)),
        }
    }
    sums
}

/// Returns the exact product; `None` if it has more digits than a [`Decimal`] holds. `Decimal::checked_mul`
/// would round it.
pub(super) fn checked_product(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalize(), b.normalize());
    exact(a.mantissa().checked_mul(b.mantissa())?, a.scale() + b.scale())
}

/// Serializes an amount as a text, which no reader turns into a binary float.
pub(super) fn optional_text<S: Serializer>(
    amount: &Option<Decimal>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) => serializer.collect_str(amount),
        None => serializer.serialize_none(),
    }
}

/// Returns `mantissa / 10^scale` without trailing zeros, if it fits.
fn exact(mut mantissa: i128, mut scale: u32) -> Option<Decimal> {
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    Decimal::try_from_i128_with_scale(mantissa, scale).ok()
}

/// Returns the digits after the point of a normalized currency code, by ISO 4217; 2 for one that is not known.
fn minor_unit(currency: &str) -> u32 {
    match currency {
        "bif" | "clp" | "djf" | "gnf" | "isk" | "jpy" | "kmf" | "krw" | "pyg" | "rwf" | "ugx" | "uyi"
        | "vnd" | "vuv" | "xaf" | "xof" | "xpf" => 0,
        "bhd" | "iqd" | "jod" | "kwd" | "lyd" | "omr" | "tnd" => 3,
        "clf" | "uyw" => 4,
        _ => 2,
    }
}
