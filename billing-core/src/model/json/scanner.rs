//! The fast way from a body to the models.
//!
//! What a body is, `serde_json` decides. This scanner is for what bodies nearly always are, and several times faster there: it
//! knows the fields that it looks for, takes strings from the body as they stand, and passes what is rare on to `serde_json`.
//! It makes no errors but gives up, and then the whole body is read with `serde_json`, which finds what is wrong and where.
//!
//! So it takes what `serde_json` takes and nothing else, as the same value. Properties and fuzz targets hold it to that.
//!
//! Beyond that it keeps account of the memory that a value fills. Three bytes of an answer can be a row of a quarter of a
//! kilobyte, and what is made of the row takes more: without a bound, a body that is within its own would fill the memory.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What can be scanned.
pub(crate) trait Scan<'a>: Sized {
    /// The value that comes next, or `None` where the scanner gives up.
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self>;
}

/// A model, as its macro makes it.
pub(crate) trait Model: Default {
    /// Which of its fields have been there.
    type Seen: Default;

    /// Takes the value of a field.
    fn scan_field(&mut self, name: &str, seen: &mut Self::Seen, scanner: &mut Scanner<'_>) -> Option<()>;

    /// Comes after the last field.
    fn settle(&mut self);
}

/// Why there is no value of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GaveUp {
    /// It is not what it should be; `serde_json` finds out where.
    Unreadable,
    /// At this byte it had filled more memory than its length is good for.
    Full { at: usize },
}

/// A place in a JSON text. Whatever gives `None` where it should find a value has given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// How many bytes of memory the value may still fill; `None` once it would have filled more.
    room: Option<usize>,
}

impl<'a> Scanner<'a> {
    /// At the beginning of a text that was taken before, or is our own.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, room: Some(usize::MAX) }
    }

    /// Reads such a text, which is one value.
    pub(crate) fn whole<T: Scan<'a>>(text: &'a str) -> Option<T> {
        Self::new(text).one()
    }

    /// Reads a body, which is one value, as far as that fills no more memory than what is honest does.
    pub(crate) fn body<T: Scan<'a>>(text: &'a str) -> Result<T, GaveUp> {
        let room = text.len().saturating_mul(FOR_EACH_BYTE).saturating_add(FOR_EACH_BODY);
        let mut scanner = Self { room: Some(room), ..Self::new(text) };
        scanner.one().ok_or(match scanner.room {
            Some(_) => GaveUp::Unreadable,
            None => GaveUp::Full { at: scanner.at },
        })
    }

    fn one<T: Scan<'a>>(&mut self) -> Option<T> {
        let value = T::scan(self)?;
        self.peek().is_none().then_some(value)
    }

    /// Fills so many bytes of memory, beside what is in the text itself.
    #[inline]
    pub(crate) fn fill(&mut self, bytes: usize) -> Option<()> {
        self.room = self.room?.checked_sub(bytes);
        self.room.map(drop)
    }

    /// Reads what is not kept, and fills nothing.
    #[inline]
    pub(crate) fn passing<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let room = self.room;
        let value = read(self)?;
        self.room = room;
        Some(value)
    }

    /// The index of the byte that it has come to.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// A part of the text.
    #[inline]
    pub(crate) fn part(&self, part: Range<usize>) -> Option<&'a str> {
        self.text.get(part)
    }

    /// The first byte of the next token.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Takes a token of one byte.
    #[inline]
    pub(crate) fn token(&mut self, byte: u8) -> Option<()> {
        if self.peek() != Some(byte) {
            return None;
        }
        self.at += 1;
        Some(())
    }

    /// Takes a token of several bytes, with no space before it.
    #[inline]
    pub(crate) fn literal(&mut self, bytes: &[u8]) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at..)?;
        if !rest.starts_with(bytes) {
            return None;
        }
        self.at += bytes.len();
        Some(())
    }

    /// Takes so many bytes, whatever they are.
    #[inline]
    pub(crate) fn bytes<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let bytes = self.text.as_bytes().get(self.at..)?.first_chunk()?;
        self.at += N;
        Some(bytes)
    }

    /// Takes the plain part of a string that it stands in, and says where that is.
    #[inline]
    pub(crate) fn plain_part(&mut self) -> Range<usize> {
        let start = self.at;
        self.at = special(self.text.as_bytes(), start);
        start..self.at
    }

    /// Takes an object, its values by `field`.
    #[inline]
    pub(crate) fn object(&mut self, mut field: impl FnMut(&mut Self, &str) -> Option<()>) -> Option<()> {
        self.token(b'{')?;
        self.list(b'}', |scanner| {
            let text;
            let name = match scanner.plain() {
                Some(name) => name,
                None => {
                    text = unescaped(scanner.escaped()?);
                    &text
                }
            };
            scanner.token(b':')?;
            field(scanner, name)
        })
    }

    /// Takes an array, its values by `element`.
    #[inline]
    pub(crate) fn array(&mut self, element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.token(b'[')?;
        self.list(b']', element)
    }

    #[inline]
    fn list(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.token(end).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.token(b',').is_none() {
                return self.token(end);
            }
        }
    }

    /// Takes a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<Text<'a>> {
        match self.plain() {
            Some(raw) => Some(Text { raw, escaped: false }),
            None => self.escaped().map(|raw| Text { raw, escaped: true }),
        }
    }

    /// Takes a string that has no escapes.
    #[inline]
    fn plain(&mut self) -> Option<&'a str> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let start = self.at + 1;
        let end = special(self.text.as_bytes(), start);
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        self.text.get(start..end)
    }

    /// Takes a string that may have escapes, as it stands. The escapes are valid.
    #[cold]
    fn escaped(&mut self) -> Option<&'a str> {
        self.token(b'"')?;
        let bytes = self.text.as_bytes();
        let mut end = special(bytes, self.at);
        while bytes.get(end)? == &b'\\' {
            end = special(bytes, end + 2);
        }
        let raw = self.text.get(self.at..end)?;
        unescape(raw, |_| ())?;
        self.at = end;
        self.literal(b"\"").map(|()| raw)
    }

    /// Takes any value, by `serde_json`.
    pub(crate) fn other<T: Deserialize<'a>>(&mut self) -> Option<T> {
        let mut values = serde_json::Deserializer::from_str(self.text.get(self.at..)?).into_iter();
        let value = values.next()?.ok()?;
        self.at += values.byte_offset();
        Some(value)
    }
}

