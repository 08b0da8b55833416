//! The view of many organisations: one row each, totals by currency, and the rows of each.

use billing_core::model::TrusteeOverview;
use billing_core::statement::{CurrencyTotal, NOT_INCLUDED, Statement};

use super::overview::{minimum, rows};
use crate::format::document::{
    Cell, Chart, ChartData, Column, Document, Emphasis, Fact, Formats, Group, Note, Row, Sheet, Sum,
    SummedColumn, Value,
};
use crate::organizations::QueriedOrg;
use crate::text::count;

/// Builds the row of one organisation.
pub(crate) fn organization(asked: &QueriedOrg, overview: &TrusteeOverview, statement: &Statement) -> Row {
    let currency = statement.currency.as_deref();
    let counted = |n: usize, tone| if n > 0 { Cell::new(Value::Count(n)).tone(tone) } else { Cell::empty() };
    let has_third_party = statement.lines().any(|line| line.third_party);
    let third_party = Cell::money(statement.third_party.amount, currency);
    Row::new(vec![
        Cell::name(asked.name_for(overview)),
        Cell::text(asked.id_for(overview)),
        Cell::period_start(statement.period_start),
        Cell::period_end(statement.period_end),
        Cell::optional_text(currency),
        Cell::money(statement.total.amount, currency),
        Cell::overage_charge(statement.overage_total().amount, currency),
        if has_third_party { third_party } else { Cell::empty() },
        minimum(statement.minimum.as_ref(), currency),
        counted(statement.lines_over().count(), Emphasis::Overage),
        counted(statement.unknown_charges(), Emphasis::Warning),
    ])
}

/// Builds a table of the rows of one organisation.
pub(crate) fn details(asked: &QueriedOrg, overview: &TrusteeOverview, statement: &Statement) -> Sheet {
    let formats = Formats::SPREADSHEETS.and(Formats::HTML);
    Sheet { collapsed: true, formats, ..rows(Some(asked), overview, statement) }
}

/// Returns the same table without rows, for its columns.
pub(crate) fn empty_details() -> Sheet {
    let none = TrusteeOverview::default();
    rows(None, &none, &Statement::new(&none))
}

/// Builds the document of all organisations. `details` has the rows of each. `failed` lists those that could
/// not be read, with the reason. `of` is the number of requested organisations, which is larger if the run
/// was aborted.
pub(crate) fn fleet(
    organizations: Vec<Row>,
    totals: &[CurrencyTotal],
    details: Vec<Sheet>,
    failed: &[(String, String)],
    of: usize,
) -> Document {
    let unread =
        if failed.is_empty() { String::new() } else { format!("; {} could not be read", failed.len()) };
    let missing = of.saturating_sub(organizations.len() + failed.len());
    let (read, notes) = match missing {
        0 => (count(organizations.len(), "organisation", "organisations"), Vec::new()),
        _ => {
            let of = count(of, "organisation", "organisations");
            let stopped = format!("! Incomplete: the run stopped early, and {missing} of {of} are missing");
            (format!("{} of {of}", organizations.len()), vec![Note::new(Emphasis::Warning, stopped)])
        }
    };
    let facts = vec![Fact::new("Read", format!("{read}{unread}"))];
    let mut sheets = vec![summary(organizations, totals, failed, notes)];
    sheets.extend(match details.len() {
        0..=MAX_SHEETS => details,
        _ => vec![merged_sheet(details)],
    });
    Document { title: "Overviews of organisations".to_owned(), facts, sheets }
}

fn summary(
    organizations: Vec<Row>,
    totals: &[CurrencyTotal],
    failed: &[(String, String)],
    mut notes: Vec<Note>,
) -> Sheet {
    let columns = vec![
        Column::text("organizationName", "Organisation"),
        Column::text("organizationId", "Id").drop_rank(9).aside(),
        Column::date("billingPeriodStartDate", "Begins").drop_rank(5),
        Column::date("billingPeriodEndDate", "Ends").drop_rank(6),
        Column::text("currency", "Currency").drop_rank(1),
        Column::money("total", "Total"),
        Column::money("overageCharge", "Overage"),
        Column::money("thirdParty", "Third party").drop_rank(7),
        Column::money("minimum", "Minimum").drop_rank(8),
        Column::number("rowsOver", "Rows with overage").drop_rank(4),
        Column::number("unknown", "Unknown charges").drop_rank(3),
    ];
    let several = totals.len() > 1;
    let sums = totals.iter().flat_map(|total| {
        let mut remarks = vec![count(total.statements, "organisation", "organisations")];
        if total.excluded > 0 {
            remarks.push(format!("excludes {} with unknown charges", count(total.excluded, "row", "rows")));
        }
        if total.excluded_statements > 0 {
            remarks.push(format!("no total for {}", total.excluded_statements));
        }
        let payable = total.payable.filter(|payable| Some(*payable) != total.amount).map(|payable| Sum {
            currency: total.currency.clone(),
            ..Sum::new(
                "Payable, with minimum commitments applied",
                Value::money(Some(payable), total.currency.as_deref()),
            )
        });
        let known = Sum {
            currency: total.currency.clone(),
            remark: Some(remarks.join(", ")),
            tone: Emphasis::Strong,
            sum_of: Some(SummedColumn {
                column: "total",
                filter: several.then(|| ("currency", total.currency.clone().unwrap_or_default())),
            }),
            ..Sum::new("Total", Value::money(total.amount, total.currency.as_deref()))
        };
        [known].into_iter().chain(payable)
    });
    notes.extend(failed.iter().map(|(organization, why)| {
        Note::new(Emphasis::Warning, format!("! {organization} could not be read: {why}"))
    }));
    notes.push(Note::new(Emphasis::Muted, NOT_INCLUDED));
    let one_currency = || totals.first().and_then(|total| total.currency.clone());
    let chart = || Chart {
        title: "Overage by organisation",
        label: "organizationName",
        shows: ChartData::Values { value: "overageCharge", unit: one_currency(), tone: Emphasis::Overage },
    };
    Sheet {
        worksheet_name: "Organisations".to_owned(),
        formats: Formats::TABLE.and(Formats::XLSX).and(Formats::HTML),
        sums: sums.collect(),
        notes,
        // Amounts of different currencies cannot share a chart.
        charts: (!several).then(chart).into_iter().collect(),
        groups: vec![Group { heading: None, rows: organizations }],
        ..Sheet::new("Organisations", columns)
    }
}

