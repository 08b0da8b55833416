//! The points of a chart that shows one value for each row.

use rust_decimal::Decimal;

use crate::format::document::{ColumnKind, Row, Sheet};
use crate::format::html::figures::value_text;
use crate::text::count;

/// A label and its value.
pub(super) struct Point {
    pub(super) label: String,
    /// `None` if the value is unknown.
    pub(super) value: Option<Decimal>,
    /// The part of the value that is for overage, if the chart shows it.
    pub(super) overage: Option<Decimal>,
    /// The value as in the table.
    pub(super) text: String,
}

/// Returns a point for each row, from the columns with these keys; `None` if the sheet has no such label or value.
pub(super) fn points(sheet: &Sheet, label: &str, value: &str, overage: Option<&str>) -> Option<Vec<Point>> {
    let (label, value) = (sheet.column_index(label)?, sheet.column_index(value)?);
    let overage = overage.and_then(|key| sheet.column_index(key));
    let point = |row: &Row| Point {
        label: value_text(row.value(label), ColumnKind::Text),
        value: row.value(value).number(),
        overage: overage.and_then(|at| row.value(at).number()),
        text: value_text(row.value(value), ColumnKind::Money),
    };
    Some(sheet.rows().map(point).collect())
}

/// Returns whether a chart of the points would be empty: no value is known, or all are zero.
pub(super) fn nothing_to_draw(points: &[Point]) -> bool {
    points.iter().filter_map(|point| point.value).all(|value| value.is_zero())
}

/// Returns the description for screen readers.
pub(super) fn description(points: &[Point]) -> String {
    let known = || points.iter().filter(|point| point.value.is_some());
    let highest = known().max_by_key(|point| point.value);
    let highest = highest.map(|point| format!(" The highest is {}, {}.", point.label, point.text));
    let unknown = points.len() - known().count();
    let unknown =
        if unknown > 0 { format!(" {} unknown.", count(unknown, "is", "are")) } else { String::new() };
    format!(
        "{}.{}{unknown} The table has all figures.",
        count(points.len(), "value", "values"),
        highest.unwrap_or_default()
    )
}
