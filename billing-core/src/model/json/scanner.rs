//! A fast parser from JSON bodies to models.
//!
//! `serde_json` defines which bodies are valid. This scanner handles the usual form of bodies, several times as fast: it knows the
//! expected fields, borrows strings from the body, and passes rare forms on to `serde_json`. It reports no errors. If it gives up,
//! the whole body is parsed with `serde_json`, which finds the error and its location.
//!
//! The scanner accepts exactly what `serde_json` accepts, with the same result. Property tests and fuzz targets check this.
//!
//! The scanner also counts the memory that a value takes. Three bytes of a body can become a row of 256 bytes, and later steps need
//! more for the row: without a bound, a body within its own limit could exhaust the memory (rule D14).

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

/// A type that the scanner can parse.
pub(crate) trait Scan<'a>: Sized {
    /// Parses the next value. Returns `None` if the scanner gives up.
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self>;
}

/// A model that the macro `model!` defined.
pub(crate) trait ScanFields: Default {
    /// The set of fields that have occurred.
    type Seen: Default;

    /// Parses the value of a field.
    fn scan_field(&mut self, name: &str, seen: &mut Self::Seen, scanner: &mut Scanner<'_>) -> Option<()>;

    /// Finishes the model after the last field.
    fn finish(&mut self);
}

/// The reason why the scanner returned no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScanError {
    /// The body is invalid, or in a rare form; `serde_json` decides.
    Invalid,
    /// At this byte the value exceeded the memory limit for a body of its length.
    MemoryLimit { position: usize },
}

/// A position in a JSON text. A method that returns `None` has given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    position: usize,
    /// The memory in bytes that the value may still take; `None` after the limit was exceeded.
    memory_left: Option<usize>,
}

impl<'a> Scanner<'a> {
    /// Starts at the beginning of a text that is already known to be valid.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, position: 0, memory_left: Some(usize::MAX) }
    }

    /// Parses such a text as one value.
    pub(crate) fn scan_str<T: Scan<'a>>(text: &'a str) -> Option<T> {
        Self::new(text).scan_single()
    }

    /// Parses a body as one value, within the memory limit for its length.
    pub(crate) fn scan_body<T: Scan<'a>>(text: &'a str) -> Result<T, ScanError> {
        let room = text.len().saturating_mul(MEMORY_PER_BODY_BYTE).saturating_add(BASE_MEMORY_LIMIT);
        let mut scanner = Self { memory_left: Some(room), ..Self::new(text) };
        scanner.scan_single().ok_or(match scanner.memory_left {
            Some(_) => ScanError::Invalid,
            None => ScanError::MemoryLimit { position: scanner.position },
        })
    }

    fn scan_single<T: Scan<'a>>(&mut self) -> Option<T> {
        let value = T::scan(self)?;
        self.peek().is_none().then_some(value)
    }

    /// Counts memory that is taken in addition to the text.
    #[inline]
    pub(crate) fn charge(&mut self, bytes: usize) -> Option<()> {
        self.memory_left = self.memory_left?.checked_sub(bytes);
        self.memory_left.map(drop)
    }

    /// Parses a value that is not kept, without counting its memory.
    #[inline]
    pub(crate) fn without_charge<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let room = self.memory_left;
        let value = read(self)?;
        self.memory_left = room;
        Some(value)
    }

    /// Returns the index of the current byte.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Returns a part of the text.
    #[inline]
    pub(crate) fn slice(&self, part: Range<usize>) -> Option<&'a str> {
        self.text.get(part)
    }

    /// Returns the first byte of the next token.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.position) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.position += 1,
                other => return other.copied(),
            }
        }
    }

    /// Consumes a token of one byte.
    #[inline]
    pub(crate) fn expect_byte(&mut self, byte: u8) -> Option<()> {
        if self.peek() != Some(byte) {
            return None;
        }
        self.position += 1;
        Some(())
    }

    /// Consumes a token of several bytes without white space before it.
    #[inline]
    pub(crate) fn expect_bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let rest = self.text.as_bytes().get(self.position..)?;
        if !rest.starts_with(bytes) {
            return None;
        }
        self.position += bytes.len();
        Some(())
    }

    /// Consumes a fixed number of bytes.
    #[inline]
    pub(crate) fn take_array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let bytes = self.text.as_bytes().get(self.position..)?.first_chunk()?;
        self.position += N;
        Some(bytes)
    }

    /// Consumes the part of a string before the next escape or quote, and returns its range.
    #[inline]
    pub(crate) fn take_unescaped(&mut self) -> Range<usize> {
        let start = self.position;
        self.position = find_special_byte(self.text.as_bytes(), start);
        start..self.position
    }

    /// Parses an object; `field` parses the values.
    #[inline]
    pub(crate) fn object(&mut self, mut field: impl FnMut(&mut Self, &str) -> Option<()>) -> Option<()> {
        self.expect_byte(b'{')?;
        self.delimited(b'}', |scanner| {
            let text;
            let name = match scanner.unescaped_string() {
                Some(name) => name,
                None => {
                    text = unescaped(scanner.escaped_string()?);
                    &text
                }
            };
            scanner.expect_byte(b':')?;
            field(scanner, name)
        })
    }

    /// Parses an array; `element` parses the values.
    #[inline]
    pub(crate) fn array(&mut self, element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect_byte(b'[')?;
        self.delimited(b']', element)
    }

    #[inline]
    fn delimited(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.expect_byte(end).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.expect_byte(b',').is_none() {
                return self.expect_byte(end);
            }
        }
    }

    /// Parses a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<JsonString<'a>> {
        match self.unescaped_string() {
            Some(raw) => Some(JsonString { raw, escaped: false }),
            None => self.escaped_string().map(|raw| JsonString { raw, escaped: true }),
        }
    }

    /// Parses a string without escapes.
    #[inline]
    fn unescaped_string(&mut self) -> Option<&'a str> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let start = self.position + 1;
        let end = find_special_byte(self.text.as_bytes(), start);
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return None;
        }
        self.position = end + 1;
        self.text.get(start..end)
    }

    /// Parses a string with escapes. It checks the escapes and leaves them in place.
    #[cold]
    fn escaped_string(&mut self) -> Option<&'a str> {
        self.expect_byte(b'"')?;
        let bytes = self.text.as_bytes();
        let mut end = find_special_byte(bytes, self.position);
        while bytes.get(end)? == &b'\\' {
            end = find_special_byte(bytes, end + 2);
        }
        let raw = self.text.get(self.position..end)?;
        unescape(raw, |_| ())?;
        self.position = end;
        self.expect_bytes(b"\"").map(|()| raw)
    }

    /// Parses any value with `serde_json`.
    pub(crate) fn scan_with_serde<T: Deserialize<'a>>(&mut self) -> Option<T> {
        let mut values = serde_json::Deserializer::from_str(self.text.get(self.position..)?).into_iter();
        let value = values.next()?.ok()?;
        self.position += values.byte_offset();
        Some(value)
    }
}

