//! A list of organisations in a file: an id a line, and perhaps a name.

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::Path;

use billing_core::OrgId;
use billing_core::model::TrusteeOverview;
use csv::{Position, ReaderBuilder, Trim};
use serde::Serialize;

use crate::failure::Failure;
use crate::format::csv::plain;
use crate::log::{self, Verbosity};
use crate::text::count;

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
pub(crate) fn read(path: &Path, verbosity: Verbosity) -> Result<Vec<Named>, Failure> {
    let mut text = String::new();
    let read = match path == Path::new("-") {
        true => io::stdin().lock().read_to_string(&mut text).map(drop),
        false => std::fs::read_to_string(path).map(|read| text = read),
    };
    let refuse = |why: &str| Failure::Usage(format!("--orgs {}: {why}", path.display()));
    read.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => refuse("it is not UTF-8: save it as CSV in UTF-8"),
        _ => refuse(&format!("it cannot be read, {error}")),
    })?;
    let List { named, off } = parse(&text).map_err(|why| refuse(&why))?;
    if named.is_empty() {
        return Err(refuse(match off {
            0 => "it names no organisation",
            _ => "it names no organisation whose trust is enabled",
        }));
    }
    note_left_out(off, verbosity);
    Ok(named)
}

/// Says of organisations that they are not asked about, as nothing but a refusal would come.
pub(crate) fn note_left_out(off: usize, verbosity: Verbosity) {
    if off > 0 {
        let off = count(off, "organisation is", "organisations are");
        log::note(&format!("{off} left out, as the trust is not enabled"), verbosity);
    }
}

/// What a file names.
#[derive(Debug, Default)]
struct List {
    named: Vec<Named>,
    /// How many more, whose trust is not enabled.
    off: usize,
}

/// CSV by commas, semicolons or tabs: an id a line, and after it a name; `#` begins a comment, and a first line may name the
/// columns. What `trustors --format csv` prints is read as it was meant.
fn parse(text: &str) -> Result<List, String> {
    // One sort of line end. Blanks around a line are not part of it; a tab at its beginning is an empty cell.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.split('\n').map(|line| line.trim_matches(' ')).collect();
    let delimiter = lines
        .iter()
        .filter(|line| !says_nothing(line))
        .find_map(|line| line.find(DELIMITERS).map(|at| line.as_bytes()[at]));
    let delimiter = delimiter.unwrap_or(b',');
    let text = lines.join("\n");
    if let Some(line) = misquoted(&text, delimiter.into()) {
        return Err(format!(
            "line {line}: the quotes are not those of CSV: write \"Acme\" or \"5\"\" pipes\""
        ));
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .delimiter(delimiter)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let (mut list, mut columns) = (List::default(), None);
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let mut cells: Vec<&str> = record.iter().collect();
        // No id has a tab: the delimiter of this line is another.
        if let [only] = cells[..] {
            cells = only.split('\t').map(str::trim).collect();
        }
        if cells.iter().all(|cell| cell.is_empty()) {
            continue;
        }
        let columns = match columns {
            Some(columns) => columns,
            None => {
                let heading = Columns::of(&cells);
                let columns = *columns.insert(heading.unwrap_or(Columns::USUAL));
                if heading.is_some() {
                    continue;
                }
                columns
            }
        };
        let cell = |at: usize| plain(cells.get(at).copied().unwrap_or_default());
        let id = cell(columns.id)
            .parse()
            .map_err(|error| format!("line {}: {error}", line_of(&text, record.position())))?;
        if columns.enabled.is_some_and(|at| cell(at).eq_ignore_ascii_case("false")) {
            list.off += 1;
            continue;
        }
        let name = columns.name.map(cell).filter(|name| !name.is_empty());
        list.named.push(Named { id, name: name.map(Cow::into_owned) });
    }
    Ok(list)
}

fn says_nothing(line: &str) -> bool {
    line.trim().is_empty() || line.starts_with('#')
}

/// The line of a quote that is not closed before the end of its cell, if there is one: it would swallow the lines after it.
fn misquoted(text: &str, delimiter: char) -> Option<usize> {
    enum At {
        Line,
        Comment,
        Cell,
        Inside,
        Quoted,
        Closed,
    }
    let (mut at, mut line, mut opened) = (At::Line, 1, 1);
    for c in text.chars() {
        at = match (at, c) {
            (At::Line, '#') => At::Comment,
            (At::Line | At::Cell, '"') => {
                opened = line;
                At::Quoted
            }
            (At::Quoted, '"') => At::Closed,
            (At::Closed, '"') | (At::Quoted, _) => At::Quoted,
            (_, '\n') => At::Line,
            (At::Comment, _) => At::Comment,
            (_, c) if c == delimiter => At::Cell,
            (At::Closed, ' ') => At::Closed,
            (At::Closed, _) => return Some(opened),
            _ => At::Inside,
        };
        line += usize::from(c == '\n');
    }
    matches!(at, At::Quoted).then_some(opened)
}

/// The line of a record, before which there may be lines that say nothing.
fn line_of(text: &str, position: Option<&Position>) -> usize {
    let at = position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or_default();
    let (before, from) = text.split_at_checked(at).unwrap_or(("", text));
    before.matches('\n').count() + from.split('\n').take_while(|line| says_nothing(line)).count() + 1
}

/// Where the cells of a line are.
#[derive(Clone, Copy)]
struct Columns {
    id: usize,
    name: Option<usize>,
    enabled: Option<usize>,
}

impl Columns {
    /// Of a list without a heading.
    const USUAL: Self = Self { id: 0, name: Some(1), enabled: None };

