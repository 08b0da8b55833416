//! A list of organisations in a file: an id a line, and perhaps a name.

use std::io::{self, Read};
use std::path::Path;

use billing_core::OrgId;
use billing_core::model::TrusteeOverview;
use csv::{ReaderBuilder, Trim};
use serde::Serialize;

use crate::failure::Failure;

/// An organisation that is asked about. The answer need not say whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Named {
    pub(crate) id: OrgId,
    /// What we know of its name before it is asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

impl Named {
    /// What the answer calls it, or else what we do.
    pub(crate) fn id_in<'a>(&'a self, overview: &'a TrusteeOverview) -> &'a str {
        let sent = overview.organization.as_ref().and_then(|organization| organization.id.as_deref());
        sent.unwrap_or(self.id.as_str())
    }

    /// The same of its name, if anybody says one.
    pub(crate) fn name_in<'a>(&'a self, overview: &'a TrusteeOverview) -> Option<&'a str> {
        let sent = overview.organization.as_ref().and_then(|organization| organization.name.as_deref());
        sent.or(self.name.as_deref())
    }

    /// Whether we know something of it that the answer does not say.
    pub(crate) fn adds_to(&self, overview: &TrusteeOverview) -> bool {
        let sent = overview.organization.as_ref();
        let says_id = sent.is_some_and(|organization| organization.id.is_some());
        let says_name = sent.is_some_and(|organization| organization.name.is_some());
        !says_id || (!says_name && self.name.is_some())
    }
}

impl From<OrgId> for Named {
    fn from(id: OrgId) -> Self {
        Self { id, name: None }
    }
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

/// An id a line, after a comma, a semicolon or a tab a name; `#` begins a comment, and a first line may name the columns.
fn parse(text: &str) -> Result<Vec<Named>, String> {
    let mut named = Vec::new();
    let mut columns = None;
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    for (number, line) in (1..).zip(text.lines()) {
        // A tab at the beginning is an empty cell.
        let line = line.trim_matches(' ');
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let cells = cells(line);
        let (id, name) = match columns {
            Some(columns) => columns,
            None => {
                let heading = heading(&cells);
                let known = *columns.insert(heading.unwrap_or(USUAL));
                if heading.is_some() {
                    continue;
                }
                known
            }
        };
        let cell = |at: usize| cells.get(at).map(String::as_str).unwrap_or_default();
        let id = cell(id).parse().map_err(|error| format!("line {number}: {error}"))?;
        let name = name.map(cell).filter(|name| !name.is_empty());
        named.push(Named { id, name: name.map(str::to_owned) });
    }
    Ok(named)
}

/// Where a line that names columns has the ids, and perhaps the names.
fn heading(cells: &[String]) -> Option<(usize, Option<usize>)> {
    let at = |names: [&str; 2]| {
        cells.iter().position(|cell| names.iter().any(|name| cell.eq_ignore_ascii_case(name)))
    };
    Some((at(IDS)?, at(NAMES)))
}

/// The cells of a line, which may be in quotes as in CSV.
fn cells(line: &str) -> Vec<String> {
    let delimiter = line.bytes().find(|byte| matches!(byte, b',' | b';' | b'\t')).unwrap_or(b',');
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter)
        .trim(Trim::All)
        .from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(str::to_owned).collect()
}

/// Where a list without a heading has them.
const USUAL: (usize, Option<usize>) = (0, Some(1));
/// What the columns are called in what this program prints.
const IDS: [&str; 2] = ["id", "organizationId"];
const NAMES: [&str; 2] = ["name", "organizationName"];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Somebody, for documents of an answer that need not say whose it is.
    pub(crate) fn asked() -> Named {
        "asked-1".parse::<OrgId>().unwrap().into()
    }

    #[test]
    fn an_answer_that_does_not_say_whose_it_is_is_that_of_who_was_asked() {
        let named = Named { name: Some("Listed".to_owned()), ..asked() };
        for (organization, said, adds) in [
            ("null", ("asked-1", Some("Listed")), true),
            (r#"{"id":"sent-1","name":"Sent"}"#, ("sent-1", Some("Sent")), false),
            (r#"{"id":"sent-1"}"#, ("sent-1", Some("Listed")), true),
            (r#"{"name":"Sent"}"#, ("asked-1", Some("Sent")), true),
        ] {
            let overview = serde_json::from_str(&format!(r#"{{"organization":{organization}}}"#)).unwrap();
            assert_eq!((named.id_in(&overview), named.name_in(&overview)), said);
            assert_eq!(named.adds_to(&overview), adds, "{organization}");
        }
        let overview = serde_json::from_str(r#"{"organization":{"id":"sent-1"}}"#).unwrap();
        assert_eq!((asked().name_in(&overview), asked().adds_to(&overview)), (None, false));
    }

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
    fn nothing_is_lost_whatever_program_wrote_the_list() {
        for text in [
            "o-1,A\ro-2,B\r",
            "\u{feff}id;name\r\no-1;A\r\n\r\no-2;\"B\"\r\n",
            "name,id\nA,o-1\nB,o-2\n",
            "organizationId,organizationName,currency\no-1,A,USD\no-2,B,USD\n",
            "currency\tOrganizationName\torganizationid\n\tA\to-1\nUSD\tB\to-2\n",
        ] {
            let read = parse(text).unwrap();
            let read: Vec<_> = read.iter().map(|n| (n.id.as_str(), n.name.as_deref())).collect();
            assert_eq!(read, [("o-1", Some("A")), ("o-2", Some("B"))], "{text:?}");
        }
        // A second heading is an id like any other.
        assert_eq!(parse("id\no-1\nid\n").unwrap().len(), 2);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let why = parse("o-1\n\n..\n").unwrap_err();
        assert!(why.starts_with("line 3: ") && why.contains("\"..\""), "{why}");
        assert!(parse("# nothing\n").unwrap().is_empty());
    }
}
