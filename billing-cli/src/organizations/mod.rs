//! Queried organisations, and files that list them.

pub mod list;

use std::io::{self, Read};
use std::path::Path;

use billing_core::OrgId;
use billing_core::model::TrusteeOverview;
use serde::Serialize;

use crate::failure::Failure;
use crate::format::unguarded;
use crate::log::{self, Verbosity};
use crate::text::count;

use list::OrgList;

/// An organisation to query. Its response may not name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueriedOrg {
    /// The requested id.
    pub id: OrgId,
    /// The name known before the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl QueriedOrg {
    /// Returns the id in the response, or else the requested id.
    pub(crate) fn id_for<'a>(&'a self, overview: &'a TrusteeOverview) -> &'a str {
        let sent = overview.organization.as_ref().and_then(|organization| organization.id.as_deref());
        sent.unwrap_or(self.id.as_str())
    }

    /// Returns the name in the response, or else the name known before, if any.
    pub(crate) fn name_for<'a>(&'a self, overview: &'a TrusteeOverview) -> Option<&'a str> {
        let sent = overview.organization.as_ref().and_then(|organization| organization.name.as_deref());
        sent.or(self.name.as_deref())
    }

    /// Returns true if the response lacks an id or name that is known here.
    pub(crate) fn is_missing_in(&self, overview: &TrusteeOverview) -> bool {
        let sent = overview.organization.as_ref();
        let says_id = sent.is_some_and(|organization| organization.id.is_some());
        let says_name = sent.is_some_and(|organization| organization.name.is_some());
        !says_id || (!says_name && self.name.is_some())
    }
}

impl From<OrgId> for QueriedOrg {
    fn from(id: OrgId) -> Self {
        Self { id, name: None }
    }
}

/// Reads a list file; `-` is standard input.
pub(crate) fn read_list(path: &Path, verbosity: Verbosity) -> Result<Vec<QueriedOrg>, Failure> {
    let mut text = String::new();
    let read = match path == Path::new("-") {
        true => io::stdin().lock().read_to_string(&mut text).map(drop),
        false => std::fs::read_to_string(path).map(|read| text = read),
    };
    let refuse = |why: &str| Failure::Usage(format!("--orgs {}: {why}", path.display()));
    read.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => refuse("it is not UTF-8: save it as CSV with UTF-8 encoding"),
        _ => refuse(&format!("cannot read it: {error}")),
    })?;
    let OrgList { organizations: named, disabled: off } = list::parse(&text).map_err(|why| refuse(&why))?;
    if named.is_empty() {
        return Err(refuse(match off {
            0 => "it contains no organisation",
            _ => "it contains no organisation whose trust is enabled",
        }));
    }
    note_disabled(off, verbosity);
    Ok(named)
}

/// Notes the skipped organisations whose trust is disabled: the server would refuse a request about them.
pub(crate) fn note_disabled(off: usize, verbosity: Verbosity) {
    if off > 0 {
        let off = count(off, "organisation is", "organisations are");
        log::note(&format!("{off} skipped, because the trust is not enabled"), verbosity);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use billing_core::model::Trustor;
    use proptest::collection::vec;
    use proptest::{prop_assert_eq, proptest};

    use super::*;
    use crate::{format, views};

    /// Returns a sample organisation for documents of responses that do not name theirs.
    pub(crate) fn asked() -> QueriedOrg {
        "asked-1".parse::<OrgId>().unwrap().into()
    }

    #[test]
    fn an_answer_that_does_not_say_whose_it_is_is_that_of_who_was_asked() {
        let named = QueriedOrg { name: Some("Listed".to_owned()), ..asked() };
        for (organization, said, adds) in [
            ("null", ("asked-1", Some("Listed")), true),
            (r#"{"id":"sent-1","name":"Sent"}"#, ("sent-1", Some("Sent")), false),
            (r#"{"id":"sent-1"}"#, ("sent-1", Some("Listed")), true),
            (r#"{"name":"Sent"}"#, ("asked-1", Some("Sent")), true),
        ] {
            let overview = serde_json::from_str(&format!(r#"{{"organization":{organization}}}"#)).unwrap();
            assert_eq!((named.id_for(&overview), named.name_for(&overview)), said);
            assert_eq!(named.is_missing_in(&overview), adds, "{organization}");
        }
        let overview = serde_json::from_str(r#"{"organization":{"id":"sent-1"}}"#).unwrap();
        assert_eq!((asked().name_for(&overview), asked().is_missing_in(&overview)), (None, false));
    }

    #[test]
    fn what_trustors_prints_is_read_as_it_was_meant() {
        let trustors: Vec<Trustor> = serde_json::from_str(
            r##"[{"id":"o-1","enabled":true,"organization":{"name":"two\nlines, \"quoted\"\n# no comment"}},
                {"id":"-o-2","organization":{"name":"=1+1"}},{"id":"o-3","enabled":false},
                {"id":"o-4","organization":{"name":"'quoted'"}},{"id":"o-5","organization":{"name":"-7"}},
                {"id":"#o-6"}]"##,
        )
        .unwrap();
        let csv = format::csv::render(&views::trustors(&trustors), false);
        for csv in
            [String::from_utf8(csv.clone()).unwrap(), format!("\u{feff}{}", String::from_utf8(csv).unwrap())]
        {
            let OrgList { organizations: named, disabled: off } = list::parse(&csv).unwrap();
            let read: Vec<_> = named.iter().map(|n| (n.id.as_str(), n.name.as_deref())).collect();
            let meant = [
                ("o-1", Some("two\nlines, \"quoted\"\n# no comment")),
                ("-o-2", Some("=1+1")),
                ("o-4", Some("'quoted'")),
                ("o-5", Some("-7")),
                ("#o-6", None),
            ];
            assert_eq!((read, off), (meant.to_vec(), 1), "{csv}");
        }
    }

    proptest! {
        #[test]
        fn no_name_that_trustors_prints_is_read_as_another(
            listed in vec(("[-=+@＝;|,'\"#a1.]{1,8}", "[-=+@＝;|,'\"#a1. \t\n]{0,12}"), 1..4),
        ) {
            // Blanks around a line are ignored.
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
            let csv = String::from_utf8(format::csv::render(&views::trustors(&trustors), false)).unwrap();
            let read: Vec<_> =
                list::parse(&csv).unwrap().organizations.into_iter().map(|named| (named.id.to_string(), named.name)).collect();
            let meant: Vec<_> =
                listed.iter().map(|(id, name)| (id.clone(), unblanked(name))).collect();
            prop_assert_eq!(read, meant, "{}", csv);
        }
    }

    #[test]
    fn a_list_in_another_encoding_is_refused_with_the_way_out() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, b"o-1;K\xf6nig\n").unwrap();
        let refused = read_list(file.path(), Verbosity::Quiet).unwrap_err();
        assert!(
            refused.exit_status() == 2 && refused.to_string().ends_with("with UTF-8 encoding"),
            "{refused}"
        );
    }
}