/// A string as it stands between its quotes, where it is valid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Text<'a> {
    /// One without escapes.
    #[inline]
    pub(crate) fn plain(raw: &'a str) -> Self {
        Self { raw, escaped: false }
    }

    /// The string that is meant.
    #[inline]
    pub(crate) fn value(self) -> Cow<'a, str> {
        match self.escaped {
            false => Cow::Borrowed(self.raw),
            true => Cow::Owned(unescaped(self.raw)),
        }
    }
}

/// The index of the first byte from `start` on that is no plain part of a string: a quote, a backslash or a control
/// character. The number of bytes where there is none.
#[inline]
fn special(bytes: &[u8], start: usize) -> usize {
    let Some(rest) = bytes.get(start..) else { return bytes.len() };
    // Eight at a time: where a byte is below `limit`, and in no byte before, its highest bit is set.
    let below = |limit: u8, eight: u64| eight.wrapping_sub(each(limit)) & !eight;
    let (eights, last) = rest.as_chunks();
    for (index, eight) in eights.iter().enumerate() {
        let eight = u64::from_le_bytes(*eight);
        let found = below(b' ', eight) | below(1, eight ^ each(b'"')) | below(1, eight ^ each(b'\\'));
        let found = found & each(0x80);
        if found != 0 {
            return start + index * 8 + (found.trailing_zeros() / 8) as usize;
        }
    }
    let plain = last.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..b' ')).count();
    start + eights.len() * 8 + plain
}

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// What stands between quotes, with its escapes undone, which are valid.
fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let valid = unescape(raw, |part| text.push_str(part));
    debug_assert!(valid.is_some());
    text
}

/// Undoes the escapes; `None` where one is not valid.
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
                let mut code = hex(&mut rest)?;
                // The first half of a pair that is one character.
                if (0xd800..0xdc00).contains(&code) {
                    rest = rest.strip_prefix("\\u")?;
                    let low = hex(&mut rest)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
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

/// Takes four hexadecimal digits.
fn hex(rest: &mut &str) -> Option<u32> {
    let digits;
    (digits, *rest) = rest.split_at_checked(4)?;
    digits.chars().try_fold(0, |value, digit| Some(value * 16 + digit.to_digit(16)?))
}

impl<'a> Scan<'a> for Text<'a> {
    #[inline]
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.string()
    }
}

impl<'a> Scan<'a> for String {
    #[inline]
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.string().map(|text| text.value().into_owned())
    }
}

impl<'a> Scan<'a> for bool {
    #[inline]
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        match scanner.peek()? {
            b't' => scanner.literal(b"true").map(|()| true),
            _ => scanner.literal(b"false").map(|()| false),
        }
    }
}

impl<'a> Scan<'a> for u64 {
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.other()
    }
}

impl<'a> Scan<'a> for &'a RawValue {
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        scanner.other()
    }
}

impl<'a, T: Scan<'a>> Scan<'a> for Option<T> {
    #[inline]
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        match scanner.peek()? {
            b'n' => scanner.literal(b"null").map(|()| None),
            _ => T::scan(scanner).map(Some),
        }
    }
}

impl<'a, T: Scan<'a>> Scan<'a> for Vec<T> {
    #[inline]
    fn scan(scanner: &mut Scanner<'a>) -> Option<Self> {
        let mut all = Self::new();
        scanner.array(|scanner| {
            scanner.fill(size_of::<T>() + WHAT_FOLLOWS)?;
            all.push(T::scan(scanner)?);
            Some(())
        })?;
        Some(all)
    }
}

/// What a body may fill: so much in any case, and so many bytes for each of its own. An honest row has a few hundred bytes, and
/// so has what is kept of it.
const FOR_EACH_BODY: usize = 16 << 20;
const FOR_EACH_BYTE: usize = 4;
/// What is made of an entry of a list further on: a line of a statement, of a table.
const WHAT_FOLLOWS: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::model::{
        ContractList, InvoiceList, Resources, TrusteeOverview, TrustorList, UsageReport, UsageResource,
    };

    /// The scanner takes what `serde_json` takes, all of it, and as the same.
    fn same<T: for<'a> Scan<'a> + DeserializeOwned + PartialEq + std::fmt::Debug>(text: &str) {
        assert_eq!(Scanner::whole::<T>(text), serde_json::from_str::<T>(text).ok(), "{text}");
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
            assert!(Scanner::whole::<UsageReport>(text).is_none());
        }
    }
}
