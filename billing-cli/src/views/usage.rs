//! The view of the usage report.

use billing_core::model::{Usage, UsageReport};

use crate::format::document::{
    Cell, Chart, ChartData, Column, Document, Emphasis, Fact, Formats, Group, NO_NAME, Note, Row, Sheet,
    Value, first_day,
};
use crate::text::count;

/// Builds the resources under their usages, and the number of resources of each usage.
pub(crate) fn usage(report: &UsageReport) -> Document {
    // Both dates are those of `--start` and `--end`: the end is exclusive here, unlike the end of a billing
    // period.
    let bounds = format!("{} to {}", first_day(report.start_date), first_day(report.end_date));
    let facts = vec![Fact::new("Period", bounds)];
    Document { title: "Billable usage".to_owned(), facts, sheets: vec![usages(report), resources(report)] }
}

fn usages(report: &UsageReport) -> Sheet {
    let columns = vec![
        Column::text("usage", "Usage"),
        Column::number("totalUsage", "Total usage"),
        Column::number("resources", "Resources"),
    ];
    let rows = report.usages().iter().map(|usage| {
        Row::new(vec![
            Cell::name(usage.name.as_deref()),
            // A real report had no value here, which carries no information.
            Cell::new(usage.total_usage.clone().map_or(Value::Empty, Value::Quantity)),
            Cell::new(Value::Count(usage.resources().len())),
        ])
    });
    Sheet {
        formats: Formats::XLSX.and(Formats::HTML),
        groups: vec![Group { heading: None, rows: rows.collect() }],
        notes: vec![counted(report)],
        charts: vec![Chart {
            title: "Resources by usage",
            label: "usage",
            shows: ChartData::Values { value: "resources", unit: None, tone: Emphasis::Plain },
        }],
        ..Sheet::new("Usages", columns)
    }
}

fn resources(report: &UsageReport) -> Sheet {
    let columns = vec![
        Column::text("usage", "Usage").only(Formats::SPREADSHEETS),
        Column::number("totalUsage", "Total usage").only(Formats::SPREADSHEETS),
        Column::text("name", "Resource"),
        Column::date("date", "Billable since"),
    ];
    Sheet {
        groups: report.usages().iter().map(group).collect(),
        notes: vec![counted(report)],
        ..Sheet::new("Resources", columns)
    }
}

fn group(usage: &Usage) -> Group {
    let (name, resources) = (usage.name.as_deref().unwrap_or(NO_NAME), usage.resources());
    let total = usage.total_usage.as_ref();
    let said = total.map(|total| format!("total usage {}", Value::Quantity(total.clone()).display_text()));
    let listed =
        (!resources.is_empty() || said.is_none()).then(|| count(resources.len(), "resource", "resources"));
    let what: Vec<String> = listed.into_iter().chain(said).collect();
    let rows = resources.iter().map(|resource| {
        Row::new(vec![
            Cell::name(usage.name.as_deref()),
            Cell::new(total.cloned().map_or(Value::Empty, Value::Quantity)),
            Cell::name(resource.name),
            Cell::moment(resource.date),
        ])
    });
    Group { heading: Some(format!("{name} ({})", what.join(", "))), rows: rows.collect() }
}

fn counted(report: &UsageReport) -> Note {
    let resources = report.usages().iter().map(|usage| usage.resources().len()).sum();
    let (resources, usages) =
        (count(resources, "resource", "resources"), count(report.usages().len(), "usage", "usages"));
    Note::new(Emphasis::Strong, format!("{resources} in {usages}"))
}
