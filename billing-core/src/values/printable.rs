//! Text from other sources, made safe to print on a terminal and in a log.

use std::borrow::Cow;

/// Returns the text in one line that cannot control a terminal: tabs and line ends become spaces, and any other character
/// that is not [printable](is_printable) becomes U+FFFD.
///
/// ```
/// use billing_core::values::printable;
/// assert_eq!(printable("Größe\u{1b}[2J\n漢字"), "Größe\u{fffd}[2J 漢字");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_printable) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().map(|c| match c {
        '\t' | '\n' | '\r' => ' ',
        c if is_printable(c) => c,
        _ => char::REPLACEMENT_CHARACTER,
    });
    Cow::Owned(shown.collect())
}

/// Returns true if a character only appears on a terminal and has no other effect.
///
/// Control characters (line ends included), characters that change the direction of writing, which can make a
/// text look like another one, and invisible characters are not printable.
pub fn is_printable(c: char) -> bool {
    let turns_or_hides = matches!(c,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}');
    !c.is_control() && !turns_or_hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_controls_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(printable("a\r\nb\tc"), "a  b c");
        assert_eq!(printable("a\u{9b}31mb\u{202e}c\u{7f}"), "a\u{fffd}31mb\u{fffd}c\u{fffd}");
        assert!(matches!(printable("Größe 漢字"), Cow::Borrowed("Größe 漢字")));
    }

    #[test]
    fn directions_of_writing_and_invisible_characters_are_not_printable() {
        let all = "\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{61c}\u{200b}\u{2028}\u{2060}\u{feff}\u{e0041}";
        assert!(!all.chars().any(is_printable));
        // Joiners shape letters of many languages.
        assert!("\u{200c}\u{200d} ~é".chars().all(is_printable));
    }
}
