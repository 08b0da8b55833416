//! Redaction: text of others without secrets and in printable characters.

use crate::Secret;
use crate::values::is_printable;

/// Returns text of others in one line. Characters that are not [printable](is_printable) become one space.
pub(crate) fn strip_control_characters(text: &str) -> String {
    let breaks = |c: char| !is_printable(c);
    if !text.contains(breaks) {
        return text.to_owned();
    }
    text.split(breaks).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Text of an answer as it may be shown and kept: without `secrets`, in one line, and as long as a line may be.
pub(crate) fn redacted_line(text: String, secrets: &[&Secret]) -> String {
    let text = strip_control_characters(&redacted(text, secrets));
    match text.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether the text holds the secret, as it is or as it is written in JSON or in an address.
pub(crate) fn contains_secret(text: &str, secret: &Secret) -> bool {
    !secret.expose().is_empty() && split_around_secret(text, secret.expose()).is_some()
}

pub(crate) fn redacted(text: String, secrets: &[&Secret]) -> String {
    let said = secrets.iter().map(|secret| secret.expose()).filter(|secret| !secret.is_empty());
    said.fold(text, |text, secret| {
        let mut shown = String::new();
        let mut rest = &*text;
        while let Some((before, after)) = split_around_secret(rest, secret) {
            shown.extend([before, "[secret]"]);
            rest = after;
        }
        match shown.is_empty() {
            true => text,
            false => shown + rest,
        }
    })
}

/// What is before and after the first `secret` in the text, as it is or as it is written in JSON or in an address.
fn split_around_secret<'a>(text: &'a str, secret: &str) -> Option<(&'a str, &'a str)> {
    text.char_indices().find_map(|(at, _)| {
        let (before, from) = text.split_at(at);
        let spelled = || secret.chars().try_fold(from, strip_spelled_char);
        from.strip_prefix(secret).or_else(spelled).map(|after| (before, after))
    })
}

/// The rest of a text that begins with the character, as it is or escaped: `/` may be `\/`, `\u002f` or `%2F`.
fn strip_spelled_char(text: &str, c: char) -> Option<&str> {
    let by_unit = || {
        c.encode_utf16(&mut [0; 2]).iter().try_fold(text, |rest, unit| {
            strip_hex(strip_backslashes(rest)?.strip_prefix('u')?, 4, (*unit).into())
        })
    };
    let by_byte = || {
        c.encode_utf8(&mut [0; 4])
            .bytes()
            .try_fold(text, |rest, byte| strip_hex(rest.strip_prefix('%')?, 2, byte.into()))
    };
    let by_itself = || match c {
        '\\' => text.strip_prefix(r"\\"),
        _ => strip_backslashes(text)?.strip_prefix(c),
    };
    by_unit().or_else(by_byte).or_else(by_itself).or_else(|| text.strip_prefix(c))
}

/// What follows a backslash. JSON in a text of JSON has several of them before one character; but a text of nothing else is not
/// gone through from each of them.
fn strip_backslashes(text: &str) -> Option<&str> {
    let escapes = text.bytes().take(MAX_BACKSLASHES).take_while(|byte| *byte == b'\\').count();
    text.get(escapes..).filter(|_| escapes > 0)
}

/// What follows the number in so many hexadecimal digits.
fn strip_hex(text: &str, digits: usize, number: u32) -> Option<&str> {
    let (hex, rest) = text.split_at_checked(digits)?;
    (u32::from_str_radix(hex, 16) == Ok(number)).then_some(rest)
}

/// So many backslashes stand before a character of JSON in JSON in JSON, and one more.
const MAX_BACKSLASHES: usize = 8;
/// How many characters of one text of an answer are shown: more than any message that means well has.
pub(super) const MAX_QUOTED_CHARS: usize = 2048;
