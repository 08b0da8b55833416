//! The comparison of periods, row by row (B13).
//!
//! ```
//! use billing_core::Comparison;
//! use billing_core::model::TrusteeOverview;
//!
//! let month = |start: &str, end: &str, used: &str| -> Result<TrusteeOverview, serde_json::Error> {
//!     serde_json::from_str(&format!(
//!         r#"{{"currency":"EUR","billingPeriodStartDate":"{start}T00:00:00Z","billingPeriodEndDate":"{end}T23:59:59Z",
//!             "usages":[{{"name":"CX 2","partNumber":"GC-2","grouping":"user-license","usageQuantity":"{used}",
//!             "prepayQuantity":"10","prepayPrice":"75","overagePrice":"80"}}]}}"#
//!     ))
//! };
//! let (october, september) = (month("2026-10-01", "2026-10-31", "15")?, month("2026-09-01", "2026-09-30", "12")?);
//!
//! let comparison = Comparison::new([&october, &september])?;
//! let row = &comparison.rows[0];
//! assert_eq!(row.used.values, [Some(12.into()), Some(15.into())]);
//! assert_eq!(row.used.changes[0].difference().unwrap().percent, Some(25.into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;
use serde::ser::Serializer;

use super::{
    Change, Line, NOT_INCLUDED, Section, SectionLines, Statement, Trend, checked_sum, is_same_currency,
    normalized,
};
use crate::history::PeriodDates;
use crate::model::TrusteeOverview;

/// Periods of one organisation side by side.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Comparison {
    /// The totals of the periods, the earliest first, and their changes.
    #[serde(flatten)]
    pub trend: Trend,
    /// The rows by section, as in a statement. Rows with the same part number and name are one row, whatever their case and
    /// the white space around them. Third-party rows and parts of rollups are separate from other rows of their name.
    pub rows: Vec<ComparedRow>,
    /// True if the periods are not all in one currency, so that their money is not compared.
    pub mixed_currencies: bool,
    /// A sentence that says which costs are in none of the totals (B12).
    pub not_included: &'static str,
}

/// A row in all of the periods. Its name, part number, section and unit are from the latest period that has it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ComparedRow {
    /// Its section.
    pub section: Section,
    /// Its name.
    pub name: Option<String>,
    /// The vendor's part number.
    pub part_number: Option<String>,
    /// The unit of its quantities.
    pub unit: Option<String>,
    /// True if a third party bills it (B8).
    pub third_party: bool,
    /// True if it is a part of a rollup (B6, B7), which has neither overage nor charge.
    #[serde(rename = "explainsRollup")]
    pub rollup_part: bool,
    /// For each period, true if it has the row. In a period without the row nothing of it was used (B13); if
    /// the server sent no list of rows at all, its use is unknown.
    pub present: Vec<bool>,
    /// The quantity used.
    pub used: PeriodFigures,
    /// The quantity committed to.
    pub committed: PeriodFigures,
    /// The quantity used beyond committed and included (B4); `None` for a part of a rollup.
    pub overage: Option<PeriodFigures>,
    /// The charge (B5); `None` for a part of a rollup.
    pub charge: Option<PeriodFigures>,
}

/// A figure in each of the periods.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct PeriodFigures {
    /// The figure by period, the earliest first; `None` where it is unknown, which is not zero (B10).
    #[serde(serialize_with = "texts")]
    pub values: Vec<Option<Decimal>>,
    /// The change into each period from the one before it.
    pub changes: Vec<Change>,
}

/// The reason why periods cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incomparable {
    /// Fewer than two periods were given.
    TooFew,
    /// They are of different organisations, with these ids.
    Organizations(String, String),
    /// One has no dates, so that the order of the periods is unknown.
    Undated,
    /// Two are the same period, with these dates. The server may have begun a new period between two answers, so that an
    /// index means another period than before.
    SamePeriod(String),
}

