//! Text of others, made fit to be shown.

use std::borrow::Cow;

/// The text in one line that cannot steer a terminal: without control characters, without those that turn the direction
/// of writing, and without those that cannot be seen.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(steers) {
        let shown = text.chars().map(|c| match c {
            '\t' | '\n' | '\r' => ' ',
            c if steers(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        });
        Cow::Owned(shown.collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether a character can do more on a terminal than stand there: one that controls it, turns the direction of writing or
/// cannot be seen.
pub(crate) fn steers(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

/// `1 row`, `2 rows`.
pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(printable("a\r\nb\tc"), "a  b c");
        assert_eq!(printable("a\u{9b}31mb\u{202e}c\u{7f}"), "a\u{fffd}31mb\u{fffd}c\u{fffd}");
        assert_eq!(printable("Größe 漢字"), "Größe 漢字");
    }
}
