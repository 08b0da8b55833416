//! The file format of organisation lists: one id per line, optionally with a name.

use std::borrow::Cow;

use csv::{Position, ReaderBuilder, Trim};

use super::{QueriedOrg, unguarded};

/// The content of a list file.
#[derive(Debug, Default)]
pub struct OrgList {
    /// The organisations in file order.
    pub organizations: Vec<QueriedOrg>,
    /// The number of skipped organisations whose trust is not enabled.
    pub disabled: usize,
}

/// Parses CSV separated by commas, semicolons or tabs: an id and an optional name per line. `#` starts a
/// comment, and a first line can name the columns. The output of `trustors --format csv` is accepted.
pub fn parse(text: &str) -> Result<OrgList, String> {
    // Normalize line ends. Blanks around a line are removed, but a leading tab is an empty cell.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.split('\n').map(|line| line.trim_matches(' ')).collect();
    let delimiter = lines
        .iter()
        .filter(|line| !is_blank_or_comment(line))
        .find_map(|line| line.find(DELIMITERS).map(|at| line.as_bytes()[at]));
    let delimiter = delimiter.unwrap_or(b',');
    let text = lines.join("\n");
    if let Some(line) = first_bad_quote(&text, delimiter.into()) {
        return Err(format!("line {line}: invalid CSV quoting: write \"Acme\" or \"5\"\" pipes\""));
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .delimiter(delimiter)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let (mut list, mut columns) = (OrgList::default(), None);
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let mut cells: Vec<&str> = record.iter().collect();
        // Ids contain no tabs, so this line uses another delimiter.
        if let [only] = cells[..] {
            cells = only.split('\t').map(str::trim).collect();
        }
        if cells.iter().all(|cell| cell.is_empty()) {
            continue;
        }
        let columns = match columns {
            Some(columns) => columns,
            None => {
                let heading = ColumnIndexes::from_heading(&cells);
                let columns = *columns.insert(heading.unwrap_or(ColumnIndexes::DEFAULT));
                if heading.is_some() {
                    continue;
                }
                columns
            }
        };
        let cell = |at: usize| unguarded(cells.get(at).copied().unwrap_or_default());
        let id = cell(columns.id)
            .parse()
            .map_err(|error| format!("line {}: {error}", line_number(&text, record.position())))?;
        if columns.enabled.is_some_and(|at| cell(at).eq_ignore_ascii_case("false")) {
            list.disabled += 1;
            continue;
        }
        let name = columns.name.map(cell).filter(|name| !name.is_empty());
        list.organizations.push(QueriedOrg { id, name: name.map(Cow::into_owned) });
    }
    Ok(list)
}