impl Comparison {
    /// Compares two or more periods, given in any order.
    ///
    /// # Errors
    /// Returns an error if they are not different periods of one organisation, or cannot be put in order.
    pub fn new<'a>(periods: impl IntoIterator<Item = &'a TrusteeOverview>) -> Result<Self, Incomparable> {
        let mut periods: Vec<&TrusteeOverview> = periods.into_iter().collect();
        if periods.len() < 2 {
            return Err(Incomparable::TooFew);
        }
        let mut organizations: Vec<&str> =
            periods.iter().filter_map(|period| period.organization.as_ref()?.id.as_deref()).collect();
        organizations.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        if let [one, other, ..] = organizations[..] {
            return Err(Incomparable::Organizations(one.to_owned(), other.to_owned()));
        }
        periods.sort_by_key(|period| PeriodDates::from_overview(period).order_key());
        if periods.iter().any(|period| PeriodDates::from_overview(period).order_key().is_none()) {
            return Err(Incomparable::Undated);
        }
        let dates: Vec<PeriodDates> =
            periods.iter().map(|period| PeriodDates::from_overview(period)).collect();
        for (index, one) in dates.iter().enumerate() {
            if dates.iter().skip(index + 1).any(|other| one.is_same_period(*other)) {
                return Err(Incomparable::SamePeriod(one.to_string()));
            }
        }
        let statements: Vec<Statement> = periods.iter().map(|period| Statement::new(period)).collect();
        Ok(Self {
            rows: rows(&periods, &statements),
            mixed_currencies: statements.windows(2).any(|pair| match pair {
                [a, b] => !is_same_currency(a.currency.as_deref(), b.currency.as_deref()),
                _ => false,
            }),
            trend: Trend::of_ordered(&statements),
            not_included: NOT_INCLUDED,
        })
    }
}

impl fmt::Display for Incomparable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew => f.write_str("a comparison needs two or more periods"),
            Self::Organizations(one, other) => {
                write!(f, "the periods are of different organisations, {one:?} and {other:?}")
            }
            Self::Undated => f.write_str("a period has no dates, so the order of the periods is unknown"),
            Self::SamePeriod(dates) => write!(
                f,
                "two of the periods are the same, {dates}. If you named two different ones, a new billing period has started meanwhile: run the command again"
            ),
        }
    }
}

impl std::error::Error for Incomparable {}

/// The properties that make rows of several periods one row (B13).
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct RowKey {
    part_number: String,
    name: String,
    third_party: bool,
    rollup_part: bool,
}

impl RowKey {
    fn of(line: &Line) -> Self {
        Self {
            part_number: normalized(line.part_number.as_deref()),
            name: normalized(line.name.as_deref()),
            third_party: line.third_party,
            rollup_part: line.rollup_part,
        }
    }
}

/// A row in all of the periods, while they are read one after the other.
struct RowInPeriods<'a> {
    section: &'a Section,
    line: &'a Line,
    /// The figures by period; `None` for a period without the row.
    cells: Vec<Option<PeriodCell>>,
}

/// The figures of a row in one period.
#[derive(Clone)]
struct PeriodCell {
    unit: String,
    used: Option<Decimal>,
    committed: Option<Decimal>,
    overage: Option<Decimal>,
    charge: Option<Decimal>,
}

impl PeriodCell {
    fn of(line: &Line) -> Self {
        Self {
            unit: normalized(line.unit.as_deref()),
            used: line.used.as_ref().and_then(|amount| amount.decimal()),
            committed: line.committed.as_ref().and_then(|amount| amount.decimal()),
            overage: line.overage,
            charge: line.charge.amount(),
        }
    }

