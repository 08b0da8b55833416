//! The view of an overview with its statement.

use billing_core::model::TrusteeOverview;
use billing_core::statement::{Allowance, Charge, Line, MinimumCommitment, MinimumStatus, Statement, Total};
use rust_decimal::Decimal;

use crate::format::document::{
    Cell, Chart, ChartData, Column, Document, Emphasis, Fact, Formats, Group, NO_NAME, Note, Row, Sheet, Sum,
    SummedColumn, Value, last_day, period,
};
use crate::organizations::QueriedOrg;
use crate::text::count;

/// Builds the rows by section with the lines of the statement, and one row per section.
pub(crate) fn overview(asked: &QueriedOrg, overview: &TrusteeOverview, statement: &Statement) -> Document {
    let mut rows = rows(Some(asked), overview, statement);
    let (title, facts) = (rows.title, std::mem::take(&mut rows.facts));
    rows.title = "Usage and charges".to_owned();
    Document { title, facts, sheets: vec![rows, sections(statement)] }
}

/// Builds the sheet of one organisation and period: each row of its overview with its charge. `asked` is the
/// queried organisation; it is `None` for an empty sheet.
pub(super) fn rows(asked: Option<&QueriedOrg>, overview: &TrusteeOverview, statement: &Statement) -> Sheet {
    let id = asked.map(|asked| asked.id_for(overview)).unwrap_or_default();
    let name = asked.and_then(|asked| asked.name_for(overview));
    let currency = statement.currency.as_deref();
    let [start, end] =
        [statement.period_start, statement.period_end].map(|date| date.map(|date| date.to_string()));
    let context = [
        ("organizationId", Some(id.to_owned())),
        ("organizationName", name.map(str::to_owned)),
        ("billingPeriodStartDate", start),
        ("billingPeriodEndDate", end),
        ("currency", statement.currency.clone()),
    ];
    let headed = |section: &billing_core::statement::SectionLines| Group {
        heading: Some(section.section.name().to_uppercase()),
        rows: section.lines.iter().map(|line| row(section.section.name(), line, currency)).collect(),
    };
    let mut groups: Vec<Group> = statement.sections.iter().map(headed).collect();
    for (applied, heading) in [(true, FAIR_USE), (false, UNAPPLIED_FAIR_USE)] {
        let rows: Vec<Row> =
            statement.allowances.iter().filter(|a| a.applied == applied).map(allowance).collect();
        if !rows.is_empty() {
            groups.push(Group { heading: Some(heading.to_owned()), rows });
        }
    }
    Sheet {
        facts: facts(id, overview, statement),
        constant_columns: context.map(|(key, value)| (key, value.unwrap_or_default())).into(),
        groups,
        sums: sums(statement),
        notes: vec![Note::new(Emphasis::Muted, statement.not_included)],
        charts: vec![Chart {
            title: "Usage against commitment",
            label: "name",
            shows: ChartData::UsageVsAgreed {
                used: "usageQuantity",
                committed: "prepayQuantity",
                included: "included",
                about: ["unitOfMeasureType", "billedBy"],
            },
        }],
        ..Sheet::new(name.unwrap_or(id), columns())
    }
}

fn facts(id: &str, overview: &TrusteeOverview, statement: &Statement) -> Vec<Fact> {
    let mut facts = vec![Fact::new("Billing period", period(statement.period_start, statement.period_end))];
    if let Some(subscription) = &overview.subscription_type {
        facts.push(Fact::new("Subscription", subscription.to_string()));
    }
    facts.push(Fact::new("Currency", statement.currency.as_deref().unwrap_or("(not sent)")));
    if overview.in_ramp_period == Some(true) {
        facts.push(Fact::new("Ramp period", format!("until {}", last_day(overview.ramp_period_end_date))));
    }
    facts.push(Fact::new("Organisation id", id));
    facts
}

