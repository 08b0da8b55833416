//! The view of the trustor organisations.

use billing_core::model::Trustor;

use crate::format::document::{Cell, Column, Document, Emphasis, Group, Note, Row, Sheet, Value};
use crate::text::count;

/// Builds one row per organisation. `fleet --orgs` reads its CSV form.
pub(crate) fn trustors(trustors: &[Trustor]) -> Document {
    let columns = vec![
        Column::text("id", "Id").drop_rank(2),
        Column::text("name", "Name"),
        Column::text("enabled", "Enabled"),
        Column::date("dateCreated", "Since").drop_rank(1),
    ];
    let rows = trustors.iter().map(|trustor| {
        let name = trustor.organization.as_ref().and_then(|organization| organization.name.as_deref());
        Row::new(vec![
            Cell::optional_text(trustor.organization_id()),
            Cell::name(name),
            Cell::new(trustor.enabled.map_or(Value::Empty, Value::Flag)),
            Cell::moment(trustor.date_created),
        ])
    });
    let counted = count(trustors.len(), "organisation", "organisations");
    let off = trustors.iter().filter(|trustor| trustor.enabled == Some(false)).count();
    let off = if off > 0 { format!(", {off} of them not enabled") } else { String::new() };
    let sheet = Sheet {
        groups: vec![Group { heading: None, rows: rows.collect() }],
        notes: vec![Note::new(Emphasis::Strong, format!("{counted}{off}"))],
        ..Sheet::new("Trustors", columns)
    };
    Document { title: "Organisations that trust yours".to_owned(), facts: Vec::new(), sheets: vec![sheet] }
}
