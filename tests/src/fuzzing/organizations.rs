//! The list of organisations that the program reads from a file.

use billing_core::OrgId;
use csv::{Terminator, WriterBuilder};

use billing_cli::format::formula_guard::{guarded, unguarded};
use billing_cli::organizations::QueriedOrg;
use billing_cli::organizations::list::{OrgList, parse};

/// Any text is a list or an error of one line; each id of a list stands in the text; and where a text has no more than an id a
/// line, it is these, in order. What `trustors --format csv` would write is read as it was meant.
///
/// From 128 on, the first byte says that the rest is what the program is to write: an organisation a line, with a digit that
/// says whether its trust is enabled, its id up to a blank, and its name.
pub fn organizations(data: &[u8]) {
    let Some((which, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match which {
        0..128 => reads(text),
        128.. => reads_what_is_written(text),
    }
}

fn reads(text: &str) {
    match parse(text) {
        Ok(OrgList { organizations: named, disabled: off }) => {
            // Without quotes, and without what makes a cell harmless.
            let bare = text.replace(['"', '\''], "");
            for QueriedOrg { id, name } in &named {
                assert!(bare.contains(&id.as_str().replace(['"', '\''], "")), "{id:?} out of nowhere");
                assert!(name.as_ref().is_none_or(|name| !name.is_empty()));
            }
            let lines: Vec<&str> = lines(text).collect();
            assert!(named.len() + off <= lines.len(), "more than one organisation a line");
            // Quotes, more cells, and what the parsers of CSV take for the beginning of a file.
            if lines.iter().any(|line| line.contains(['"', ',', ';', '\t', '\'', '\u{feff}'])) {
                return;
            }
            let heading = lines.first().is_some_and(|first| is_heading(first));
            let ids: Vec<&str> = named.iter().map(|named| named.id.as_str()).collect();
            assert_eq!((ids, off), (lines[usize::from(heading)..].to_vec(), 0));
        }
        Err(why) => assert!(!why.is_empty() && !why.contains('\n'), "{why:?}"),
    }
}

/// The lines that say something, without the blanks around them.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.trim_start_matches('\u{feff}').split(['\n', '\r']);
    lines
        .filter(|line| !line.trim_matches(' ').starts_with('#'))
        .map(str::trim)
        .filter(|line| !line.is_empty())
}

fn is_heading(line: &str) -> bool {
    ["id", "organizationId"].iter().any(|name| line.eq_ignore_ascii_case(name))
}

fn reads_what_is_written(text: &str) {
    let mut writer = WriterBuilder::new();
    let mut written = writer.terminator(Terminator::CRLF).comment(Some(b'#')).from_writer(Vec::new());
    written.write_record(["id", "name", "enabled", "dateCreated"]).expect("into memory");
    let (mut meant, mut off) = (Vec::new(), 0);
    for line in text.split('\n') {
        let (id, name) = line.split_once(' ').unwrap_or((line, ""));
        let Some((enabled, id)) = id.split_at_checked(1) else { continue };
        // Ids of the vendor have no blanks around them.
        let id = Some(id).filter(|id| id.trim() == *id);
        let Some(id) = id.and_then(|id| id.parse::<OrgId>().ok()) else { continue };
        let enabled = ["", "true", "false"][usize::from(enabled.as_bytes()[0]) % 3];
        let cells = [id.as_str(), name, enabled, "2026-10-01T00:00:00Z"];
        written.write_record(cells.map(|cell| guarded(cell).into_owned())).expect("as wide as the others");
        match enabled {
            "false" => off += 1,
            _ => meant.push((id, shown(name))),
        }
    }
    let written = String::from_utf8(written.into_inner().expect("into memory")).expect("texts");
    let list = parse(&written).expect("what the program writes, it reads");
    let read: Vec<(OrgId, String)> =
        list.organizations.into_iter().map(|n| (n.id, without_blanks(&n.name.unwrap_or_default()))).collect();
    assert_eq!((read, list.disabled), (meant, off), "{written}");
}

/// A name as it can be read again: without control characters, and blanks may be lost.
fn shown(name: &str) -> String {
    without_blanks(&unguarded(guarded(name).trim()))
}

fn without_blanks(text: &str) -> String {
    text.split_whitespace().collect()
}