/// Columns with the server's values keep the server's field names.
fn columns() -> Vec<Column> {
    let (sheets, people) = (Formats::SPREADSHEETS, Formats::TABLE.and(Formats::HTML));
    vec![
        Column::text("section", "Section").only(sheets),
        Column::text("role", "Role").only(sheets),
        Column::text("name", "Name"),
        Column::text("billedBy", "Billed by").only(people).drop_rank(1).aside(),
        Column::text("partNumber", "Part number").drop_rank(8).aside(),
        Column::text("grouping", "Grouping").only(sheets),
        Column::text("unitOfMeasureType", "Unit").drop_rank(5).aside(),
        Column::number("bundleQuantity", "Bundle").drop_rank(9),
        Column::number("usageQuantity", "Used").drop_rank(2),
        Column::number("prepayQuantity", "Committed").drop_rank(3),
        Column::number("included", "Included").drop_rank(4),
        Column::number("overage", "Overage"),
        Column::number("prepayPrice", "Prepay price").drop_rank(7),
        Column::number("overagePrice", "Overage price").drop_rank(6),
        Column::money("charge", "Charge"),
        Column::text("isThirdParty", "Third party").only(sheets),
        Column::text("remark", "Remark").only(sheets.and(Formats::HTML)).aside(),
        Column::text("usageNotes", "Notes").only(sheets.and(Formats::HTML)).aside(),
    ]
}

fn row(section: &str, line: &Line, currency: Option<&str>) -> Row {
    let part = line.charge == Charge::InRollup;
    let unless_part = |cell: Cell| if part { Cell::empty() } else { cell };
    let (charge, remark) = match &line.charge {
        Charge::InRollup => (Cell::new(Value::Placeholder("in rollup")), Some(IN_ROLLUP.to_owned())),
        Charge::Unknown(why) => (Cell::new(Value::Unknown), Some(why.to_string())),
        charge => (Cell::money(charge.amount(), currency), None),
    };
    let cells = vec![
        Cell::text(section),
        Cell::text(if part { "part" } else { "use" }),
        Cell::name(line.name.as_deref()),
        Cell::optional_text(line.third_party.then_some("third party")),
        Cell::optional_text(line.part_number.as_deref()),
        Cell::optional_text(line.grouping.as_deref()),
        Cell::optional_text(line.unit.as_deref()),
        Cell::new(line.bundle.clone().map_or(Value::Empty, Value::Quantity)),
        Cell::quantity(line.used.as_ref()),
        Cell::quantity(line.committed.as_ref()),
        unless_part(Cell::exact(line.included)),
        unless_part(Cell::overage(line.overage)),
        Cell::price(line.prepay_price.as_ref()),
        Cell::price(line.overage_price.as_ref()),
        charge,
        Cell::new(Value::Flag(line.third_party)),
        Cell::optional_text(remark.as_deref()),
        Cell::optional_text(line.notes.as_deref()),
    ];
    Row { is_part: part, cells }
}

/// Returns the row of a fair-use allowance. It is applied to other rows; it is not usage and has no charge
/// (rule B3).
fn allowance(allowance: &Allowance) -> Row {
    let mut cells = vec![Cell::empty(); columns().len()];
    let known = [
        Cell::text("fair use"),
        Cell::text("allowance"),
        Cell::name(allowance.name.as_deref()),
        Cell::empty(),
        Cell::optional_text(allowance.part_number.as_deref()),
        Cell::text("fair-use"),
        Cell::optional_text(allowance.unit.as_deref()),
        Cell::empty(),
        Cell::empty(),
        Cell::empty(),
        Cell::quantity(allowance.quantity.as_ref()),
    ];
    cells.splice(..known.len(), known);
    Row::new(cells)
}

/// Adds the total, its overage, the minimum commitment, and the third-party amount.
fn sums(statement: &Statement) -> Vec<Sum> {
    let currency = &statement.currency;
    let money = |amount: Option<Decimal>| Value::money(amount, currency.as_deref());
    let of_lines = |third_party: &str| SummedColumn {
        column: "charge",
        filter: Some(("isThirdParty", third_party.to_owned())),
    };
    let sum = |label: &str, value| Sum { currency: currency.clone(), ..Sum::new(label, value) };
    let mut sums = vec![Sum {
        tone: Emphasis::Strong,
        excluded: excluded_rows(&statement.total),
        sum_of: Some(of_lines("no")),
        ..sum("Total", money(statement.total.amount))
    }];
    if statement.lines_over().next().is_some() {
        let overage = statement.overage_total();
        sums.push(Sum {
            remark: Some(rows_over(statement, overage.is_complete())),
            tone: Emphasis::Overage,
            ..sum("Overage in the total", money(overage.amount))
        });
    }
    if let Some(minimum) = &statement.minimum {
        let (tone, remark) = match minimum.status {
            MinimumStatus::Applies => {
                (Emphasis::Warning, "the total is below the minimum, so the minimum is charged")
            }
            MinimumStatus::Reached => (Emphasis::Plain, "the total reaches the minimum"),
            _ => (Emphasis::Warning, "it is unknown whether the total reaches the minimum"),
        };
        let value = match minimum.amount.decimal() {
            Some(amount) => money(Some(amount)),
            None => Value::Price(minimum.amount.clone()),
        };
        sums.push(Sum { remark: Some(remark.to_owned()), tone, ..sum("Monthly minimum", value) });
    }
    if statement.lines().any(|line| line.third_party) {
        sums.push(Sum {
            remark: Some("billed by third parties, not in the total".to_owned()),
            excluded: excluded_rows(&statement.third_party),
            sum_of: Some(of_lines("yes")),
            ..sum("Third party", money(statement.third_party.amount))
        });
    }
    sums
}

