//! A list of organisations in a file: an id a line, and perhaps a name.

use std::io::{self, Read};
use std::path::Path;

use billing_core::OrgId;
use csv::{ReaderBuilder, Trim};

use crate::failure::Failure;

/// An organisation that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) id: OrgId,
    pub(crate) name: Option<String>,
}

/// Reads the file; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<Named>, Failure> {
    let mut text = String::new();
    let read = match path == Path::new("-") {
        true => io::stdin().lock().read_to_string(&mut text).map(drop),
        false => std::fs::read_to_string(path).map(|read| text = read),
    };
    let refuse = |why: &str| Failure::Usage(format!("--orgs {}: {why}", path.display()));
    read.map_err(|error| refuse(&format!("it cannot be read, {error}")))?;
    let named = parse(&text).map_err(|why| refuse(&why))?;
    if named.is_empty() { Err(refuse("it names no organisation")) } else { Ok(named) }
}

/// An id a line, after a comma or a tab a name; `#` begins a comment, and a first line that names columns is one too.
fn parse(text: &str) -> Result<Vec<Named>, String> {
    let mut named = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut cells = cells(line).into_iter();
        let id = cells.next().unwrap_or_default();
        if named.is_empty() && COLUMNS.iter().any(|column| id.eq_ignore_ascii_case(column)) {
            continue;
        }
        let id = id.parse().map_err(|error| format!("line {number}: {error}"))?;
        named.push(Named { id, name: cells.next().filter(|name| !name.is_empty()) });
    }
    Ok(named)
}

/// The cells of a line, which may be in quotes as in CSV.
fn cells(line: &str) -> Vec<String> {
    let delimiter = line.bytes().find(|byte| matches!(byte, b',' | b'\t')).unwrap_or(b',');
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .trim(Trim::All)
        .from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(str::to_owned).collect()
}

/// What the column of the ids is called in what this program prints.
const COLUMNS: [&str; 2] = ["id", "organizationId"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_names_and_comments() {
        let text = "\u{feff}# ours\n\n  o-1  \no-2, Acme, Inc.\r\no-3\tTab\tmore\n\"o-4\",\"A, \"\"B\"\"\",true\n#o-5\n";
        let read: Vec<_> = parse(text).unwrap().into_iter().map(|n| (n.id.to_string(), n.name)).collect();
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
        assert_eq!(parse("id,name,enabled\no-1,A,true\n").unwrap().len(), 1);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let why = parse("o-1\n\n..\n").unwrap_err();
        assert!(why.starts_with("line 3: ") && why.contains("\"..\""), "{why}");
        assert!(parse("# nothing\n").unwrap().is_empty());
    }
}
