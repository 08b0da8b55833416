//! The comparison of periods, row by row (rule B13).
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

use crate::history::PeriodDates;
use crate::model::TrusteeOverview;
use crate::statement::{exact_sum, folded};
use crate::trend::is_same_currency;
use crate::{Change, Line, NOT_INCLUDED, Section, SectionLines, Statement, Timestamp, Trend};

/// Periods of one organisation side by side.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Comparison {
    /// What the periods come to, the earliest first, and how that changed.
    #[serde(flatten)]
    pub trend: Trend,
    /// The rows by section, as in a statement. Rows that are equal in part number and name are one, whatever white space
    /// is around these and whatever their case; those of third parties and parts that explain a total are apart from others
    /// of their name.
    pub rows: Vec<ComparedRow>,
    /// Whether the periods are not all in one currency, so that their money is not compared.
    pub mixed_currencies: bool,
    /// What is in none of this (rule B12).
    pub not_included: &'static str,
}

/// A row in all of the periods. What describes it is from the latest period that has it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ComparedRow {
    /// What sort of thing it is about.
    pub section: Section,
    /// What it is.
    pub name: Option<String>,
    /// The vendor's part number.
    pub part_number: Option<String>,
    /// The unit of its quantities.
    pub unit: Option<String>,
    /// Whether others bill it.
    pub third_party: bool,
    /// Whether it is a part that explains a total, so that it has neither overage nor charge.
    pub explains_rollup: bool,
    /// Whether each period has it. Where one has not, nothing of it was used; but where no list of rows was sent at all,
    /// that is unknown.
    pub present: Vec<bool>,
    /// How much was used.
    pub used: Figures,
    /// How much was committed to.
    pub committed: Figures,
    /// What was used beyond committed and included (rule B4); `None` for a part.
    pub overage: Option<Figures>,
    /// What it costs (rule B5); `None` for a part.
    pub charge: Option<Figures>,
}

/// A figure in each of the periods.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Figures {
    /// The figure by period, the earliest first; `None` where it is unknown, which is not zero (rule B10).
    #[serde(serialize_with = "texts")]
    pub values: Vec<Option<Decimal>>,
    /// How it changed into each period from the one before it.
    pub changes: Vec<Change>,
}

/// Why periods cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotComparable {
    /// It takes two.
    TooFew,
    /// They are of different organisations, whose ids these are.
    Organizations(String, String),
    /// One has no dates, so that it is not known which one is the later.
    Undated,
    /// Two are the same period, the one with these dates. The server may have begun a new period between two answers, so
    /// that an index means another period than before.
    SamePeriod(String),
}

impl Comparison {
    /// Compares two or more periods, given in any order.
    ///
    /// # Errors
    /// When they are not different periods of one organisation, or cannot be put in order.
    pub fn new<'a>(periods: impl IntoIterator<Item = &'a TrusteeOverview>) -> Result<Self, NotComparable> {
        let mut periods: Vec<&TrusteeOverview> = periods.into_iter().collect();
        if periods.len() < 2 {
            return Err(NotComparable::TooFew);
        }
        let mut organizations: Vec<&str> =
            periods.iter().filter_map(|period| period.organization.as_ref()?.id.as_deref()).collect();
        organizations.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        if let [one, other, ..] = organizations[..] {
            return Err(NotComparable::Organizations(one.to_owned(), other.to_owned()));
        }
        periods.sort_by_key(|period| end(period));
        if periods.iter().any(|period| end(period).is_none()) {
            return Err(NotComparable::Undated);
        }
        let dates: Vec<PeriodDates> =
            periods.iter().map(|period| PeriodDates::from_overview(period)).collect();
        for (index, one) in dates.iter().enumerate() {
            if dates.iter().skip(index + 1).any(|other| one.is_same_period(*other)) {
                return Err(NotComparable::SamePeriod(one.to_string()));
            }
        }
        let statements: Vec<Statement> = periods.iter().map(|period| Statement::new(period)).collect();
        Ok(Self {
            rows: rows(&periods, &statements),
            mixed_currencies: statements.windows(2).any(|pair| match pair {
                [a, b] => !is_same_currency(a, b),
                _ => false,
            }),
            trend: Trend::of_ordered(&statements),
            not_included: NOT_INCLUDED,
        })
    }
}

