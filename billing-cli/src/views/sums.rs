//! Sums of amounts that other things than a statement have, by currency and never across.

use billing_core::{Amount, exact_sum};
use rust_decimal::Decimal;

use crate::format::document::{Adds, NO_NAME, Sum, Tone, Value};

/// The sum of the amounts in each currency, in the order in which the currencies come. `rows`: the name of each, its amount
/// and its currency. `columns`: the keys of the columns of the amounts and of the currencies.
pub(super) fn by_currency<'a>(
    label: &str,
    rows: impl Iterator<Item = (Option<&'a str>, Option<&'a Amount>, Option<&'a str>)>,
    columns: (&'static str, &'static str),
) -> Vec<Sum> {
    let mut sums: Vec<OfCurrency<'_>> = Vec::new();
    for (name, amount, currency) in rows {
        let at = sums.iter().position(|(there, ..)| *there == currency).unwrap_or(sums.len());
        if at == sums.len() {
            sums.push((currency, None, Vec::new()));
        }
        let Some((_, sum, left_out)) = sums.get_mut(at) else { continue };
        let because = match amount.map(Amount::decimal) {
            None => "no amount was sent",
            Some(None) => "its amount cannot be computed with",
            Some(Some(amount)) => match exact_sum(sum.unwrap_or_default(), amount) {
                Some(longer) => {
                    *sum = Some(longer);
                    continue;
                }
                None => "the sum has more digits than can be held exactly",
            },
        };
        left_out.push((name.unwrap_or(NO_NAME).to_owned(), because.to_owned()));
    }
    let alone = sums.len() == 1;
    let sum = |(currency, sum, left_out): OfCurrency<'_>| Sum {
        currency: currency.map(str::to_owned),
        remark: currency.is_none().then(|| "in a currency that was not sent".to_owned()),
        tone: Tone::Strong,
        left_out,
        adds: Some(Adds {
            column: columns.0,
            only: (!alone).then(|| (columns.1, currency.unwrap_or_default().to_owned())),
        }),
        ..Sum::new(label, Value::money(sum, currency))
    };
    sums.into_iter().map(sum).collect()
}

/// A currency, the sum in it, and what is not in that, with why.
type OfCurrency<'a> = (Option<&'a str>, Option<Decimal>, Vec<(String, String)>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_are_never_summed_up_and_what_is_no_number_is_left_out() {
        let [one, two, odd] = ["1.005", "2", "n/a"].map(Amount::from);
        let rows = [
            (Some("a"), Some(&one), Some("USD")),
            (Some("b"), Some(&two), Some("JPY")),
            (Some("c"), Some(&two), Some("USD")),
            (None, Some(&odd), Some("USD")),
            (Some("e"), None, None),
        ];
        let sums = by_currency("Total", rows.into_iter(), ("amount", "currency"));
        let shown: Vec<_> =
            sums.iter().map(|s| (s.value.shown(), s.currency.as_deref(), s.left_out.len())).collect();
        assert_eq!(
            shown,
            [("3.01".into(), Some("USD"), 1), ("2".into(), Some("JPY"), 0), ("unknown".into(), None, 1)]
        );
        assert_eq!(sums[0].left_out[0].0, NO_NAME);
        assert!(by_currency("Total", std::iter::empty(), ("amount", "currency")).is_empty());
    }
}