    /// Adds up two rows of one period that are the same row. An overview may list a name twice.
    fn plus(&self, other: &Self) -> Self {
        let both = |a: Option<Decimal>, b: Option<Decimal>| a.zip(b).and_then(|(a, b)| checked_sum(a, b));
        // Seats and gigabytes cannot be added; their charges can.
        let quantities = |a, b| if are_same_unit(&self.unit, &other.unit) { both(a, b) } else { None };
        Self {
            unit: if self.unit.is_empty() { other.unit.clone() } else { self.unit.clone() },
            used: quantities(self.used, other.used),
            committed: quantities(self.committed, other.committed),
            overage: quantities(self.overage, other.overage),
            charge: both(self.charge, other.charge),
        }
    }
}

fn rows(periods: &[&TrusteeOverview], statements: &[Statement]) -> Vec<ComparedRow> {
    let mut places: BTreeMap<RowKey, usize> = BTreeMap::new();
    let mut rows: Vec<RowInPeriods<'_>> = Vec::new();
    // The latest period comes first: its names describe the rows and its order is kept.
    for (period, statement) in statements.iter().enumerate().rev() {
        for SectionLines { section, lines } in &statement.sections {
            for line in lines {
                let place = *places.entry(RowKey::of(line)).or_insert(rows.len());
                if place == rows.len() {
                    rows.push(RowInPeriods { section, line, cells: vec![None; periods.len()] });
                }
                if let Some(cell) = rows.get_mut(place).and_then(|row| row.cells.get_mut(period)) {
                    let here = PeriodCell::of(line);
                    *cell = Some(cell.as_ref().map_or_else(|| here.clone(), |before| before.plus(&here)));
                }
            }
        }
    }
    rows.sort_by_key(|row| row.section.normalized());
    rows.iter().map(|row| compared(row, periods, statements)).collect()
}

fn compared(row: &RowInPeriods<'_>, periods: &[&TrusteeOverview], statements: &[Statement]) -> ComparedRow {
    let RowInPeriods { section, line, cells } = row;
    let figures = |of: fn(&PeriodCell) -> Option<Decimal>, comparable: &dyn Fn(usize, usize) -> bool| {
        let value = |(cell, period): (&Option<PeriodCell>, &&TrusteeOverview)| match cell {
            Some(cell) => of(cell),
            // A row that a period does not list was not used in it (B13). Without a list, that is unknown.
            None => period.usages.is_some().then_some(Decimal::ZERO),
        };
        let values: Vec<Option<Decimal>> = cells.iter().zip(periods).map(value).collect();
        let change = |(n, pair): (usize, &[Option<Decimal>])| match pair {
            [earlier, later] if comparable(n, n + 1) => Change::between(*earlier, *later),
            _ => Change::Incomparable,
        };
        PeriodFigures { changes: values.windows(2).enumerate().map(change).collect(), values }
    };
    let unit = |n: usize| cells.get(n).and_then(|cell| cell.as_ref()).map_or("", |cell| &cell.unit);
    let one_unit = |a, b| are_same_unit(unit(a), unit(b));
    let one_currency = |a: usize, b: usize| match (statements.get(a), statements.get(b)) {
        (Some(a), Some(b)) => is_same_currency(a.currency.as_deref(), b.currency.as_deref()),
        _ => false,
    };
    let rollup_part = line.rollup_part;
    ComparedRow {
        section: (*section).clone(),
        name: line.name.clone(),
        part_number: line.part_number.clone(),
        unit: line.unit.clone(),
        third_party: line.third_party,
        rollup_part,
        present: cells.iter().map(Option::is_some).collect(),
        used: figures(|cell| cell.used, &one_unit),
        committed: figures(|cell| cell.committed, &one_unit),
        overage: (!rollup_part).then(|| figures(|cell| cell.overage, &one_unit)),
        charge: (!rollup_part).then(|| figures(|cell| cell.charge, &one_currency)),
    }
}

/// Returns true if quantities in these normalized units can be compared. A unit that was not sent fits any other.
fn are_same_unit(unit: &str, other: &str) -> bool {
    unit.is_empty() || other.is_empty() || unit == other
}

fn texts<S: Serializer>(values: &[Option<Decimal>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| value.map(|value| value.to_string())))
}