/// A valid string with its escapes, without the quotes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonString<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> JsonString<'a> {
    /// Returns the string if it has no escapes.
    #[inline]
    pub(crate) fn without_escapes(raw: &'a str) -> Self {
        Self { raw, escaped: false }
    }

    /// Returns the string with its escapes resolved.
    #[inline]
    pub(crate) fn decoded(self) -> Cow<'a, str> {
        match self.escaped {
            false => Cow::Borrowed(self.raw),
            true => Cow::Owned(unescaped(self.raw)),
        }
    }
}

/// Returns the index of the first quote, backslash or control character from `start` on, or the length of the text if there is none.
#[inline]
fn find_special_byte(bytes: &[u8], start: usize) -> usize {
    let Some(rest) = bytes.get(start..) else { return bytes.len() };
    // Checks eight bytes at a time: the highest bit of the first byte that is below `limit` gets set.
    let below = |limit: u8, eight: u64| eight.wrapping_sub(splat(limit)) & !eight;
    let (eights, last) = rest.as_chunks();
    for (index, eight) in eights.iter().enumerate() {
        let eight = u64::from_le_bytes(*eight);
        let found = below(b' ', eight) | below(1, eight ^ splat(b'"')) | below(1, eight ^ splat(b'\\'));
        let found = found & splat(0x80);
        if found != 0 {
            return start + index * 8 + (found.trailing_zeros() / 8) as usize;
        }
    }
    let plain = last.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..b' ')).count();
    start + eights.len() * 8 + plain
}

const fn splat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Returns a string with its escapes, which are valid, resolved.
fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let valid = unescape(raw, |part| text.push_str(part));
    debug_assert!(valid.is_some());
    text
}

