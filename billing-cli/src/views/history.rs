//! The view of an organisation's billing periods.

use billing_core::model::TrusteeOverview;
use billing_core::statement::{Change, NOT_INCLUDED, PeriodTotal, Statement, Total, Trend, is_same_currency};

use super::overview::{excluded_rows, minimum, rows};
use crate::format::document::{
    Cell, Chart, ChartData, Column, Document, Emphasis, Fact, Formats, Group, Note, Row, Sheet, Sum,
    SummedColumn, Value, first_day, last_day, period,
};
use crate::organizations::QueriedOrg;

/// Builds the totals of the periods with their changes, then the rows of each period. `periods` is ordered
/// newest first and has the periods of `trend`. `remarks` are notes about the walk.
pub(crate) fn history(
    asked: &QueriedOrg,
    periods: &[(&TrusteeOverview, &Statement)],
    trend: &Trend,
    remarks: Vec<Note>,
) -> Document {
    let mut facts = vec![Fact::new("Periods", periods.len().to_string())];
    if let (Some((_, newest)), Some((_, oldest))) = (periods.first(), periods.last()) {
        facts.push(Fact::new("From", period(oldest.period_start, newest.period_end)));
    }
    let mut sheets = vec![totals(periods, trend, remarks)];
    sheets.extend(periods.iter().map(|(overview, statement)| Sheet {
        worksheet_name: first_day(statement.period_start),
        title: period(statement.period_start, statement.period_end),
        collapsed: true,
        formats: Formats::SPREADSHEETS.and(Formats::HTML),
        ..rows(Some(asked), overview, statement)
    }));
    if periods.is_empty() {
        // An empty sheet has the same columns.
        let none = TrusteeOverview::default();
        sheets.push(Sheet { formats: Formats::CSV, ..rows(None, &none, &Statement::new(&none)) });
    }
    let name = periods.iter().find_map(|(overview, _)| asked.name_for(overview));
    Document { title: name.unwrap_or(asked.id.as_str()).to_owned(), facts, sheets }
}

fn totals(periods: &[(&TrusteeOverview, &Statement)], trend: &Trend, remarks: Vec<Note>) -> Sheet {
    let columns = vec![
        Column::date("billingPeriodStartDate", "Begins"),
        Column::date("billingPeriodEndDate", "Ends").drop_rank(5),
        Column::text("currency", "Currency").drop_rank(4),
        Column::money("total", "Total"),
        Column::money("change", "Δ").drop_rank(3),
        Column::number("changePercent", "Δ %").drop_rank(1),
        Column::money("overageCharge", "Overage").drop_rank(2),
        Column::money("thirdParty", "Third party").drop_rank(7),
        Column::money("minimum", "Minimum").drop_rank(6),
        Column::number("unknown", "Unknown charges").drop_rank(8),
    ];
    // The trend is ordered oldest first and has no change for the first period.
    let changes = trend.changes.iter().rev().map(Some).chain([None]);
    let rows = periods.iter().zip(changes).map(|((_, statement), change)| total(statement, change));
    let one_currency = trend.totals.len() == 1;
    let unit = || trend.totals.first().and_then(|total| total.currency.clone());
    let charts = one_currency.then(|| Chart {
        title: "Total by period",
        label: "billingPeriodStartDate",
        shows: ChartData::Periods { value: "total", over: "overageCharge", unit: unit() },
    });
    let mut notes = remarks;
    notes.push(Note::new(Emphasis::Muted, NOT_INCLUDED));
    Sheet {
        worksheet_name: "Periods".to_owned(),
        formats: Formats::TABLE.and(Formats::XLSX).and(Formats::HTML),
        groups: vec![Group { heading: None, rows: rows.collect() }],
        sums: sums(periods, trend),
        notes,
        charts: charts.into_iter().collect(),
        ..Sheet::new("Totals", columns)
    }
}

fn total(statement: &Statement, change: Option<&Change>) -> Row {
    let currency = statement.currency.as_deref();
    let money = |total: &Total| Cell::money(total.amount, currency);
    let has_third_party = statement.lines().any(|line| line.third_party);
    let unknown = statement.unknown_charges();
    let (delta, percent) =
        change.map_or_else(|| (Cell::empty(), Cell::empty()), |change| change_cells(change, currency));
    Row::new(vec![
        Cell::period_start(statement.period_start),
        Cell::period_end(statement.period_end),
        Cell::optional_text(currency),
        money(&statement.total),
        delta,
        percent,
        Cell::overage_charge(statement.overage_total().amount, currency),
        if has_third_party { money(&statement.third_party) } else { Cell::empty() },
        minimum(statement.minimum.as_ref(), currency),
        if unknown > 0 { Cell::new(Value::Count(unknown)).tone(Emphasis::Warning) } else { Cell::empty() },
    ])
}

/// Returns cells with a change of money, absolute and in percent.
pub(super) fn change_cells(change: &Change, currency: Option<&str>) -> (Cell, Cell) {
    match change {
        Change::Known(difference) => (
            Cell::new(Value::money_delta(difference.delta, currency)),
            // The percentage is undefined if the earlier amount is zero.
            Cell::new(difference.percent.map_or(Value::Placeholder("–"), Value::Percent)),
        ),
        Change::Incomparable => (Cell::new(Value::Placeholder("different currency")), Cell::empty()),
        _ => (Cell::new(Value::Unknown), Cell::empty()),
    }
}

/// Sums by currency, never across currencies.
fn sums(periods: &[(&TrusteeOverview, &Statement)], trend: &Trend) -> Vec<Sum> {
    let several = trend.totals.len() > 1;
    let sums = trend.totals.iter().map(|total| {
        let same = |statement: &Statement| {
            is_same_currency(statement.currency.as_deref(), total.currency.as_deref())
        };
        let of_currency = periods.iter().filter(|(_, statement)| same(statement));
        let missing = of_currency.flat_map(|(_, statement)| {
            let period = period(statement.period_start, statement.period_end);
            excluded_rows(&statement.total)
                .into_iter()
                .map(move |(name, why)| (format!("{period}, {name}"), why))
        });
        Sum {
            currency: total.currency.clone(),
            tone: Emphasis::Strong,
            excluded: missing.collect(),
            sum_of: Some(SummedColumn {
                column: "total",
                filter: several.then(|| ("currency", total.currency.clone().unwrap_or_default())),
            }),
            ..Sum::new("Total", Value::money(total.amount, total.currency.as_deref()))
        }
    });
    sums.collect()
}

/// Returns the label of a period among several.
pub(super) fn period_label(period: &PeriodTotal) -> String {
    match period.period_start {
        Some(start) => first_day(Some(start)),
        None => last_day(period.period_end),
    }
}
