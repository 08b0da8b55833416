//! Escaping of cells that a spreadsheet would evaluate as formulas.

use std::borrow::Cow;

/// Escapes text so that no spreadsheet reads it, or a part of it after a semicolon, as a formula. Removes
/// control characters. Plain numbers, also negative ones, stay numbers, and the marks of right-to-left
/// scripts stay, because they are part of names.
pub fn guarded(cell: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    let cell = match cell.contains(steers) {
        true => Cow::Owned(cell.replace(steers, "\u{fffd}")),
        false => Cow::Borrowed(cell),
    };
    if is_negative_number(&cell) || formula_starts(&cell).next().is_none() {
        return cell;
    }
    let (mut marked, mut from) = (String::with_capacity(cell.len() + 8), 0);
    for (at, _) in formula_starts(&cell) {
        marked += &cell[from..at];
        marked.push(TEXT_PREFIX);
        from = at;
    }
    Cow::Owned(marked + &cell[from..])
}

/// Removes the escaping of [`guarded`].
pub fn unguarded(cell: &str) -> Cow<'_, str> {
    let marked = || formula_starts(cell).filter(|(_, marked)| *marked);
    if marked().next().is_none() {
        return Cow::Borrowed(cell);
    }
    let (mut plain, mut from) = (String::with_capacity(cell.len()), 0);
    for (at, _) in marked() {
        plain += &cell[from..at - TEXT_PREFIX.len_utf8()];
        from = at;
    }
    Cow::Owned(plain + &cell[from..])
}

/// The positions in a cell where a formula can begin: the start of the cell, and after a character that some
/// programs use as cell or row separator, with or without blanks or quotes between.
fn formula_starts(cell: &str) -> impl Iterator<Item = (usize, bool)> {
    enum FormulaScan {
        Begin,
        Marked,
        Inside,
    }
    let place = |place: &mut FormulaScan, (at, c): (usize, char)| {
        let before = std::mem::replace(place, FormulaScan::Inside);
        let marked = matches!(before, FormulaScan::Marked);
        *place = match (before, c) {
            (_, ';' | '|' | '\t' | '\n' | '\r') => FormulaScan::Begin,
            // Add one mark to existing marks, so that unescaping restores the original text.
            (FormulaScan::Begin | FormulaScan::Marked, TEXT_PREFIX) => FormulaScan::Marked,
            // Some locales read the full-width forms as the narrow characters.
            (FormulaScan::Begin | FormulaScan::Marked, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠') =>
            {
                return Some(Some((at, marked)));
            }
            (FormulaScan::Begin, c) if c == '"' || c.is_whitespace() => FormulaScan::Begin,
            _ => FormulaScan::Inside,
        };
        Some(None)
    };
    cell.char_indices().scan(FormulaScan::Begin, place).flatten()
}

/// The character that makes a cell text.
const TEXT_PREFIX: char = '\'';

pub(super) fn is_negative_number(cell: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(number) = cell.strip_prefix('-') else { return false };
    match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_would_run_are_made_harmless() {
        for cell in
            ["=1+1", "+1", "@SUM(A1)", "-1+cmd|'/C calc'!A0", "--1", "-", "-1.", "-1e5", "＝1", "'=1", "'-7"]
        {
            assert_eq!(guarded(cell), format!("'{cell}"));
            assert_eq!(unguarded(&guarded(cell)), cell);
        }
        for cell in [
            "-1",
            "-23.74",
            "12",
            "a=b",
            "",
            "user@example.com",
            "Größe",
            "two\nlines",
            "' =1",
            "a; b-c",
            "'a",
        ] {
            assert_eq!(guarded(cell), cell);
            assert_eq!(unguarded(cell), cell);
        }
        assert_eq!(guarded("=\u{1b}[2J"), "'=\u{fffd}[2J");
    }

    #[test]
    fn what_others_take_for_cells_of_their_own_is_made_harmless_too() {
        for (cell, harmless_cell) in [
            ("Acme;=cmd|'/C calc'!A0;", "Acme;'=cmd|'/C calc'!A0;"),
            ("a;-1;+1; @a", "a;'-1;'+1; '@a"),
            ("a|=1\t=2\n=3\r=4\r\n＝5", "a|'=1\t'=2\n'=3\r'=4\r\n'＝5"),
            ("\t=1", "\t'=1"),
            (" =1", " '=1"),
            ("a;\"=1\"", "a;\"'=1\""),
            ("a;\u{a0} \"\" +1", "a;\u{a0} \"\" '+1"),
            ("a;'=1", "a;''=1"),
            ("-1;2", "'-1;2"),
        ] {
            assert_eq!(guarded(cell), harmless_cell);
            assert_eq!(unguarded(harmless_cell), cell);
        }
    }
}
