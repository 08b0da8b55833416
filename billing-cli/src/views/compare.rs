//! The view of billing periods side by side.

use std::collections::BTreeSet;

use billing_core::OrgId;
use billing_core::statement::{
    Change, ComparedRow, Comparison, PeriodFigures, PeriodTotal, is_over, is_same_currency,
};

use super::history::{change_cells, period_label};
use super::overview::excluded_rows;
use crate::format::document::{
    Cell, Column, ColumnKind, Document, Emphasis, Fact, Formats, Group, Note, Row, Sheet, Value, period,
};

/// Builds the totals of the periods, then usage, overage and charges by row; spreadsheets get all in one row.
pub(crate) fn comparison(org: &OrgId, name: Option<&str>, comparison: &Comparison) -> Document {
    let periods = &comparison.trend.periods;
    let mut currencies: Vec<&str> = periods.iter().filter_map(|period| period.currency.as_deref()).collect();
    currencies.dedup_by(|a, b| is_same_currency(Some(a), Some(b)));
    let currencies = if currencies.is_empty() { "(not sent)".to_owned() } else { currencies.join(", ") };
    let facts =
        vec![Fact::new("Periods from", period_labels(periods).join(", ")), Fact::new("Currency", currencies)];
    let mut sheets = vec![totals(comparison)];
    sheets.extend(MEASURES.iter().map(|measure| rows(comparison, measure.title, &[measure])));
    let all = rows(comparison, "Rows", &MEASURES.iter().collect::<Vec<_>>());
    let context =
        vec![("organizationId", org.to_string()), ("organizationName", name.unwrap_or_default().to_owned())];
    sheets.push(Sheet { formats: Formats::SPREADSHEETS, constant_columns: context, ..all });
    Document { title: name.unwrap_or(org.as_str()).to_owned(), facts, sheets }
}

/// A measure of a row that is compared.
struct Measure {
    key: &'static str,
    title: &'static str,
    kind: ColumnKind,
    figures: fn(&ComparedRow) -> Option<&PeriodFigures>,
    /// True if figures are emphasized when the row is over (B4).
    is_overage: bool,
}

const MEASURES: [Measure; 3] = [
    Measure {
        key: "used",
        title: "Usage",
        kind: ColumnKind::Number,
        figures: |row| Some(&row.used),
        is_overage: false,
    },
    Measure {
        key: "overage",
        title: "Overage",
        kind: ColumnKind::Number,
        figures: |row| row.overage.as_ref(),
        is_overage: true,
    },
    Measure {
        key: "charge",
        title: "Charges",
        kind: ColumnKind::Money,
        figures: |row| row.charge.as_ref(),
        is_overage: false,
    },
];

fn totals(comparison: &Comparison) -> Sheet {
    let trend = &comparison.trend;
    let columns = vec![
        Column::date("billingPeriodStartDate", "Begins"),
        Column::date("billingPeriodEndDate", "Ends").drop_rank(3),
        Column::text("currency", "Currency").drop_rank(2),
        Column::money("total", "Total"),
        Column::money("change", "Δ"),
        Column::number("changePercent", "Δ %").drop_rank(1),
        Column::number("unknown", "Unknown charges").drop_rank(4),
    ];
    let changes = [None].into_iter().chain(trend.changes.iter().map(Some));
    let rows = trend.periods.iter().zip(changes).map(|(period, change)| {
        let currency = period.currency.as_deref();
        let (delta, percent) =
            change.map_or_else(|| (Cell::empty(), Cell::empty()), |change| change_cells(change, currency));
        let unknown = period.unknown_charges();
        Row::new(vec![
            Cell::period_start(period.period_start),
            Cell::period_end(period.period_end),
            Cell::optional_text(currency),
            Cell::money(period.total.amount, currency),
            delta,
            percent,
            if unknown > 0 {
                Cell::new(Value::Count(unknown)).tone(Emphasis::Warning)
            } else {
                Cell::empty()
            },
        ])
    });
    let mut notes = Vec::new();
    for (period, called) in trend.periods.iter().zip(period_labels(&trend.periods)) {
        for (name, why) in excluded_rows(&period.total) {
            let text = format!("The total of {called} excludes {name}: {why}");
            notes.push(Note::new(Emphasis::Warning, text));
        }
    }
    if comparison.mixed_currencies {
        notes.push(Note::new(
            Emphasis::Warning,
            "The periods are in different currencies: money is not compared across them.",
        ));
    }
    notes.push(Note::new(Emphasis::Muted, comparison.not_included));
    Sheet {
        formats: Formats::TABLE.and(Formats::XLSX).and(Formats::HTML),
        groups: vec![Group { heading: None, rows: rows.collect() }],
        notes,
        ..Sheet::new("Totals", columns)
    }
}

/// Returns the rows by section with some of the measures. Rows in which these are all zero are omitted.
fn rows(comparison: &Comparison, title: &'static str, measures: &[&Measure]) -> Sheet {
    let sheets = Formats::SPREADSHEETS;
    let mut columns = vec![
        Column::text("section", "Section").only(sheets),
        Column::text("name", "Name"),
        Column::text("partNumber", "Part number").drop_rank(9).aside(),
        Column::text("unit", "Unit").drop_rank(8).aside(),
        Column::text("billedBy", "Billed by").drop_rank(7).aside(),
    ];
    columns.extend(measures.iter().flat_map(|measure| measure.columns(comparison, measures.len() > 1)));
    let says_something = |row: &&ComparedRow| {
        let figures =
            measures.iter().filter_map(|measure| (measure.figures)(row)).flat_map(|figures| &figures.values);
        figures.into_iter().any(|value| value.is_none_or(|value| !value.is_zero()))
    };
    let shown: Vec<&ComparedRow> = comparison.rows.iter().filter(says_something).collect();
    let group = |rows: &[&ComparedRow]| Group {
        heading: rows.first().map(|row| row.section.name().to_uppercase()),
        rows: rows.iter().map(|row| self::row(comparison, row, measures)).collect(),
    };
    Sheet {
        formats: Formats::TABLE.and(Formats::HTML),
        groups: shown.chunk_by(|a, b| a.section == b.section).map(group).collect(),
        ..Sheet::new(title, columns)
    }
}