/// Returns the rows that a total excludes, with the reasons.
pub(super) fn excluded_rows(total: &Total) -> Vec<(String, String)> {
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| NO_NAME.to_owned());
    total.excluded.iter().map(|row| (name(&row.name), row.reason.to_string())).collect()
}

/// Returns the minimum commitment for the summary. It is emphasized if it is charged instead of the total.
pub(super) fn minimum(minimum: Option<&MinimumCommitment>, currency: Option<&str>) -> Cell {
    let Some(minimum) = minimum else { return Cell::empty() };
    let cell = Cell::sent_money(Some(&minimum.amount), currency);
    if minimum.status == MinimumStatus::Applies { cell.tone(Emphasis::Warning) } else { cell }
}

/// Returns the number of rows that are over. Third-party rows among them are not part of the overage in the
/// total.
fn rows_over(statement: &Statement, is_complete: bool) -> String {
    let over = statement.lines_over().count();
    let by_others = statement.lines_over().filter(|line| line.third_party).count();
    let by_others = match by_others {
        0 => String::new(),
        by_others => format!(" ({by_others} of them billed by third parties)"),
    };
    let incomplete = if is_complete { "" } else { ", counting known charges only" };
    format!("{} above the agreed quantity{by_others}{incomplete}", count(over, "row is", "rows are"))
}

/// Builds one row per section.
fn sections(statement: &Statement) -> Sheet {
    let currency = statement.currency.as_deref();
    let columns = vec![
        Column::text("section", "Section"),
        Column::number("rows", "Rows"),
        Column::number("rowsOver", "Rows with overage"),
        Column::money("overageCharge", "Charge for overage"),
        Column::money("charge", "Charge"),
        Column::number("unknown", "Unknown charges"),
    ];
    let rows = statement.sections.iter().map(|section| {
        let (total, overage) = (section.total(), section.overage_total());
        let counted =
            |n: usize, tone| Cell::new(Value::Count(n)).tone(if n > 0 { tone } else { Emphasis::Plain });
        Row::new(vec![
            Cell::text(section.section.name()),
            Cell::new(Value::Count(section.lines.len())),
            counted(section.lines_over().count(), Emphasis::Overage),
            Cell::money(overage.amount, currency),
            Cell::money(total.amount, currency),
            counted(section.unknown_charges(), Emphasis::Warning),
        ])
    });
    Sheet {
        formats: Formats::XLSX.and(Formats::HTML),
        groups: vec![Group { heading: None, rows: rows.collect() }],
        sums: vec![Sum {
            currency: statement.currency.clone(),
            tone: Emphasis::Strong,
            sum_of: Some(SummedColumn { column: "charge", filter: None }),
            ..Sum::new("Total", Value::money(statement.total.amount, currency))
        }],
        notes: vec![Note::new(
            Emphasis::Muted,
            "Charges exclude third-party rows; the row counts include them.",
        )],
        charts: vec![Chart {
            title: "Overage by section",
            label: "section",
            shows: ChartData::Values {
                value: "overageCharge",
                unit: statement.currency.clone(),
                tone: Emphasis::Overage,
            },
        }],
        ..Sheet::new("By section", columns)
    }
}

const FAIR_USE: &str = "FAIR USE (allowances, no charge)";
const UNAPPLIED_FAIR_USE: &str = "FAIR USE, NOT APPLIED (allowances that match no row)";
const IN_ROLLUP: &str = "charged in its rollup row";
