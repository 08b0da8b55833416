//! Sums by currency, for tables that are not statements.

use billing_core::Amount;
use billing_core::statement::{CurrencySum, sums_by_currency};

use crate::format::document::{Emphasis, NO_NAME, Sum, SummedColumn, Value};

/// Sums the amounts of each currency, in order of first appearance. `rows` has the name, amount and currency
/// of each row. `columns` has the keys of the amount and currency columns.
pub(super) fn by_currency<'a>(
    label: &str,
    rows: impl Iterator<Item = (Option<&'a str>, Option<&'a Amount>, Option<&'a str>)>,
    columns: (&'static str, &'static str),
) -> Vec<Sum> {
    let sums = sums_by_currency(rows);
    let alone = sums.len() == 1;
    let sum = |CurrencySum { currency, amount, excluded, .. }: CurrencySum<Option<&str>>| Sum {
        remark: currency.is_none().then(|| "the server sent no currency".to_owned()),
        tone: Emphasis::Strong,
        excluded: excluded
            .into_iter()
            .map(|(name, reason)| (name.unwrap_or(NO_NAME).to_owned(), reason.to_string()))
            .collect(),
        sum_of: Some(SummedColumn {
            column: columns.0,
            filter: (!alone).then(|| (columns.1, currency.clone().unwrap_or_default())),
        }),
        currency: currency.clone(),
        ..Sum::new(label, Value::money(amount, currency.as_deref()))
    };
    sums.into_iter().map(sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_name_their_currency_and_what_they_leave_out() {
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
            sums.iter().map(|s| (s.value.display_text(), s.currency.as_deref(), s.excluded.len())).collect();
        assert_eq!(
            shown,
            [("3.01".into(), Some("USD"), 1), ("2".into(), Some("JPY"), 0), ("unknown".into(), None, 1)]
        );
        assert_eq!(sums[0].excluded[0].0, NO_NAME);
        assert!(by_currency("Total", std::iter::empty(), ("amount", "currency")).is_empty());
    }
}
