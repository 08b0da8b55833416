//! The names of worksheets, by the rules that spreadsheets have for them.

use std::collections::BTreeSet;

use crate::text::printable;

/// A name for each of `wanted` that is as close to it as the rules allow, no two of them alike.
pub(super) fn unique<'a>(wanted: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let name = |wanted: &str| {
        let allowed = without_forbidden(wanted);
        let mut name = cut(&allowed, MAX_NAME_UNITS);
        let mut n = 1_u32;
        // So many sheets that the numbers run out there are none.
        while is_reserved(&name) || !taken.insert(normalized(&name)) {
            n += 1;
            let suffix = format!(" ({n})");
            name = format!("{}{suffix}", cut(&allowed, MAX_NAME_UNITS - suffix.len()));
        }
        name
    };
    wanted.map(name).collect()
}

/// Without the characters that a name may not have, or not at its ends.
fn without_forbidden(wanted: &str) -> String {
    let replaced: String = printable(wanted)
        .chars()
        .map(|c| if FORBIDDEN.contains(&c) || ('\u{fffe}'..='\u{ffff}').contains(&c) { '_' } else { c })
        .collect();
    let trimmed = replaced.trim_matches(is_trimmed);
    if trimmed.is_empty() { "Sheet".to_owned() } else { trimmed.to_owned() }
}

/// At most so many UTF-16 units, which is how spreadsheets count, and no whole character less than that.
fn cut(name: &str, units: usize) -> String {
    let mut length = 0;
    let kept = name.chars().take_while(|c| {
        length += c.len_utf16();
        length <= units
    });
    kept.collect::<String>().trim_end_matches(is_trimmed).to_owned()
}

fn is_trimmed(c: char) -> bool {
    c == '\'' || c.is_whitespace()
}

fn is_reserved(name: &str) -> bool {
    normalized(name) == "history"
}

/// What is equal for names that spreadsheets take for the same.
fn normalized(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

const MAX_NAME_UNITS: usize = 31;
const FORBIDDEN: [char; 7] = ['[', ']', ':', '*', '?', '/', '\\'];

#[cfg(test)]
mod tests {
    use super::*;

    fn names(wanted: &[&str]) -> Vec<String> {
        unique(wanted.iter().copied())
    }

    #[test]
    fn forbidden_characters_are_replaced() {
        assert_eq!(names(&["A/B [x]: *y*? \\z"]), ["A_B _x__ _y__ _z"]);
        assert_eq!(
            names(&["'quoted'", " ' x ' ", "''", "", "a\u{0}b\nc"]),
            ["quoted", "x", "Sheet", "Sheet (2)", "a\u{fffd}b c"]
        );
        assert_eq!(names(&["it's"]), ["it's"]);
    }

    #[test]
    fn names_are_unique_without_regard_to_case() {
        assert_eq!(
            names(&["Org", "ORG", "org ", "Straße", "STRASSE"]),
            ["Org", "ORG (2)", "org (3)", "Straße", "STRASSE (2)"]
        );
        assert_eq!(names(&["a (2)", "A", "a"]), ["a (2)", "A", "a (3)"]);
    }

    #[test]
    fn names_are_short_in_utf_16() {
        let long = "x".repeat(40);
        let made = names(&[&long, &long]);
        assert_eq!(made, ["x".repeat(31), format!("{} (2)", "x".repeat(27))]);
        let emoji = names(&[&"🦀".repeat(20)]);
        assert_eq!(emoji, ["🦀".repeat(15)]);
        // An apostrophe that only the cut puts at the end goes too.
        assert_eq!(names(&[&format!("{}'{}", "x".repeat(30), "y")]), ["x".repeat(30)]);
    }

    #[test]
    fn history_is_reserved() {
        assert_eq!(names(&["History", "HISTORY"]), ["History (2)", "HISTORY (3)"]);
    }
}