/// Resolves the escapes. Returns `None` if one is invalid.
fn unescape(raw: &str, mut part: impl FnMut(&str)) -> Option<()> {
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        part(plain);
        let kind;
        let mut utf8 = [0; 4];
        (kind, rest) = escape.split_at_checked(1)?;
        part(match kind {
            "\"" | "\\" | "/" => kind,
            "b" => "\u{8}",
            "f" => "\u{c}",
            "n" => "\n",
            "r" => "\r",
            "t" => "\t",
            "u" => {
                let mut code = take_hex4(&mut rest)?;
                // The first half of a surrogate pair.
                if (0xd800..0xdc00).contains(&code) {
                    rest = rest.strip_prefix("\\u")?;
                    let low = take_hex4(&mut rest)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    code = 0x1_0000 + ((code - 0xd800) << 10) + low;
                }
                char::from_u32(code)?.encode_utf8(&mut utf8)
            }
            _ => return None,
        });
    }
    part(rest);
    Some(())
}

/// Consumes four hexadecimal digits.
fn take_hex4(rest: &mut &str) -> Option<u32> {
    let digits;
    (digits, *rest) = rest.split_at_checked(4)?;
    digits.chars().try_fold(0, |value, digit| Some(value * 16 + digit.to_digit(16)?))
}

impl<'a> Scan<'a> for JsonString<'a> {
    #[inline]
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.string()
    }
}

impl<'a> Scan<'a> for String {
    #[inline]
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.string().map(|text| text.decoded().into_owned())
    }
}

impl<'a> Scan<'a> for bool {
    #[inline]
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        match scanner.peek()? {
            b't' => scanner.expect_bytes(b"true").map(|()| true),
            _ => scanner.expect_bytes(b"false").map(|()| false),
        }
    }
}

impl<'a> Scan<'a> for u64 {
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.scan_with_serde()
    }
}

impl<'a> Scan<'a> for &'a RawValue {
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.scan_with_serde()
    }
}

impl<'a, T: Scan<'a>> Scan<'a> for Option<T> {
    #[inline]
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        match scanner.peek()? {
            b'n' => scanner.expect_bytes(b"null").map(|()| None),
            _ => T::scan(scanner).map(Some),
        }
    }
}

impl<'a, T: Scan<'a>> Scan<'a> for Vec<T> {
    #[inline]
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        let mut all = Self::new();
        scanner.array(|scanner| {
            scanner.charge(size_of::<T>() + DOWNSTREAM_MEMORY_PER_ROW)?;
            all.push(T::scan(scanner)?);
            Some(())
        })?;
        Some(all)
    }
}

