//! Numbers as text.

use billing_core::statement::rounded_to;
use rust_decimal::Decimal;

/// Returns a number with a comma before each group of three digits: `1,006.50`. What follows the whole number stays as it
/// is.
pub(super) fn with_thousands(number: &str) -> String {
    let start = number.find(|c: char| c.is_ascii_digit()).unwrap_or(number.len());
    let (sign, rest) = number.split_at(start);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (whole, rest) = rest.split_at(end);
    let mut text = sign.to_owned();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

/// Returns a number rounded to three digits, for a chart: `1.23 M`, or `1.23e16` beyond the trillions. The table has the
/// exact number.
pub(super) fn rounded_text(number: Decimal) -> String {
    let mut scaled = number;
    // The rounded number is compared, so that 999,999 is `1 M` and not `1000 k`.
    for unit in ["", " k", " M", " bn", " tn"] {
        if rounded(scaled).abs() < Decimal::ONE_THOUSAND {
            return format!("{}{unit}", rounded(scaled));
        }
        scaled /= Decimal::ONE_THOUSAND;
    }
    let mut exponent = 15;
    while rounded(scaled).abs() >= Decimal::TEN {
        scaled /= Decimal::TEN;
        exponent += 1;
    }
    format!("{}e{exponent}", rounded(scaled))
}

/// Rounds a number to three digits. All digits before the point stay.
fn rounded(number: Decimal) -> Decimal {
    let places = match number.abs() {
        n if n >= Decimal::ONE_HUNDRED => 0,
        n if n >= Decimal::TEN => 1,
        _ => 2,
    };
    rounded_to(number, places).normalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (text, with_commas) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-1234567.8901", "-1,234,567.8901"),
            ("12345.6 %", "12,345.6 %"),
            ("unknown", "unknown"),
        ] {
            assert_eq!(with_thousands(text), with_commas);
        }
    }

    #[test]
    fn short_numbers_keep_three_digits() {
        for (number, text) in [
            ("0", "0"),
            ("0.004", "0"),
            ("7.125", "7.13"),
            ("999.4", "999"),
            ("999.6", "1 k"),
            ("1234", "1.23 k"),
            ("-159562", "-160 k"),
            ("999999", "1 M"),
            ("12345678901234", "12.3 tn"),
            ("12345678901234567890", "1.23e19"),
            ("999999999999999", "1e15"),
            ("-79228162514264337593543950335", "-7.92e28"),
        ] {
            assert_eq!(rounded_text(number.parse().unwrap()), text, "{number}");
        }
    }
}
