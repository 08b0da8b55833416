//! Amounts: quantities, prices and sums of money, kept as the text that the server sent, with an exact
//! decimal value.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{self, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::model::{Scan, Scanner};

/// A quantity, a price or an amount of money, exactly as the server wrote it.
///
/// The reports and the overview carry amounts as JSON strings (`"23.74"`, `"12.000000"`), contracts and
/// invoices as JSON numbers. Both are kept digit for digit and written back in the form in which they came.
/// No binary floating point is used between the wire and [`Amount::decimal`]. A text that is not a number is
/// kept as well: it has no decimal value, and code that computes with it must report that.
///
/// ```
/// use billing_core::Amount;
/// let price = Amount::from("23.740");
/// assert_eq!(price.text(), "23.740");
/// assert_eq!(price.decimal().unwrap().to_string(), "23.740");
/// assert_eq!(Amount::from("unlimited").decimal(), None);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Amount(Text);

/// The text of an amount. Nearly all are short, and an overview has hundreds of them, so short texts are
/// stored inline, without an allocation.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Text {
    /// A text of at most [`INLINE_CAPACITY`] bytes, padded with zeros.
    Short { form: JsonKind, length: u8, bytes: [u8; INLINE_CAPACITY] },
    /// A text that is longer than [`INLINE_CAPACITY`].
    Long { form: JsonKind, text: Box<str> },
}

/// The JSON type of an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum JsonKind {
    String,
    Number,
}

impl Amount {
    /// Returns the text as it was sent, with all its digits.
    pub fn text(&self) -> &str {
        match &self.0 {
            Text::Short { length, bytes, .. } => {
                let text = bytes.get(..usize::from(*length)).and_then(|text| std::str::from_utf8(text).ok());
                debug_assert!(text.is_some(), "it was made of a text");
                text.unwrap_or_default()
            }
            Text::Long { text, .. } => text,
        }
    }

    /// Returns the exact value; `None` if the text is not a decimal number or has more than 28 digits, which
    /// [`Decimal`] could hold only by rounding.
    ///
    /// White space around the number is ignored; an exponent (`1.5e3`, which JSON allows in numbers) is
    /// accepted.
    pub fn decimal(&self) -> Option<Decimal> {
        let text = self.text().trim();
        if text.contains(['e', 'E']) { parse_scientific(text) } else { parse_plain(text) }
    }

    fn new(text: &str, form: JsonKind) -> Self {
        let mut bytes = [0; INLINE_CAPACITY];
        Self(match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(short), Ok(length)) => {
                short.copy_from_slice(text.as_bytes());
                Text::Short { form, length, bytes }
            }
            _ => Text::Long { form, text: text.into() },
        })
    }

    fn form(&self) -> JsonKind {
        match self.0 {
            Text::Short { form, .. } | Text::Long { form, .. } => form,
        }
    }
}

/// Parses a number without an exponent. `_` between digits is refused: `Decimal::from_str_exact` accepts it,
/// as Rust source does, but no server sends money so.
fn parse_plain(text: &str) -> Option<Decimal> {
    if text.contains('_') { None } else { Decimal::from_str_exact(text).ok() }
}

/// Parses `mantissa e exponent` by moving the point, so that the result is exact; `None` if it cannot be.
fn parse_scientific(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let mantissa = parse_plain(mantissa)?;
    let exponent = i32::from_str(exponent).ok().filter(|e| e.abs() <= 60)?;
    let scale = i32::try_from(mantissa.scale()).ok()? - exponent;
    if scale >= 0 {
        let digits = mantissa.mantissa();
        return Decimal::try_from_i128_with_scale(digits, u32::try_from(scale).ok()?).ok();
    }
    let factor = 10_i128.checked_pow(u32::try_from(-scale).ok()?)?;
    Decimal::try_from_i128_with_scale(mantissa.mantissa().checked_mul(factor)?, 0).ok()
}

impl From<&str> for Amount {
    fn from(text: &str) -> Self {
        Self::new(text, JsonKind::String)
    }
}

impl From<Decimal> for Amount {
    fn from(value: Decimal) -> Self {
        Self::new(&value.to_string(), JsonKind::String)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form() {
            JsonKind::String => write!(f, "Amount({:?})", self.text()),
            JsonKind::Number => write!(f, "Amount({})", self.text()),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The raw text is used because every other way to a JSON number goes through a binary float.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        match raw.get().as_bytes().first() {
            Some(b'"') => {
                let text: String = serde_json::from_str(raw.get()).map_err(de::Error::custom)?;
                Ok(Self::new(&text, JsonKind::String))
            }
            Some(b'-' | b'0'..=b'9') => Ok(Self::new(raw.get(), JsonKind::Number)),
            _ => Err(de::Error::custom(format_args!(
                "expected an amount, a string or a number, found {}",
                json_type_name(raw.get())
            ))),
        }
    }
}

impl<'a> Scan<'a> for Amount {
    #[inline]
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        match scanner.peek()? {
            b'"' => {
                let text = scanner.string()?.decoded();
                Some(Self::new(&text, JsonKind::String))
            }
            b'-' | b'0'..=b'9' => {
                let raw: &RawValue = scanner.scan_with_serde()?;
                Some(Self::new(raw.get(), JsonKind::Number))
            }
            _ => None,
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.form() {
            JsonKind::String => serializer.serialize_str(self.text()),
            JsonKind::Number => {
                let raw = RawValue::from_string(self.text().to_owned()).map_err(ser::Error::custom)?;
                raw.serialize(serializer)
            }
        }
    }
}

/// Returns the name of the type of a JSON text that is neither string nor number, for the error message.
fn json_type_name(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        _ => "null",
    }
}