/// Merges the rows of all organisations into one sheet with an organisation column, if there would be too
/// many sheets.
fn merged_sheet(details: Vec<Sheet>) -> Sheet {
    let mut all = Sheet { formats: Formats::XLSX, ..Sheet::new("Rows", Vec::new()) };
    for sheet in details {
        if all.columns.is_empty() {
            let whose = sheet.constant_columns.iter().map(|(key, _)| Column::text(key, key));
            all.columns = whose.chain(sheet.columns).collect();
        }
        let whose: Vec<Cell> =
            sheet.constant_columns.iter().map(|(_, value)| Cell::text(value.as_str())).collect();
        let rows = sheet
            .groups
            .into_iter()
            .flat_map(|group| group.rows)
            .map(|row| Row { cells: whose.iter().cloned().chain(row.cells).collect(), ..row });
        match all.groups.first_mut() {
            Some(group) => group.rows.extend(rows),
            None => all.groups.push(Group { heading: None, rows: rows.collect() }),
        }
    }
    all
}

/// The maximum number of sheets: with more, spreadsheet programs take minutes to open a workbook.
pub(crate) const MAX_SHEETS: usize = 250;

#[cfg(test)]
mod tests {
    use billing_core::statement::CurrencyTotals;

    use super::*;

    fn made(n: usize) -> Document {
        let mut totals = CurrencyTotals::default();
        let (mut organizations, mut all) = (Vec::new(), Vec::new());
        for n in 0..n {
            let overview: TrusteeOverview = serde_json::from_str(&format!(
                r#"{{"organization":{{"id":"o{n}","name":"Org {n}"}},"currency":"{}","minimumMonthlyAmount":"6.5","usages":[
                    {{"name":"a","usageQuantity":"3","prepayQuantity":"1","prepayPrice":"1","overagePrice":"2.5"}}]}}"#,
                if n == 0 { "JPY" } else { "USD" }
            ))
            .unwrap();
            let statement = Statement::new(&overview);
            totals.add(&statement);
            let asked = QueriedOrg::from("another".parse::<billing_core::OrgId>().unwrap());
            organizations.push(organization(&asked, &overview, &statement));
            all.push(details(&asked, &overview, &statement));
        }
        fleet(organizations, &totals.by_currency(), all, &[("gone".into(), "not found".into())], n + 1)
    }

    #[test]
    fn currencies_stay_apart_and_failures_are_named() {
        let document = made(3);
        let summary = &document.sheets[0];
        let sums: Vec<_> =
            summary.sums.iter().map(|sum| (sum.currency.as_deref(), sum.value.display_text())).collect();
        // Rule B11: show both the total and the payable amount.
        let [jpy, usd] = ["JPY", "USD"].map(Some);
        let shown = [(jpy, "6"), (jpy, "7"), (usd, "12.00"), (usd, "13.00")];
        assert_eq!(sums, shown.map(|(currency, sum)| (currency, sum.to_owned())));
        assert!(summary.notes[0].text.contains("gone could not be read"));
        assert!(summary.charts.is_empty());
        assert_eq!(document.sheets.len(), 4);
        assert_eq!(document.facts[0].value, "3 organisations; 1 could not be read");
    }

    #[test]
    fn a_run_that_was_stopped_says_what_is_missing() {
        let document = fleet(Vec::new(), &[], Vec::new(), &[("gone".into(), "not found".into())], 7);
        assert_eq!(document.facts[0].value, "0 of 7 organisations; 1 could not be read");
        let note = &document.sheets[0].notes[0];
        assert!(
            note.tone == Emphasis::Warning && note.text.contains("6 of 7 organisations are missing"),
            "{}",
            note.text
        );
    }

    #[test]
    fn of_very_many_the_rows_stand_in_one_sheet() {
        let document = made(MAX_SHEETS + 1);
        assert_eq!(document.sheets.len(), 2);
        let rows = &document.sheets[1];
        assert_eq!(rows.rows().count(), MAX_SHEETS + 1);
        assert_eq!(rows.rows().nth(7).unwrap().value(0), &Value::Text("o7".into()));
        assert_eq!(rows.columns.len(), rows.rows().next().unwrap().cells.len());
    }
}