fn row(comparison: &Comparison, row: &ComparedRow, measures: &[&Measure]) -> Row {
    let mut cells = vec![
        Cell::text(row.section.name()),
        Cell::name(row.name.as_deref()),
        Cell::optional_text(row.part_number.as_deref()),
        Cell::optional_text(row.unit.as_deref()),
        Cell::optional_text(row.third_party.then_some("third party")),
    ];
    cells.extend(measures.iter().flat_map(|measure| measure.cells(comparison, row)));
    Row { is_part: row.rollup_part, cells }
}

/// Returns the labels of the periods: the start day, or the full dates if start days are equal.
fn period_labels(periods: &[PeriodTotal]) -> Vec<String> {
    let by_day: Vec<String> = periods.iter().map(period_label).collect();
    if by_day.iter().collect::<BTreeSet<_>>().len() == periods.len() {
        return by_day;
    }
    periods.iter().map(|p| period(p.period_start, p.period_end)).collect()
}

impl Measure {
    /// Returns a column per period and, after each but the first, the columns of its change.
    fn columns(&self, comparison: &Comparison, beside_others: bool) -> Vec<Column> {
        let Self { key, title, kind, .. } = self;
        let mut columns = Vec::new();
        for (n, called) in period_labels(&comparison.trend.periods).iter().enumerate() {
            let column = |suffix: &str, alone: &str, kind| {
                let said = if beside_others { format!("{title} {alone}") } else { alone.to_owned() };
                Column::dynamic(format!("{key}{suffix}.{called}"), said, kind)
            };
            columns.push(column("", called, *kind));
            if *kind == ColumnKind::Money {
                // CSV rows need this column, because its value can differ by row.
                let currency = Column::dynamic(format!("currency.{called}"), String::new(), ColumnKind::Text);
                columns.push(currency.only(Formats::CSV));
            }
            if n > 0 {
                let to =
                    |sign: &str| if beside_others { format!("{called} {sign}") } else { sign.to_owned() };
                columns.push(column("Change", &to("Δ"), *kind));
                columns.push(column("Percent", &to("Δ %"), ColumnKind::Number).drop_rank(1));
            }
        }
        columns
    }

    fn cells(&self, comparison: &Comparison, row: &ComparedRow) -> Vec<Cell> {
        let periods = &comparison.trend.periods;
        let Some(figures) = (self.figures)(row) else {
            return vec![Cell::empty(); self.columns(comparison, true).len()];
        };
        let mut cells = Vec::new();
        let changes = [None].into_iter().chain(figures.changes.iter().map(Some));
        for ((value, change), period) in figures.values.iter().zip(changes).zip(periods) {
            let currency = period.currency.as_deref();
            let cell = match self.kind {
                ColumnKind::Money => Cell::money(*value, currency),
                _ => Cell::exact(*value),
            };
            cells.push(cell.over_if(self.is_overage && is_over(*value)));
            if self.kind == ColumnKind::Money {
                cells.push(Cell::optional_text(currency));
            }
            let (delta, percent) = match (change, self.kind) {
                (None, _) => continue,
                (Some(change), ColumnKind::Money) => change_cells(change, currency),
                (Some(Change::Known(difference)), _) => (
                    Cell::new(Value::Delta(difference.delta)),
                    Cell::new(difference.percent.map_or(Value::Placeholder("–"), Value::Percent)),
                ),
                (Some(Change::Incomparable), _) => {
                    (Cell::new(Value::Placeholder("different unit")), Cell::empty())
                }
                (Some(_), _) => (Cell::new(Value::Unknown), Cell::empty()),
            };
            cells.extend([delta, percent]);
        }
        cells
    }
}

#[cfg(test)]
mod tests {
    use billing_core::model::TrusteeOverview;

    use super::*;
    use crate::format::csv;

    fn csv_of(bodies: [&str; 2]) -> String {
        let overviews: Vec<TrusteeOverview> =
            bodies.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
        let document =
            comparison(&"o-1".parse().unwrap(), Some("Org"), &Comparison::new(&overviews).unwrap());
        String::from_utf8(csv::render(&document, false)).unwrap()
    }

    fn body(dates: &str, used: &str) -> String {
        format!(
            r#"{{{dates}"currency":"USD","usages":[{{"name":"a",
            "grouping":"device","usageQuantity":"{used}","prepayQuantity":"0","prepayPrice":"0","overagePrice":"1"}}]}}"#
        )
    }

    #[test]
    fn periods_that_begin_on_one_day_are_told_apart() {
        let to = |day| {
            format!(
                r#""billingPeriodStartDate":"2026-10-01T00:00:00Z","billingPeriodEndDate":"2026-10-{day}T23:59:59Z","#
            )
        };
        let text = csv_of([&body(&to(31), "17"), &body(&to(15), "10")]);
        let (header, row) = text.split_once("\r\n").unwrap();
        let column = |name: &str| {
            let at = header.split(',').position(|there| there == name).unwrap_or_else(|| panic!("{header}"));
            row.split(',').nth(at).unwrap()
        };
        assert_eq!(column("used.2026-10-01 to 2026-10-31"), "17");
        assert_eq!(column("used.2026-10-01 to 2026-10-15"), "10");
    }
}
