//! Redaction: removes secrets and unprintable characters from text of other parties.

use crate::Secret;
use crate::values::is_printable;

/// Returns the text as one line. Characters that are not [printable](is_printable) become one space.
pub(crate) fn strip_control_characters(text: &str) -> String {
    let unprintable = |c: char| !is_printable(c);
    if !text.contains(unprintable) {
        return text.to_owned();
    }
    text.split(unprintable).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns text of a response for display and storage: without `secrets`, as one line, and cut to
/// [`MAX_QUOTED_CHARS`] characters.
pub(crate) fn redacted_line(text: String, secrets: &[&Secret]) -> String {
    let text = strip_control_characters(&redacted(text, secrets));
    match text.char_indices().nth(MAX_QUOTED_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Returns true if the text contains the secret, literally or escaped as in JSON or in a URI.
pub(crate) fn contains_secret(text: &str, secret: &Secret) -> bool {
    !secret.expose().is_empty() && split_around_secret(text, secret.expose()).is_some()
}

/// Replaces each of `secrets` in the text by `[secret]`.
pub(crate) fn redacted(text: String, secrets: &[&Secret]) -> String {
    let secrets = secrets.iter().map(|secret| secret.expose()).filter(|secret| !secret.is_empty());
    secrets.fold(text, |text, secret| {
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

/// Splits the text around the first `secret`, literal or escaped as in JSON or in a URI.
fn split_around_secret<'a>(text: &'a str, secret: &str) -> Option<(&'a str, &'a str)> {
    text.char_indices().find_map(|(at, _)| {
        let (before, from) = text.split_at(at);
        let spelled = || secret.chars().try_fold(from, strip_spelled_char);
        from.strip_prefix(secret).or_else(spelled).map(|after| (before, after))
    })
}

/// Strips the character from the start of the text, literal or escaped: `/` may be `\/`, `\u002f` or `%2F`.
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

/// Strips backslashes. JSON nested in JSON has several before one character. The limit keeps a text of
/// backslashes only from taking quadratic time.
fn strip_backslashes(text: &str) -> Option<&str> {
    let escapes = text.bytes().take(MAX_BACKSLASHES).take_while(|byte| *byte == b'\\').count();
    text.get(escapes..).filter(|_| escapes > 0)
}

/// Strips the number, written as this many hexadecimal digits.
fn strip_hex(text: &str, digits: usize, number: u32) -> Option<&str> {
    let (hex, rest) = text.split_at_checked(digits)?;
    (u32::from_str_radix(hex, 16) == Ok(number)).then_some(rest)
}

/// The largest number of backslashes before one character: three nested levels of JSON need 7.
const MAX_BACKSLASHES: usize = 8;
/// The largest number of characters of one quoted text, more than any genuine message has.
pub(super) const MAX_QUOTED_CHARS: usize = 2048;
