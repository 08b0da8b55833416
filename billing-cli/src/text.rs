//! Text of others, made fit to be shown.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

/// The text in one line that cannot steer a terminal: without control characters, without those that turn the direction
/// of writing, and without those that cannot be seen.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(|c: char| c.is_control() || is_invisible(c)) {
        let shown = text.chars().map(|c| match c {
            '\t' | '\n' | '\r' => ' ',
            c if c.is_control() || is_invisible(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        });
        Cow::Owned(shown.collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// How many columns of a terminal the text takes.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text in lines of at most `limit` columns, broken between words where that is possible.
pub(crate) fn wrapped(text: &str, limit: usize) -> Vec<String> {
    if width(text) <= limit {
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for mut word in text.split(' ') {
        let gap = usize::from(!line.is_empty());
        if width(&line) + gap + width(word) <= limit {
            if gap == 1 {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        while width(word) > limit {
            let (start, rest) = word.split_at(cut_at(word, limit));
            lines.push(start.to_owned());
            word = rest;
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// `1 row`, `2 rows`.
pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// The length of the longest start of `word` that fits, but at least one character.
fn cut_at(word: &str, limit: usize) -> usize {
    let mut cut = 0;
    for (start, c) in word.char_indices() {
        let end = start + c.len_utf8();
        if start > 0 && width(&word[..end]) > limit {
            break;
        }
        cut = end;
    }
    cut
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
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

    #[test]
    fn lines_are_broken_between_words_or_where_they_must() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrapped("漢字漢字", 4), ["漢字", "漢字"]);
        assert_eq!(wrapped("漢", 1), ["漢"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("short", usize::MAX), ["short"]);
        for limit in 1..12 {
            let text = "a bb ccc dddd eeeee  ffffff";
            let lines = wrapped(text, limit);
            assert!(lines.iter().all(|line| width(line) <= limit), "{limit}: {lines:?}");
            let letters = |s: &str| s.chars().filter(|c| *c != ' ').collect::<String>();
            assert_eq!(letters(&lines.concat()), letters(text));
        }
    }
}
