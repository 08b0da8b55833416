//! The names of worksheets, by the rules of spreadsheet programs.

use std::collections::BTreeSet;

use crate::text::printable;

/// Returns a unique valid name for each of `wanted`, changed as little as possible.
pub(super) fn unique<'a>(wanted: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let name = |wanted: &str| {
        let allowed = without_forbidden(wanted);
        let mut name = cut(&allowed, MAX_NAME_UNITS);
        let mut n = 1_u32;
        // The number of sheets is far below the number of suffixes.
        while is_reserved(&name) || !taken.insert(normalized(&name)) {
            n += 1;
            let suffix = format!(" ({n})");
            name = format!("{}{suffix}", cut(&allowed, MAX_NAME_UNITS - suffix.len()));
        }
        name
    };
    wanted.map(name).collect()
}

/// Removes the characters that are forbidden in a name or at its ends.
fn without_forbidden(wanted: &str) -> String {
    let replaced: String = printable(wanted)
        .chars()
        .map(|c| if FORBIDDEN.contains(&c) || ('\u{fffe}'..='\u{ffff}').contains(&c) { '_' } else { c })
        .collect();
    let trimmed = replaced.trim_matches(is_trimmed);
    if trimmed.is_empty() { "Sheet".to_owned() } else { trimmed.to_owned() }
}

/// Cuts text to a number of UTF-16 units, which spreadsheets count, at a character boundary.
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

/// Returns a key that is equal for names that spreadsheet programs treat as equal.
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
        // An apostrophe that ends up last after the cut is removed too.
        assert_eq!(names(&[&format!("{}'{}", "x".repeat(30), "y")]), ["x".repeat(30)]);
    }

    #[test]
    fn history_is_reserved() {
        assert_eq!(names(&["History", "HISTORY"]), ["History (2)", "HISTORY (3)"]);
    }
}