/// The memory that every body may take, and the factor for each byte of its length. A real row has a few hundred bytes, and its
/// model takes about as many.
const BASE_MEMORY_LIMIT: usize = 16 << 20;
const MEMORY_PER_BODY_BYTE: usize = 4;
/// The memory that later steps need for each entry of a list: a line of a statement, a row of a table.
const DOWNSTREAM_MEMORY_PER_ROW: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::model::{
        ContractList, InvoiceList, Resources, TrusteeOverview, TrustorList, UsageReport, UsageResource,
    };

    /// Checks that the scanner accepts what `serde_json` accepts, with the same result.
    fn same<T: for<'a> Scan<'a> + DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str) {
        assert_eq!(Scanner::scan_str::<T>(text), serde_json::from_str::<T>(text).ok(), "{text}");
    }

    #[test]
    fn small_values_are_those_of_serde_json() {
        let plain = "thirty characters and a few more";
        let texts = r#"|a|12345678|ü|a/b|田中|\"|\\|\/\b\f\n\r\t|\u00e9|\u00E9x|\ud83d\ude00|\ud83d|\ude00|\ud83d\u0041
            |\ud83dx|\ud83d\ud83d|\u12|\u+123|\u12g4|\u00ü|\x|\|\\\|\ü|"|"""#;
        let controls = ["\0", "\n", "\u{1f}", "\u{7f}", "\u{80}"];
        let texts = texts.split('|').map(str::trim).chain(controls);
        for text in texts {
            for padding in 0..9 {
                let padding = &plain[..padding];
                same::<String>(&format!("\"{padding}{text}\""));
                same::<String>(&format!("\"{padding}{text}{plain}\""));
                same::<Vec<Option<String>>>(&format!("[\"{text}{padding}\", null,\"{text}\"]"));
            }
        }
        for text in [
            "true",
            "false",
            "null",
            " true\r\n",
            "tru",
            "truee",
            "nul",
            "nulll",
            "TRUE",
            "1",
            "\u{a0}true",
            "\u{feff}true",
        ] {
            same::<Option<bool>>(text);
            same::<Vec<bool>>(&format!("[{text}]"));
        }
        for text in [
            "[]",
            "[ ]",
            "[,]",
            "[true,]",
            "[true,,true]",
            "[true true]",
            "[true",
            "[true]]",
            "[true}",
            "{}",
            "\t[\ntrue\r, false ] ",
        ] {
            same::<Vec<bool>>(text);
        }
    }

    #[test]
    fn whatever_one_byte_changes_serde_json_agrees() {
        let report = r#"{ "status":"Complete","\u0069d":null,"new":[-1.5e3,{"a":"]"}],"usages":[{"totalUsage":7,"name":"\"CX\" 1",
            "resources":[{"name":"user1@example.com","date":"2025-07-01T03:19:11.696Z"},{},{"date":"2025-07-02T01:28:06Z" ,
            "name":"Größe","x":true}],"totalUsage":"1.0"}, {"totalUsage":"2","resources":null}]}"#;
        let overview = r#"{"organization":{"id":"o1"},"enabledProducts":["a","b"],"subscriptionType":"PREPAY","rampPeriodEndDate":
            "2018-08-31T23:59:59+00:00","inRampPeriod":false,"usages":[{"usageQuantity":12.50,"isThirdParty":true}]}"#;
        let report = report.replace(",\"totalUsage\":\"1.0\"", "");
        let trustors = r#"{"entities":[{"id":"t1","enabled":true,"dateCreated":"2024-02-29T00:00:00Z","organization":{"id":"o1"}}],
            "pageSize":25,"pageNumber":1,"pageCount":2,"total": 26,"nextUri":"/api/v2/orgauthorization/trustors?pageNumber=2"}"#;
        let contracts = r#"{"entities":[{"id":"c1","status":"ACTIVE","dateStart":"2026-01-01","x":[1e2]}],"nextUri":"?after=a"}"#;
        let invoices =
            r#"{"entities":[{"id":"i1","total":1234.5600,"dateDue":"2026-10-31"}],"selfUri":null}"#;
        for (text, check) in [
            (report.as_str(), same::<UsageReport> as fn(&str)),
            (overview, same::<TrusteeOverview>),
            (trustors, same::<TrustorList>),
            (contracts, same::<ContractList>),
            (invoices, same::<InvoiceList>),
        ] {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok());
            check(text);
            for (at, c) in text.char_indices() {
                let (before, after) = (&text[..at], &text[at + c.len_utf8()..]);
                check(before);
                check(&format!("{before}{after}"));
                check(&format!("{before}{c}{c}{after}"));
                for new in [
                    "\"", "\\", "{", "}", "[", "]", ",", ":", " ", "\n", "\u{1}", "0", "9", "-", "e", "n",
                    "t", "é",
                ] {
                    check(&format!("{before}{new}{after}"));
                    check(&format!("{before}{new}{c}{after}"));
                }
            }
        }
    }

    #[test]
    fn a_resource_of_an_impossible_date_does_not_give_way_to_the_one_behind_it() {
        let possible = r#"{"name":"b","date":"2025-07-01T03:19:11.696Z"}"#;
        for impossible in ["2025-02-30T00:00:00.000Z", "2025-07-01T24:00:00.000Z", "2025-07-01T00:00:61.000Z"]
        {
            let impossible = format!(r#"{{"name":"a","date":"{impossible}"}}"#);
            for between in ["", ",", " "] {
                same::<Vec<UsageResource>>(&format!("[{impossible}{between}{possible}]"));
                same::<Resources>(&format!("[{impossible}{between}{possible}]"));
                same::<UsageReport>(&format!(
                    r#"{{"usages":[{{"resources":[{impossible}{between}{possible},{possible}]}}]}}"#
                ));
            }
        }
    }

    #[test]
    fn a_field_twice_is_left_to_serde_json_to_refuse() {
        for text in
            [r#"{"status":"Complete","status":"Complete"}"#, r#"{"usages":[{"name":null,"na\u006de":"x"}]}"#]
        {
            same::<UsageReport>(text);
            assert!(Scanner::scan_str::<UsageReport>(text).is_none());
        }
    }
}