fn is_blank_or_comment(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

/// Returns the line of the first quote that is not closed at the end of its cell. Such a quote would swallow
/// the lines after it.
fn first_bad_quote(text: &str, delimiter: char) -> Option<usize> {
    enum CsvState {
        Line,
        Comment,
        Cell,
        Inside,
        Quoted,
        Closed,
    }
    let (mut at, mut line, mut opened) = (CsvState::Line, 1, 1);
    for c in text.chars() {
        at = match (at, c) {
            (CsvState::Line, '#') => CsvState::Comment,
            (CsvState::Line | CsvState::Cell, '"') => {
                opened = line;
                CsvState::Quoted
            }
            (CsvState::Quoted, '"') => CsvState::Closed,
            (CsvState::Closed, '"') | (CsvState::Quoted, _) => CsvState::Quoted,
            (_, '\n') => CsvState::Line,
            (CsvState::Comment, _) => CsvState::Comment,
            (_, c) if c == delimiter => CsvState::Cell,
            (CsvState::Closed, ' ') => CsvState::Closed,
            (CsvState::Closed, _) => return Some(opened),
            _ => CsvState::Inside,
        };
        line += usize::from(c == '\n');
    }
    matches!(at, CsvState::Quoted).then_some(opened)
}

/// Returns the line number of a record, which can follow blank lines or comments.
fn line_number(text: &str, position: Option<&Position>) -> usize {
    let at = position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or_default();
    let (before, from) = text.split_at_checked(at).unwrap_or(("", text));
    before.matches('\n').count() + from.split('\n').take_while(|line| is_blank_or_comment(line)).count() + 1
}

/// The positions of the cells in a line.
#[derive(Clone, Copy)]
struct ColumnIndexes {
    id: usize,
    name: Option<usize>,
    enabled: Option<usize>,
}

impl ColumnIndexes {
    /// The columns of a list without a heading.
    const DEFAULT: Self = Self { id: 0, name: Some(1), enabled: None };

    /// Reads the columns from a heading with the column names of this program's output.
    fn from_heading(heading: &[&str]) -> Option<Self> {
        let at = |names: &[&str]| {
            heading.iter().position(|cell| names.iter().any(|name| cell.eq_ignore_ascii_case(name)))
        };
        let id = at(&["id", "organizationId"])?;
        Some(Self { id, name: at(&["name", "organizationName"]), enabled: at(&["enabled"]) })
    }
}

const DELIMITERS: [char; 3] = [',', ';', '\t'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_names_and_comments() {
        let text = "\u{feff}# ours\n\n  o-1  \no-2, Acme, Inc.\r\no-3\tTab\tmore\n\"o-4\",\"A, \"\"B\"\"\",true\n#o-5\n";
        let read: Vec<_> =
            parse(text).unwrap().organizations.into_iter().map(|n| (n.id.to_string(), n.name)).collect();
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(
            read,
            [
                ("o-1".into(), None),
                ("o-2".into(), some("Acme")),
                ("o-3".into(), some("Tab")),
                ("o-4".into(), some("A, \"B\"")),
            ]
        );
        assert_eq!(parse("id,name,enabled\no-1,A,true\n").unwrap().organizations.len(), 1);
    }

    #[test]
    fn nothing_is_lost_whatever_program_wrote_the_list() {
        for text in [
            "o-1,A\ro-2,B\r",
            "\u{feff}id;name\r\no-1;A\r\n\r\no-2;\"B\"\r\n",
            "name,id\nA,o-1\nB,o-2\n",
            "organizationId,organizationName,currency\no-1,A,USD\no-2,B,USD\n",
            "currency\tOrganizationName\torganizationid\n\tA\to-1\nUSD\tB\to-2\n",
        ] {
            let read = parse(text).unwrap().organizations;
            let read: Vec<_> = read.iter().map(|n| (n.id.as_str(), n.name.as_deref())).collect();
            assert_eq!(read, [("o-1", Some("A")), ("o-2", Some("B"))], "{text:?}");
        }
        // A second heading is read as an id.
        assert_eq!(parse("id\no-1\nid\n").unwrap().organizations.len(), 2);
    }

    #[test]
    fn a_quote_that_swallows_lines_is_refused_and_one_that_does_not_is_not() {
        for (text, line) in [
            ("o-1,\"Acme\no-2,Beta\n", 1),
            ("# \"\no-1,\"Acme\no-2,\"Beta\"\n", 2),
            ("o-1,A\n\no-2,\"a \"b\" c\"\n", 3),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.starts_with(&format!("line {line}: invalid CSV quoting")), "{text:?}: {why}");
        }
        let read = parse("# say \"hi\no-1,5\" pipes\no-2,\"B\" \no-3,\"\"\"\"\n").unwrap().organizations;
        let names: Vec<_> = read.iter().map(|named| named.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["5\" pipes", "B", "\""]);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let why = parse("# a\r\n\r\nid,name\r\no-1,\"x\r\ny\"\r\n  # b\r\n..,A\r\n").unwrap_err();
        assert!(why.starts_with("line 7: "), "{why}");
        let why = parse("o-1\n\n..\n").unwrap_err();
        assert!(why.starts_with("line 3: ") && why.contains("\"..\""), "{why}");
        assert!(parse("# nothing\n").unwrap().organizations.is_empty());
    }
}