/// The number of bytes that fit into the space that a longer text needs for its address and length.
const INLINE_CAPACITY: usize = 20;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn json(text: &str) -> Amount {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn text_and_form_survive() {
        for text in [r#""23.74""#, r#""12.000000""#, r#""0""#, "0.10", "1e3", "-7", r#""n/a""#, r#""""#] {
            assert_eq!(serde_json::to_string(&json(text)).unwrap(), text);
        }
    }

    #[test]
    fn of_any_length_it_is_the_text_that_came() {
        for length in 0..60 {
            for text in ["7".repeat(length), "ü".repeat(length)] {
                for json in [format!("\"{text}\""), text.clone()] {
                    let amount = serde_json::from_str::<Amount>(&json).ok();
                    assert_eq!(Scanner::scan_str::<Amount>(&json), amount);
                    let Some(amount) = amount else { continue };
                    assert_eq!(
                        (amount.text(), serde_json::to_string(&amount).unwrap()),
                        (&*text, json.clone())
                    );
                    let other = serde_json::from_str::<Amount>(&json.replace(['7', 'ü'], "8")).unwrap();
                    assert_eq!(amount == other, text.is_empty(), "{json}");
                    assert_eq!(amount == Amount::from(&*text), json.starts_with('"'), "{json}");
                }
            }
        }
        assert_eq!(size_of::<Option<Amount>>(), size_of::<(&str, JsonKind)>(), "no larger for it");
    }

    #[test]
    fn it_is_read_from_whatever_serde_json_reads() {
        let text = r#"{"a":0.10,"b":"7"}"#;
        let from_reader: BTreeMap<String, Amount> = serde_json::from_reader(text.as_bytes()).unwrap();
        assert_eq!(from_reader["a"].text(), "0.10");
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        let from_value: BTreeMap<String, Amount> = serde_json::from_value(value).unwrap();
        assert_eq!(from_value["b"], Amount::from("7"));
    }

    #[test]
    fn decimals_are_exact_or_absent() {
        let exact = [
            ("0.1", "0.1"),
            ("12.000000", "12.000000"),
            (" 5 ", "5"),
            ("1e3", "1000"),
            ("1.5E-2", "0.015"),
            ("-0.0001", "-0.0001"),
            ("9999999999999999999999999999", "9999999999999999999999999999"),
            ("0.1234567890123456789012345678", "0.1234567890123456789012345678"),
        ];
        for (text, decimal) in exact {
            assert_eq!(Amount::from(text).decimal().unwrap().to_string(), decimal, "{text}");
        }
        for text in
            ["", "n/a", "1,5", "1_000", "0x10", "NaN", "1e99", "0.12345678901234567890123456789", "1e"]
        {
            assert_eq!(Amount::from(text).decimal(), None, "{text}");
        }
    }

    #[test]
    fn it_prints_its_text_and_debugs_its_form() {
        assert_eq!(
            format!("{}|{:>6}|{:<6}|", json("1.50"), json("1.50"), Amount::from("x")),
            "1.50|  1.50|x     |"
        );
        assert_eq!(format!("{:?} {:?}", json("1.50"), Amount::from("1.50")), "Amount(1.50) Amount(\"1.50\")");
        assert_eq!(Amount::from(Decimal::new(150, 2)).text(), "1.50");
    }

    #[test]
    fn other_json_is_refused_with_its_kind() {
        for (other, kind) in
            [("true", "a boolean"), ("{}", "an object"), ("[1]", "an array"), ("null", "null")]
        {
            let error = serde_json::from_str::<Amount>(other).unwrap_err().to_string();
            assert!(error.contains(kind), "{error}");
        }
    }

    #[test]
    fn exponents_move_the_point_and_never_round() {
        for (text, decimal) in [
            ("1e28", "10000000000000000000000000000"),
            ("1e-28", "0.0000000000000000000000000001"),
            ("12.5e1", "125"),
            ("12.5e0", "12.5"),
            ("-3e2", "-300"),
            ("100e-2", "1.00"),
        ] {
            assert_eq!(Amount::from(text).decimal().unwrap().to_string(), decimal, "{text}");
        }
        for text in ["1e29", "1e-29", "1e61", "1e-61", "e5", "1_0e1", "1e1e1"] {
            assert_eq!(Amount::from(text).decimal(), None, "{text}");
        }
    }
}