impl fmt::Display for NotComparable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew => f.write_str("a comparison takes two periods or more"),
            Self::Organizations(one, other) => {
                write!(f, "the periods are of different organisations, {one:?} and {other:?}")
            }
            Self::Undated => {
                f.write_str("a period was sent without dates, so that it is not known which one is the later")
            }
            Self::SamePeriod(dates) => write!(
                f,
                "two of the periods are the same one, {dates}; if you named two, the server has begun a new period meanwhile"
            ),
        }
    }
}

impl std::error::Error for NotComparable {}

/// What makes rows of several periods one row.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    part_number: String,
    name: String,
    third_party: bool,
    explains_rollup: bool,
}

impl Key {
    fn of(line: &Line) -> Self {
        Self {
            part_number: folded(line.part_number.as_deref()),
            name: folded(line.name.as_deref()),
            third_party: line.third_party,
            explains_rollup: line.explains_rollup,
        }
    }
}

/// A row on its way through the periods.
struct Row<'a> {
    section: &'a Section,
    line: &'a Line,
    /// By period; `None` where it has no such row.
    cells: Vec<Option<Cell>>,
}

/// What a row is in one period, where it may stand more than once.
#[derive(Clone)]
struct Cell {
    unit: String,
    used: Option<Decimal>,
    committed: Option<Decimal>,
    overage: Option<Decimal>,
    charge: Option<Decimal>,
}

impl Cell {
    fn of(line: &Line) -> Self {
        Self {
            unit: folded(line.unit.as_deref()),
            used: line.used.as_ref().and_then(|amount| amount.decimal()),
            committed: line.committed.as_ref().and_then(|amount| amount.decimal()),
            overage: line.overage,
            charge: line.charge.amount(),
        }
    }

