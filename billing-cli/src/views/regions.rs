//! The view of the regions.

use billing_core::Region;

use crate::format::document::{Cell, Column, Document, Group, Row, Sheet};

/// Builds one row per region with the addresses of its API and its login service.
pub(crate) fn regions(regions: &[(Region, String, String)]) -> Document {
    let columns = vec![
        Column::text("region", "Region"),
        Column::text("domain", "Domain"),
        Column::text("api", "API").drop_rank(1),
        Column::text("login", "Login").drop_rank(2),
    ];
    let rows = regions.iter().map(|(region, api, login)| {
        Row::new([region.name(), region.domain(), api, login].map(Cell::text).into())
    });
    let groups = vec![Group { heading: None, rows: rows.collect() }];
    let sheet = Sheet { groups, ..Sheet::new("Regions", columns) };
    Document { title: "Regions of Genesys Cloud".to_owned(), facts: Vec::new(), sheets: vec![sheet] }
}
