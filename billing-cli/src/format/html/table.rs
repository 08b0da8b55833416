//! The table of a sheet.

use maud::{Markup, html};

use super::figures::{kind_class, tone_class, value_text, with_overage_mark};
use crate::format::document::{Cell, Column, ColumnKind, Formats, Group, Row, Sheet, Sum, Value};
use crate::text::printable;

/// Writes the table of a sheet. `title_id` is the id of the heading that names it.
pub(super) fn table(sheet: &Sheet, title_id: &str) -> Markup {
    if sheet.rows().next().is_none() && sheet.groups.iter().all(|group| group.heading.is_none()) {
        return html! { p class="faint" { "No rows." } "\n" };
    }
    let columns = VisibleColumns::of(sheet);
    html! {
        // A table wider than the screen scrolls in its frame. The frame takes the focus, so that keys scroll it too.
        div class="frame" role="region" aria-labelledby=(title_id) tabindex="0" { "\n"
            table { "\n"
                (table_head(&columns))
                @for group in &sheet.groups { (row_group(group, &columns)) }
                (table_foot(&sheet.sums, &columns))
            } "\n"
        } "\n"
    }
}

fn table_head(columns: &VisibleColumns<'_>) -> Markup {
    html! {
        thead { "\n"
            tr {
                @for (_, column) in &columns.main {
                    th scope="col" class=(kind_class(column.kind)) { (printable(&column.title)) }
                }
            } "\n"
        } "\n"
    }
}

fn row_group(group: &Group, columns: &VisibleColumns<'_>) -> Markup {
    html! {
        tbody { "\n"
            @if let Some(heading) = &group.heading {
                tr class="group" {
                    th scope="rowgroup" colspan=(columns.main.len()) { (printable(heading)) }
                } "\n"
            }
            @for row in &group.rows { (table_row(row, columns)) }
        } "\n"
    }
}

fn table_row(row: &Row, columns: &VisibleColumns<'_>) -> Markup {
    let empty = Cell::empty();
    html! {
        tr class=[row.is_part.then_some("part")] {
            @for (n, (at, column)) in columns.main.iter().enumerate() {
                @let cell = row.cells.get(*at).unwrap_or(&empty);
                @let text = with_overage_mark(cell.tone, &value_text(&cell.value, column.kind));
                @if n == 0 {
                    th scope="row" class=(cell_class(cell, column)) { (text) (secondary_text(row, columns)) }
                } @else {
                    td class=(cell_class(cell, column)) { (text) }
                }
            }
        } "\n"
    }
}

fn cell_class(cell: &Cell, column: &Column) -> String {
    format!("{} {}", kind_class(column.kind), tone_class(cell.tone))
}

/// Writes the values of the secondary columns below the name of the row.
fn secondary_text(row: &Row, columns: &VisibleColumns<'_>) -> Markup {
    let values = columns.secondary.iter().map(|at| row.value(*at).display_text());
    let text = values.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" · ");
    html! {
        @if !text.is_empty() {
            span class="aside" { (printable(&text)) }
        }
    }
}

/// Writes a row for each total, and nothing if there are none.
fn table_foot(sums: &[Sum], columns: &VisibleColumns<'_>) -> Markup {
    let totals: Vec<_> = sums.iter().filter_map(|sum| Some((sum, columns.place_of_total(sum)?))).collect();
    html! {
        @if !totals.is_empty() {
            tfoot { "\n"
                @for (sum, place) in totals { (total_row(sum, place, columns)) }
            } "\n"
        }
    }
}

/// Writes a total below the column that it adds up, which is the one at `place`.
fn total_row(sum: &Sum, place: usize, columns: &VisibleColumns<'_>) -> Markup {
    let columns_after = columns.main.len() - place - 1;
    html! {
        tr class=(tone_class(sum.tone)) {
            th scope="row" colspan=(place) {
                (printable(&sum.label))
                @if let Some(currency) = &sum.currency { " (" (printable(currency)) ")" }
            }
            td class="number" { (printable(&value_text(&sum.value, ColumnKind::Money))) }
            @if columns_after > 0 { td colspan=(columns_after) {} }
        } "\n"
    }
}

/// The columns of a sheet that the page shows.
struct VisibleColumns<'a> {
    /// The columns of the table, with their positions in the sheet.
    main: Vec<(usize, &'a Column)>,
    /// The positions of the columns whose values are below the name in the first column.
    secondary: Vec<usize>,
}

impl<'a> VisibleColumns<'a> {
    /// Selects the columns. One without any value is left out, as in the table on a terminal, unless it is the first.
    fn of(sheet: &'a Sheet) -> Self {
        let has_values = |at: usize| sheet.rows().any(|row| *row.value(at) != Value::Empty);
        let shown = sheet.visible_columns(Formats::HTML);
        let columns = shown.iter().filter_map(|at| Some((*at, sheet.columns.get(*at)?)));
        let (secondary, main): (Vec<_>, Vec<_>) = columns.partition(|(_, column)| column.secondary);
        let first = main.first().map(|(at, _)| *at);
        let main = main.into_iter().filter(|(at, _)| Some(*at) == first || has_values(*at)).collect();
        Self { main, secondary: secondary.into_iter().map(|(at, _)| at).collect() }
    }

    /// Returns the place in the table of the column that a total adds up. There is none in the first column, because the
    /// label of the total needs a cell before it.
    fn place_of_total(&self, sum: &Sum) -> Option<usize> {
        let key = sum.sum_of.as_ref()?.column;
        self.main.iter().position(|(_, column)| column.key == key).filter(|place| *place > 0)
    }
}