    /// By a heading, in the words of what this program prints.
    fn of(heading: &[&str]) -> Option<Self> {
        let at = |names: &[&str]| {
            heading.iter().position(|cell| names.iter().any(|name| cell.eq_ignore_ascii_case(name)))
        };
        let id = at(&["id", "organizationId"])?;
        Some(Self { id, name: at(&["name", "organizationName"]), enabled: at(&["enabled"]) })
    }
}

const DELIMITERS: [char; 3] = [',', ';', '\t'];

#[cfg(test)]
pub(crate) mod tests {
    use billing_core::model::Trustor;
    use proptest::collection::vec;
    use proptest::{prop_assert_eq, proptest};

    use super::*;
    use crate::{documents, format};

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
        let read: Vec<_> =
            parse(text).unwrap().named.into_iter().map(|n| (n.id.to_string(), n.name)).collect();
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
        assert_eq!(parse("id,name,enabled\no-1,A,true\n").unwrap().named.len(), 1);
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
            let read = parse(text).unwrap().named;
            let read: Vec<_> = read.iter().map(|n| (n.id.as_str(), n.name.as_deref())).collect();
            assert_eq!(read, [("o-1", Some("A")), ("o-2", Some("B"))], "{text:?}");
        }
        // A second heading is an id like any other.
        assert_eq!(parse("id\no-1\nid\n").unwrap().named.len(), 2);
    }

    #[test]
    fn what_trustors_prints_is_read_as_it_was_meant() {
        let trustors: Vec<Trustor> = serde_json::from_str(
            r#"[{"id":"o-1","enabled":true,"organization":{"name":"two\nlines, \"quoted\"\n# no comment"}},
                {"id":"-o-2","organization":{"name":"=1+1"}},{"id":"o-3","enabled":false},
                {"id":"o-4","organization":{"name":"'quoted'"}},{"id":"o-5","organization":{"name":"-7"}}]"#,
        )
        .unwrap();
        let csv = format::csv::render(&documents::trustors(&trustors), false);
        for csv in
            [String::from_utf8(csv.clone()).unwrap(), format!("\u{feff}{}", String::from_utf8(csv).unwrap())]
        {
            let List { named, off } = parse(&csv).unwrap();
            let read: Vec<_> = named.iter().map(|n| (n.id.as_str(), n.name.as_deref())).collect();
            let meant = [
                ("o-1", Some("two\nlines, \"quoted\"\n# no comment")),
                ("-o-2", Some("=1+1")),
                ("o-4", Some("'quoted'")),
                ("o-5", Some("-7")),
            ];
            assert_eq!((read, off), (meant.to_vec(), 1), "{csv}");
        }
    }

    proptest! {
        #[test]
        fn no_name_that_trustors_prints_is_read_as_another(
            listed in vec(("[-=+@＝;|,'\"#a1.]{1,8}", "[-=+@＝;|,'\"#a1. \t\n]{0,12}"), 1..4),
        ) {
            // Blanks around a line are no part of it.
            let unblanked = |name: &str| {
                let lines: Vec<&str> = name.split('\n').map(|line| line.trim_matches(' ')).collect();
                Some(lines.join("\n").trim().to_owned()).filter(|name| !name.is_empty())
            };
            let listed: Vec<_> = listed.into_iter().filter(|(id, _)| id.parse::<OrgId>().is_ok()).collect();
            let trustor = |(id, name): &(String, String)| {
                serde_json::json!({ "id": id, "organization": { "name": name } })
            };
            let trustors: Vec<Trustor> =
                serde_json::from_value(listed.iter().map(trustor).collect()).unwrap();
            let csv = String::from_utf8(format::csv::render(&documents::trustors(&trustors), false)).unwrap();
            let read: Vec<_> =
                parse(&csv).unwrap().named.into_iter().map(|named| (named.id.to_string(), named.name)).collect();
            let meant: Vec<_> =
                listed.iter().map(|(id, name)| (id.clone(), unblanked(name))).collect();
            prop_assert_eq!(read, meant, "{}", csv);
        }
    }

    #[test]
    fn a_quote_that_swallows_lines_is_refused_and_one_that_does_not_is_not() {
        for (text, line) in [
            ("o-1,\"Acme\no-2,Beta\n", 1),
            ("# \"\no-1,\"Acme\no-2,\"Beta\"\n", 2),
            ("o-1,A\n\no-2,\"a \"b\" c\"\n", 3),
        ] {
            let why = parse(text).unwrap_err();
            assert!(why.starts_with(&format!("line {line}: the quotes")), "{text:?}: {why}");
        }
        let read = parse("# say \"hi\no-1,5\" pipes\no-2,\"B\" \no-3,\"\"\"\"\n").unwrap().named;
        let names: Vec<_> = read.iter().map(|named| named.name.as_deref().unwrap()).collect();
        assert_eq!(names, ["5\" pipes", "B", "\""]);
    }

    #[test]
    fn a_list_in_another_encoding_is_refused_with_the_way_out() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, b"o-1;K\xf6nig\n").unwrap();
        let refused = read(file.path(), Verbosity::Quiet).unwrap_err();
        assert!(refused.exit_status() == 2 && refused.to_string().ends_with("in UTF-8"), "{refused}");
    }

    #[test]
    fn a_wrong_line_is_named() {
        let why = parse("# a\r\n\r\nid,name\r\no-1,\"x\r\ny\"\r\n  # b\r\n..,A\r\n").unwrap_err();
        assert!(why.starts_with("line 7: "), "{why}");
        let why = parse("o-1\n\n..\n").unwrap_err();
        assert!(why.starts_with("line 3: ") && why.contains("\"..\""), "{why}");
        assert!(parse("# nothing\n").unwrap().named.is_empty());
    }
}