    /// What two rows are together.
    fn and(&self, other: &Self) -> Self {
        let both = |a: Option<Decimal>, b: Option<Decimal>| a.zip(b).and_then(|(a, b)| exact_sum(a, b));
        // Seats and gigabytes are no sum.
        let quantities = |a, b| if are_alike(&self.unit, &other.unit) { both(a, b) } else { None };
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
    let mut places: BTreeMap<Key, usize> = BTreeMap::new();
    let mut rows: Vec<Row<'_>> = Vec::new();
    // From the latest, whose words describe a row and whose order is kept.
    for (period, statement) in statements.iter().enumerate().rev() {
        for SectionLines { section, lines } in &statement.sections {
            for line in lines {
                let place = *places.entry(Key::of(line)).or_insert(rows.len());
                if place == rows.len() {
                    rows.push(Row { section, line, cells: vec![None; periods.len()] });
                }
                if let Some(cell) = rows.get_mut(place).and_then(|row| row.cells.get_mut(period)) {
                    let here = Cell::of(line);
                    *cell = Some(cell.as_ref().map_or_else(|| here.clone(), |before| before.and(&here)));
                }
            }
        }
    }
    rows.sort_by_key(|row| row.section.folded());
    rows.iter().map(|row| compared(row, periods, statements)).collect()
}

fn compared(row: &Row<'_>, periods: &[&TrusteeOverview], statements: &[Statement]) -> ComparedRow {
    let Row { section, line, cells } = row;
    let figures = |of: fn(&Cell) -> Option<Decimal>, alike: &dyn Fn(usize, usize) -> bool| {
        let value = |(cell, period): (&Option<Cell>, &&TrusteeOverview)| match cell {
            Some(cell) => of(cell),
            None => period.usages.is_some().then_some(Decimal::ZERO),
        };
        let values: Vec<Option<Decimal>> = cells.iter().zip(periods).map(value).collect();
        let change = |(n, pair): (usize, &[Option<Decimal>])| match pair {
            [earlier, later] if alike(n, n + 1) => Change::between(*earlier, *later),
            _ => Change::Unlike,
        };
        Figures { changes: values.windows(2).enumerate().map(change).collect(), values }
    };
    let unit = |n: usize| cells.get(n).and_then(|cell| cell.as_ref()).map_or("", |cell| &cell.unit);
    let one_unit = |a, b| are_alike(unit(a), unit(b));
    let one_currency = |a: usize, b: usize| match (statements.get(a), statements.get(b)) {
        (Some(a), Some(b)) => is_same_currency(a, b),
        _ => false,
    };
    let explains_rollup = line.explains_rollup;
    ComparedRow {
        section: (*section).clone(),
        name: line.name.clone(),
        part_number: line.part_number.clone(),
        unit: line.unit.clone(),
        third_party: line.third_party,
        explains_rollup,
        present: cells.iter().map(Option::is_some).collect(),
        used: figures(|cell| cell.used, &one_unit),
        committed: figures(|cell| cell.committed, &one_unit),
        overage: (!explains_rollup).then(|| figures(|cell| cell.overage, &one_unit)),
        charge: (!explains_rollup).then(|| figures(|cell| cell.charge, &one_currency)),
    }
}

/// Whether quantities in these units can be compared: where one is not sent, they can.
fn are_alike(unit: &str, other: &str) -> bool {
    unit.is_empty() || other.is_empty() || unit == other
}

fn end(period: &TrusteeOverview) -> Option<Timestamp> {
    period.billing_period_end_date.or(period.billing_period_start_date)
}

fn texts<S: Serializer>(values: &[Option<Decimal>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| value.map(|value| value.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NamedEntity, OverviewUsage};
    use crate::{Amount, Difference};

    /// Month `month` of 2026 with rows `part|name|grouping|unit|used|committed|overage price`, `-` for what is not sent.
    fn period(month: u32, rows: &[&str]) -> TrusteeOverview {
        let rows = rows.iter().map(|row| {
            let mut cells = row.split('|').map(|cell| (cell != "-").then(|| cell.to_owned()));
            let mut next = || cells.next().flatten();
            OverviewUsage {
                part_number: next(),
                name: next(),
                grouping: next(),
                unit_of_measure_type: next(),
                usage_quantity: next().as_deref().map(Amount::from),
                prepay_quantity: next().as_deref().map(Amount::from),
                prepay_price: Some("1".into()),
                overage_price: next().as_deref().map(Amount::from),
                ..OverviewUsage::default()
            }
        });
        TrusteeOverview {
            currency: Some("EUR".into()),
            billing_period_start_date: format!("2026-{month:02}-01T00:00:00Z").parse().ok(),
            billing_period_end_date: format!("2026-{month:02}-28T23:59:59Z").parse().ok(),
            usages: Some(rows.collect()),
            ..TrusteeOverview::default()
        }
    }

    fn compare(periods: &[TrusteeOverview]) -> Comparison {
        Comparison::new(periods).unwrap()
    }

    fn values(figures: &Figures) -> Vec<String> {
        figures.values.iter().map(|v| v.map_or("unknown".to_owned(), |v| v.to_string())).collect()
    }

    /// Δ and %, or what is in their place.
    fn changes(figures: &Figures) -> Vec<String> {
        let text = |change: &Change| match change {
            Change::Known(Difference { delta, percent: Some(percent), .. }) => format!("{delta} {percent}%"),
            Change::Known(Difference { delta, .. }) => format!("{delta}"),
            other => format!("{other:?}"),
        };
        figures.changes.iter().map(text).collect()
    }

    #[test]
    fn b13_delta_is_later_less_earlier_whatever_the_order_of_the_arguments() {
        let (may, june, july) = (
            period(5, &["P|a|device|unit|8|2|3"]),
            period(6, &["P|a|device|unit|10|2|3"]),
            period(7, &["P|a|device|unit|5|2|3"]),
        );
        for periods in [[&may, &june, &july], [&july, &may, &june], [&june, &july, &may]] {
            let comparison = Comparison::new(periods).unwrap();
            let row = &comparison.rows[0];
            assert_eq!(values(&row.used), ["8", "10", "5"]);
            assert_eq!(changes(&row.used), ["2 25%", "-5 -50%"]);
            assert_eq!(
                changes(row.overage.as_ref().unwrap()),
                ["2 33.33333333333333333333333333%", "-5 -62.5%"]
            );
            assert_eq!(values(row.charge.as_ref().unwrap()), ["20", "26", "11"]);
            assert_eq!(changes(&row.committed), ["0 0%", "0 0%"]);
        }
    }

    #[test]
    fn b13_rows_go_by_part_number_and_name() {
        let comparison = compare(&[
            period(5, &["P|a|device|-|1|0|1", "P|b|device|-|2|0|1", "Q|a|device|-|3|0|1"]),
            period(6, &["Q|a|device|-|30|0|1", " p |A|device|-|10|0|1", "P|b|device|-|20|0|1"]),
        ]);
        let rows: Vec<_> =
            comparison.rows.iter().map(|row| (row.name.as_deref().unwrap(), values(&row.used))).collect();
        let pair = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(rows, [("a", pair("3", "30")), ("A", pair("1", "10")), ("b", pair("2", "20"))]);
    }

    #[test]
    fn b13_a_missing_row_is_zero_used_and_has_no_percentage() {
        let comparison =
            compare(&[period(5, &["P|old|device|-|4|0|1"]), period(6, &["P|new|user-license|-|7|0|1"])]);
        let [new, old] = &comparison.rows[..] else { panic!("two rows") };
        assert_eq!((values(&new.used), changes(&new.used)), (vec!["0".into(), "7".into()], vec!["7".into()]));
        assert_eq!(new.present, [false, true]);
        assert_eq!((changes(&old.used), &old.present[..]), (vec!["-4 -100%".into()], &[true, false][..]));
        assert_eq!(changes(old.charge.as_ref().unwrap()), ["-4 -100%"]);
    }

    #[test]
    fn b13_an_unknown_amount_is_unknown_and_not_zero() {
        let comparison = compare(&[
            period(5, &["P|a|device|-|many|0|1", "P|b|device|-|1|0|-"]),
            period(6, &["P|a|device|-|7|0|1", "P|b|device|-|1|0|2"]),
        ]);
        let [a, b] = &comparison.rows[..] else { panic!("two rows") };
        assert_eq!(
            (values(&a.used), changes(&a.used)),
            (vec!["unknown".into(), "7".into()], vec!["Unknown".into()])
        );
        assert_eq!(changes(a.overage.as_ref().unwrap()), ["Unknown"]);
        assert_eq!(
            (changes(&b.used), changes(b.charge.as_ref().unwrap())),
            (vec!["0 0%".into()], vec!["Unknown".into()])
        );
        // Where the server sent no list of rows, whether there was such a row is not known.
        let mut nothing = period(7, &[]);
        nothing.usages = None;
        let comparison = compare(&[period(6, &["P|a|device|-|7|0|1"]), nothing]);
        assert_eq!(
            (values(&comparison.rows[0].used), &comparison.rows[0].present[..]),
            (vec!["7".into(), "unknown".into()], &[true, false][..])
        );
    }

    #[test]
    fn b13_no_percentage_of_zero() {
        let comparison = compare(&[period(5, &["P|a|device|-|0|0|1"]), period(6, &["P|a|device|-|3|0|1"])]);
        assert_eq!(changes(&comparison.rows[0].used), ["3"]);
    }

    #[test]
    fn currencies_and_units_are_told_and_never_mixed() {
        let (may, mut june) = (period(5, &["P|a|storage|MB|2000|0|1"]), period(6, &["P|a|storage|GB|2|0|1"]));
        june.currency = Some("USD".into());
        let comparison = compare(&[may.clone(), june.clone()]);
        assert!(comparison.mixed_currencies);
        let row = &comparison.rows[0];
        assert_eq!(changes(&row.used), ["Unlike"]);
        assert_eq!(changes(row.charge.as_ref().unwrap()), ["Unlike"]);
        assert_eq!(comparison.trend.changes, [Change::Unlike]);
        assert_eq!(comparison.trend.totals.len(), 2);
        june.currency = Some(" eur".into());
        june.usages.as_mut().unwrap()[0].unit_of_measure_type = None;
        let comparison = compare(&[may, june]);
        assert!(!comparison.mixed_currencies);
        assert_eq!(changes(&comparison.rows[0].used), ["-1998 -99.9%"]);
    }

    #[test]
    fn rows_that_stand_twice_are_one_and_nothing_is_counted_twice() {
        let comparison = compare(&[
            period(
                5,
                &[
                    "P|a|device|-|1|0|1",
                    "P|a|resource|-|2|0|1",
                    "P|a|rollup-usage|-|3|0|1",
                    "P|a|rollup|-|5|0|1",
                ],
            ),
            period(6, &["P|a|device|seat|1|0|1", "P|a|resource|GB|2|0|1"]),
        ]);
        let [whole, part] = &comparison.rows[..] else { panic!("two rows: {:?}", comparison.rows) };
        assert_eq!(values(&whole.used), ["8", "unknown"], "seats and gigabytes are no sum");
        assert_eq!(values(whole.charge.as_ref().unwrap()), ["8", "3"]);
        assert_eq!(comparison.trend.periods[0].total.known, Some(8.into()));
        assert!(part.explains_rollup && part.charge.is_none() && part.overage.is_none());
        assert_eq!(values(&part.used), ["3", "0"]);
    }

    #[test]
    fn third_parties_stay_apart() {
        let mut may = period(5, &["P|a|device|-|1|0|1", "P|a|device|-|10|0|1"]);
        may.usages.as_mut().unwrap()[1].is_third_party = Some(true);
        let comparison = compare(&[may, period(6, &["P|a|device|-|2|0|1"])]);
        let rows: Vec<_> = comparison.rows.iter().map(|row| (row.third_party, values(&row.used))).collect();
        assert_eq!(rows, [(false, vec!["1".into(), "2".into()]), (true, vec!["10".into(), "0".into()])]);
        assert_eq!(comparison.trend.third_party_changes[0].difference().unwrap().delta, (-10).into());
    }

    #[test]
    fn what_is_no_comparison_is_refused() {
        let (may, june) = (period(5, &[]), period(6, &[]));
        let refused = |periods: &[TrusteeOverview]| Comparison::new(periods).unwrap_err();
        assert_eq!(refused(&[]), NotComparable::TooFew);
        assert_eq!(refused(std::slice::from_ref(&may)), NotComparable::TooFew);
        assert!(
            refused(&[june.clone(), may.clone(), may.clone()])
                .to_string()
                .contains("2026-05-01 to 2026-05-28")
        );
        // However the server writes its dates, and wherever the two stand.
        let mut again = may.clone();
        again.billing_period_end_date = "2026-05-28T23:59:59.999Z".parse().ok();
        assert!(matches!(refused(&[may.clone(), again.clone()]), NotComparable::SamePeriod(_)));
        let mut longer = may.clone();
        longer.billing_period_start_date = "2026-04-20T00:00:00Z".parse().ok();
        again.billing_period_start_date = None;
        for periods in [[&may, &longer, &may], [&longer, &june, &again]] {
            assert!(matches!(Comparison::new(periods).unwrap_err(), NotComparable::SamePeriod(_)));
        }
        let of = |period: &TrusteeOverview, id: &str| {
            let organization = NamedEntity { id: Some(id.into()), ..NamedEntity::default() };
            TrusteeOverview { organization: Some(organization), ..period.clone() }
        };
        let error = refused(&[of(&may, "one"), of(&june, "two")]);
        assert!(error.to_string().contains("\"one\" and \"two\""), "{error}");
        assert!(Comparison::new(&[of(&may, "one"), of(&june, "ONE"), period(7, &[])]).is_ok());
        let mut undated = june.clone();
        (undated.billing_period_start_date, undated.billing_period_end_date) = (None, None);
        assert!(refused(&[may.clone(), undated]).to_string().contains("without dates"));
        // With one of its two dates it can be put in order, as a published overview can.
        let mut half = june;
        half.billing_period_start_date = None;
        assert_eq!(compare(&[half, may]).trend.periods[1].period_start, None);
    }

    #[test]
    fn as_json_amounts_are_texts_and_percentages_have_two_digits() {
        let comparison =
            compare(&[period(5, &["P|a|device|-|3|0|0.5"]), period(6, &["P|a|device|-|5|0|0.5"])]);
        let json = serde_json::to_value(&comparison).unwrap();
        let row = &json["rows"][0];
        assert_eq!(row["used"]["values"], serde_json::json!(["3", "5"]));
        assert_eq!(row["used"]["changes"][0], serde_json::json!({"delta": "2", "percent": "66.67"}));
        assert_eq!((&row["partNumber"], &row["explainsRollup"]), (&"P".into(), &false.into()));
        assert_eq!(json["periods"][0]["total"]["known"], "1.5");
        assert_eq!(json["changes"][0]["delta"], "1");
        assert_eq!((&json["mixedCurrencies"], &json["notIncluded"]), (&false.into(), &NOT_INCLUDED.into()));
    }
}
