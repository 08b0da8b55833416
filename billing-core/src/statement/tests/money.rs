//! Tests of sums, products, rounding and currencies.

use super::super::money::checked_product;
use super::*;

#[test]
fn b05_rounding_is_half_away_from_zero_in_the_minor_unit() {
    for (amount, currency, shown) in [
        ("2.345", "USD", "2.35"),
        ("-2.345", "usd ", "-2.35"),
        ("2.5", "JPY", "3"),
        ("-2.5", "JPY", "-3"),
        ("2.5", "KWD", "2.500"),
        ("2.00005", "CLF", "2.0001"),
        ("47.5", "???", "47.50"),
        ("79228162514264337593543950335", "USD", "79228162514264337593543950335"),
    ] {
        assert_eq!(
            rounded(amount.parse().unwrap(), Some(currency)).to_string(),
            shown,
            "{amount} {currency}"
        );
    }
}

#[test]
fn b05_products_and_sums_are_exact_or_nothing() {
    let n = |text: &str| text.parse::<Decimal>().unwrap();
    assert_eq!(checked_product(n("0.0001"), n("10000")).unwrap().to_string(), "1");
    assert_eq!(checked_product(n("1.10"), n("2.50")).unwrap().to_string(), "2.75");
    assert_eq!(
        checked_product(n("0.00000000000001"), n("0.00000000000001")).unwrap(),
        n("0.0000000000000000000000000001")
    );
    assert_eq!(checked_product(n("0.000000000000001"), n("0.00000000000001")), None);
    assert_eq!(checked_sum(n("0.5"), n("-0.50")).unwrap().to_string(), "0");
    assert_eq!(
        checked_sum(n("99999999999999"), n("0.00000000000001")).unwrap().to_string(),
        "99999999999999.00000000000001"
    );
    assert_eq!(checked_sum(n("999999999999999"), n("0.000000000000001")), None);
    // Trailing zeros do not count as digits.
    assert_eq!(
        checked_product(n("20000000000000000000000000000"), n("0.5")).unwrap(),
        n("10000000000000000000000000000")
    );
}

#[test]
fn b05_without_a_currency_nothing_is_rounded_off() {
    for (amount, currency, shown) in [
        ("12.345", None, "12.345"),
        ("0.001", Some(" "), "0.001"),
        ("1.500", None, "1.50"),
        ("-7", Some(""), "-7.00"),
        ("-0.001", None, "-0.001"),
    ] {
        assert_eq!(rounded(amount.parse().unwrap(), currency).to_string(), shown, "{amount} {currency:?}");
    }
    assert_eq!(rounded_to("12.25".parse().unwrap(), 1).to_string(), "12.3");
}

#[test]
fn currencies_are_compared_without_case_and_white_space() {
    assert!(is_same_currency(Some("EUR"), Some(" eur")) && is_same_currency(None, Some("")));
    assert!(!is_same_currency(Some("EUR"), Some("USD")) && !is_same_currency(Some("EUR"), None));
}

#[test]
fn sums_by_currency_are_never_across_and_exclude_what_is_no_number() {
    let [one, two, odd, big] = ["1.005", "2", "n/a", "79228162514264337593543950335"].map(Amount::from);
    let sums = sums_by_currency([
        ("a", Some(&one), Some("USD")),
        ("b", Some(&two), Some("JPY")),
        ("c", Some(&two), Some(" usd")),
        ("d", Some(&odd), Some("USD")),
        ("e", None, None),
        ("f", Some(&big), Some("Usd")),
    ]);
    let shown: Vec<_> = sums.iter().map(|sum| (sum.currency.as_deref(), text(sum.amount))).collect();
    assert_eq!(shown, [(Some("USD"), "3.005".into()), (Some("JPY"), "2".into()), (None, "unknown".into())]);
    let reasons: Vec<_> =
        sums[0].excluded.iter().map(|(thing, reason)| format!("{thing}: {reason}")).collect();
    assert_eq!(
        reasons,
        [
            "d: amount is \"n/a\", which is not a number or has too many digits",
            "f: the result has too many digits to be exact"
        ]
    );
    assert_eq!(sums[2].excluded, [("e", UnknownReason::MissingField("amount"))]);
    assert!(sums_by_currency::<()>([]).is_empty());
}
