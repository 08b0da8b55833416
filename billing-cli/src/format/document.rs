//! What a command found, apart from how it is written: tables of typed cells, and what they come to.
//!
//! A command builds one document. Each format for people and for spreadsheets renders any document, so that there is no
//! code for a command in a format. JSON stands apart: it is the server's own.

use std::borrow::Cow;

use billing_core::statement::{decimals, is_over, rounded_to};
use billing_core::{Amount, Date, Timestamp};
use chrono::NaiveDate;
use rust_decimal::Decimal;

/// All that one command prints.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) title: String,
    pub(crate) facts: Vec<Fact>,
    pub(crate) sheets: Vec<Sheet>,
}

/// Something to know about the whole, such as its period.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) label: &'static str,
    pub(crate) value: String,
}

/// A table, with what it comes to.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// Its name in a workbook, before it is made fit to be one.
    pub(crate) worksheet_name: String,
    pub(crate) title: String,
    /// Of this table alone; a table without any goes by the document's.
    pub(crate) facts: Vec<Fact>,
    /// Which formats show it.
    pub(crate) formats: Formats,
    /// Whether a page shows it only when asked to, on a screen.
    pub(crate) collapsed: bool,
    /// What CSV repeats at the beginning of each row.
    pub(crate) constant_columns: Vec<(&'static str, String)>,
    pub(crate) columns: Vec<Column>,
    pub(crate) groups: Vec<Group>,
    pub(crate) sums: Vec<Sum>,
    pub(crate) notes: Vec<Note>,
    pub(crate) charts: Vec<Chart>,
}

/// A column. Its key is its name for programs: the server's own where the column is the server's.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) key: Cow<'static, str>,
    pub(crate) title: Cow<'static, str>,
    pub(crate) kind: ColumnKind,
    /// Those with the highest rank are left out first where there is no room.
    pub(crate) drop_rank: Option<u8>,
    /// Whether a page has room for it only under the name in the first column.
    pub(crate) secondary: bool,
    pub(crate) formats: Formats,
}

/// What is in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    Text,
    Number,
    Money,
    Date,
}

/// Rows under a heading.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) heading: Option<String>,
    pub(crate) rows: Vec<Row>,
}

/// A cell for each column.
#[derive(Debug)]
pub(crate) struct Row {
    /// Whether it only explains a row above.
    pub(crate) is_part: bool,
    pub(crate) cells: Vec<Cell>,
}

/// A value, and how it stands out.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) value: Value,
    pub(crate) tone: Emphasis,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// There is nothing to say.
    Empty,
    /// It is not known, which is not zero.
    Unknown,
    Text(String),
    /// In its place, for people, why there is none: `in rollup`.
    Placeholder(&'static str),
    Flag(bool),
    Count(usize),
    /// A quantity as it came.
    Quantity(Amount),
    /// A price as it came, whose digits are those of a contract.
    Price(Amount),
    /// What was computed, exactly.
    Exact(Decimal),
    /// An exact amount of money, and with how many decimals it is shown.
    Money(Decimal, u32),
    /// By how much a quantity changed, exactly.
    Delta(Decimal),
    /// By how much an amount of money changed, exactly, and with how many decimals it is shown.
    MoneyDelta(Decimal, u32),
    /// By which part of a hundred something changed; shown to a tenth.
    Percent(Decimal),
    Day(NaiveDate),
    DateTime(Timestamp),
}

/// How something stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emphasis {
    Plain,
    /// A total.
    Strong,
    /// What was used beyond what was agreed.
    Overage,
    /// What is amiss.
    Warning,
    /// What only explains.
    Muted,
}

/// What rows come to.
#[derive(Debug)]
pub(crate) struct Sum {
    pub(crate) label: String,
    pub(crate) value: Value,
    pub(crate) currency: Option<String>,
    pub(crate) remark: Option<String>,
    pub(crate) tone: Emphasis,
    /// What is not in it, and why.
    pub(crate) excluded: Vec<(String, String)>,
    /// Of which cells it is the sum, where it is one.
    pub(crate) sum_of: Option<SummedColumn>,
}

/// The cells of a column, or those of them in whose row another column has this text.
#[derive(Debug)]
pub(crate) struct SummedColumn {
    pub(crate) column: &'static str,
    pub(crate) filter: Option<(&'static str, String)>,
}

/// A sentence under a table.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) tone: Emphasis,
    pub(crate) text: String,
}

/// A picture of columns of the table, which are named by their keys.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) label: &'static str,
    pub(crate) shows: ChartData,
}

/// What a chart shows.
#[derive(Debug)]
pub(crate) enum ChartData {
    /// What was used beside what was agreed, by row and group.
    UsageVsAgreed {
        used: &'static str,
        committed: &'static str,
        included: &'static str,
        about: [&'static str; 2],
    },
    /// A value by row; `tone`: of what.
    Values { value: &'static str, unit: Option<String>, tone: Emphasis },
    /// A value by period, the newest first in the table and last in the picture, with the part of it that is for overage.
    Periods { value: &'static str, over: &'static str, unit: Option<String> },
}

/// A set of formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Formats(u8);

impl Formats {
    pub(crate) const TABLE: Self = Self(1);
    pub(crate) const CSV: Self = Self(2);
    pub(crate) const XLSX: Self = Self(4);
    pub(crate) const HTML: Self = Self(8);
    pub(crate) const ALL: Self = Self(15);
    /// The two whose rows stand without the heading of their group.
    pub(crate) const SPREADSHEETS: Self = Self::CSV.and(Self::XLSX);

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, format: Self) -> bool {
        self.0 & format.0 != 0
    }
}

impl Document {
    /// The tables that a format shows.
    pub(crate) fn sheets(&self, format: Formats) -> impl Iterator<Item = &Sheet> {
        self.sheets.iter().filter(move |sheet| sheet.formats.has(format))
    }

    /// The title and the facts over a table: its own, or the document's where it has none.
    pub(crate) fn title_and_facts<'a>(&'a self, sheet: &'a Sheet) -> (&'a str, &'a [Fact]) {
        match sheet.facts.is_empty() {
            true => (&self.title, &self.facts),
            false => (&sheet.title, &sheet.facts),
        }
    }
}

impl Fact {
    pub(crate) fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self { label, value: value.into() }
    }

    /// All in one line: `Billing period 2026-10-01 to 2026-10-31, currency USD`.
    pub(crate) fn join(facts: &[Self]) -> String {
        let mut line = String::new();
        for Self { label, value } in facts {
            if line.is_empty() {
                line = format!("{label} {value}");
            } else {
                let mut letters = label.chars();
                let first = letters.next().map(|c| c.to_ascii_lowercase());
                line.push_str(", ");
                line.extend(first);
                line.push_str(letters.as_str());
                line.push(' ');
                line.push_str(value);
            }
        }
        line
    }
}

impl Sheet {
    /// An empty table that every format shows.
    pub(crate) fn new(title: impl Into<String>, columns: Vec<Column>) -> Self {
        let title = title.into();
        // Cells are found by the keys of their columns.
        debug_assert!(
            columns
                .iter()
                .enumerate()
                .all(|(n, column)| columns[..n].iter().all(|other| other.key != column.key)),
            "two columns of {title:?} have the same key"
        );
        Self {
            worksheet_name: title.clone(),
            title,
            facts: Vec::new(),
            formats: Formats::ALL,
            collapsed: false,
            constant_columns: Vec::new(),
            columns,
            groups: Vec::new(),
            sums: Vec::new(),
            notes: Vec::new(),
            charts: Vec::new(),
        }
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.groups.iter().flat_map(|group| &group.rows)
    }

    /// The position of a column.
    pub(crate) fn column_index(&self, key: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.key == key)
    }

    /// The positions of the columns that a format shows.
    pub(crate) fn visible_columns(&self, format: Formats) -> Vec<usize> {
        let columns = self.columns.iter().enumerate();
        columns.filter(|(_, column)| column.formats.has(format)).map(|(at, _)| at).collect()
    }
}

impl Column {
    pub(crate) const fn new(key: &'static str, title: &'static str, kind: ColumnKind) -> Self {
        let (key, title) = (Cow::Borrowed(key), Cow::Borrowed(title));
        Self { key, title, kind, drop_rank: None, secondary: false, formats: Formats::ALL }
    }

    pub(crate) const fn text(key: &'static str, title: &'static str) -> Self {
        Self::new(key, title, ColumnKind::Text)
    }

    pub(crate) const fn number(key: &'static str, title: &'static str) -> Self {
        Self::new(key, title, ColumnKind::Number)
    }

    pub(crate) const fn money(key: &'static str, title: &'static str) -> Self {
        Self::new(key, title, ColumnKind::Money)
    }

    pub(crate) const fn date(key: &'static str, title: &'static str) -> Self {
        Self::new(key, title, ColumnKind::Date)
    }

    /// A column that is known at run time only.
    pub(crate) fn dynamic(key: String, title: String, kind: ColumnKind) -> Self {
        Self { key: key.into(), title: title.into(), ..Self::new("", "", kind) }
    }

    /// The same column, left out where there is no room.
    pub(crate) fn drop_rank(self, drop_rank: u8) -> Self {
        Self { drop_rank: Some(drop_rank), ..self }
    }

    /// The same column, on a page under the name in the first.
    pub(crate) fn aside(self) -> Self {
        Self { secondary: true, ..self }
    }

    /// The same column, in these formats only.
    pub(crate) fn only(self, formats: Formats) -> Self {
        Self { formats, ..self }
    }
}

impl ColumnKind {
    /// Whether its figures stand under each other by their last digit.
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Number | Self::Money)
    }
}

impl Row {
    pub(crate) fn new(cells: Vec<Cell>) -> Self {
        Self { is_part: false, cells }
    }

    pub(crate) fn value(&self, at: usize) -> &Value {
        self.cells.get(at).map_or(&Value::Empty, |cell| &cell.value)
    }
}

impl Cell {
    pub(crate) fn new(value: Value) -> Self {
        let tone = match value {
            Value::Unknown => Emphasis::Warning,
            Value::Placeholder(_) => Emphasis::Muted,
            // What is no number where one should be.
            Value::Quantity(ref amount) | Value::Price(ref amount) if amount.decimal().is_none() => {
                Emphasis::Warning
            }
            _ => Emphasis::Plain,
        };
        Self { value, tone }
    }

    pub(crate) fn tone(self, tone: Emphasis) -> Self {
        Self { tone, ..self }
    }

    pub(crate) fn empty() -> Self {
        Self::new(Value::Empty)
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::new(Value::Text(text.into()))
    }

    /// A name that should be there.
    pub(crate) fn name(name: Option<&str>) -> Self {
        Self::new(name.map_or(Value::Placeholder(NO_NAME), |name| Value::Text(name.to_owned())))
    }

    pub(crate) fn optional_text(text: Option<&str>) -> Self {
        text.map_or_else(Self::empty, Self::text)
    }

    /// A quantity that should have been sent.
    pub(crate) fn quantity(amount: Option<&Amount>) -> Self {
        Self::new(amount.map_or(Value::Unknown, |amount| Value::Quantity(amount.clone())))
    }

    /// A price that should have been sent.
    pub(crate) fn price(amount: Option<&Amount>) -> Self {
        Self::new(amount.map_or(Value::Unknown, |amount| Value::Price(amount.clone())))
    }

    /// A quantity that need not be sent.
    pub(crate) fn optional_quantity(amount: Option<&Amount>) -> Self {
        amount.map_or_else(Self::empty, |amount| Self::quantity(Some(amount)))
    }

    /// A price that need not be sent.
    pub(crate) fn optional_price(amount: Option<&Amount>) -> Self {
        amount.map_or_else(Self::empty, |amount| Self::price(Some(amount)))
    }

    /// An amount of money that should have been sent.
    pub(crate) fn sent_money(amount: Option<&Amount>, currency: Option<&str>) -> Self {
        match amount.map(|amount| (amount, amount.decimal())) {
            Some((_, Some(decimal))) => Self::money(Some(decimal), currency),
            Some((amount, None)) => Self::price(Some(amount)),
            None => Self::new(Value::Unknown),
        }
    }

    /// What should be known.
    pub(crate) fn exact(amount: Option<Decimal>) -> Self {
        Self::new(amount.map_or(Value::Unknown, Value::Exact))
    }

    /// A quantity of overage, which stands out where there is any.
    pub(crate) fn overage(amount: Option<Decimal>) -> Self {
        Self::exact(amount).over_if(is_over(amount))
    }

    /// The cost of overage, which stands out where there is any.
    pub(crate) fn overage_charge(amount: Option<Decimal>, currency: Option<&str>) -> Self {
        Self::money(amount, currency).over_if(is_over(amount))
    }

    /// The same cell, standing out as overage if it is over.
    pub(crate) fn over_if(self, is_over: bool) -> Self {
        if is_over { self.tone(Emphasis::Overage) } else { self }
    }

    pub(crate) fn money(amount: Option<Decimal>, currency: Option<&str>) -> Self {
        Self::new(Value::money(amount, currency))
    }

    pub(crate) fn day(day: Option<Date>) -> Self {
        Self::new(day.map_or(Value::Empty, |day| Value::Day(day.day())))
    }

    /// The start of a period: its first day, or the moment where it is not the start of a day.
    pub(crate) fn period_start(start: Option<Timestamp>) -> Self {
        Self::new(start.map_or(Value::Unknown, |start| match start.is_start_of_day() {
            true => Value::Day(start.date()),
            false => Value::DateTime(start),
        }))
    }

    /// The end of a period: its last day, or the moment where it is not the end of a day.
    pub(crate) fn period_end(end: Option<Timestamp>) -> Self {
        Self::new(end.map_or(Value::Unknown, |end| match end.is_end_of_day() {
            true => Value::Day(end.last_day()),
            false => Value::DateTime(end),
        }))
    }

    pub(crate) fn moment(moment: Option<Timestamp>) -> Self {
        Self::new(moment.map_or(Value::Empty, Value::DateTime))
    }

    /// As people read it: `2` for a quantity of `2.000`, `1006.50` for an amount in dollars.
    pub(crate) fn display_text(&self, kind: ColumnKind) -> String {
        match (&self.value, kind) {
            (Value::Unknown, ColumnKind::Number) => "?".to_owned(),
            (value, _) => value.display_text(),
        }
    }
}

impl Value {
    pub(crate) fn money(amount: Option<Decimal>, currency: Option<&str>) -> Self {
        amount.map_or(Self::Unknown, |amount| Self::Money(amount, decimals(amount, currency)))
    }

    pub(crate) fn money_delta(delta: Decimal, currency: Option<&str>) -> Self {
        Self::MoneyDelta(delta, decimals(delta, currency))
    }

    /// As people read it.
    pub(crate) fn display_text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Unknown => "unknown".to_owned(),
            Self::Text(text) => text.clone(),
            Self::Placeholder(words) => (*words).to_owned(),
            Self::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Self::Count(count) => count.to_string(),
            Self::Quantity(amount) => match amount.decimal() {
                Some(decimal) => decimal.normalize().to_string(),
                None => format!("{:?}", amount.text()),
            },
            Self::Price(amount) => match amount.decimal() {
                Some(_) => amount.text().trim().to_owned(),
                None => format!("{:?}", amount.text()),
            },
            Self::Exact(decimal) => decimal.normalize().to_string(),
            Self::Money(amount, digits) => rounded_to(*amount, *digits).to_string(),
            Self::Delta(delta) => signed(delta.normalize()),
            Self::MoneyDelta(delta, digits) => signed(rounded_to(*delta, *digits)),
            Self::Percent(percent) => format!("{} %", signed(rounded_to(*percent, 1))),
            Self::Day(day) => day.to_string(),
            Self::DateTime(moment) => moment.to_string(),
        }
    }

    /// As programs read it: the text that came, or the exact value; nothing where it is not known.
    pub(crate) fn exact_text(&self) -> Cow<'_, str> {
        match self {
            Self::Empty | Self::Unknown | Self::Placeholder(_) => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Quantity(amount) | Self::Price(amount) => Cow::Borrowed(amount.text()),
            Self::Flag(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
            Self::Money(decimal, _)
            | Self::Percent(decimal)
            | Self::Delta(decimal)
            | Self::MoneyDelta(decimal, _) => Cow::Owned(decimal.to_string()),
            other => Cow::Owned(other.display_text()),
        }
    }

    /// The exact number, where it is one.
    pub(crate) fn number(&self) -> Option<Decimal> {
        match self {
            Self::Quantity(amount) | Self::Price(amount) => amount.decimal(),
            Self::Exact(decimal)
            | Self::Money(decimal, _)
            | Self::Percent(decimal)
            | Self::Delta(decimal)
            | Self::MoneyDelta(decimal, _) => Some(*decimal),
            Self::Count(count) => Some((*count).into()),
            _ => None,
        }
    }
}

impl Sum {
    pub(crate) fn new(label: impl Into<String>, value: Value) -> Self {
        Self {
            label: label.into(),
            value,
            currency: None,
            remark: None,
            tone: Emphasis::Plain,
            excluded: Vec::new(),
            sum_of: None,
        }
    }
}

impl Note {
    pub(crate) fn new(tone: Emphasis, text: impl Into<String>) -> Self {
        Self { tone, text: text.into() }
    }
}

/// A period of days, both included; the time of day is shown where it says more than that.
pub(crate) fn period(start: Option<Timestamp>, end: Option<Timestamp>) -> String {
    format!("{} to {}", first_day(start), last_day(end))
}

/// The start of a period as its first day, with the time where it is not the start of a day.
pub(crate) fn first_day(start: Option<Timestamp>) -> String {
    bound(Cell::period_start(start))
}

/// The end of a period as its last day, with the time where it is not the end of a day.
pub(crate) fn last_day(end: Option<Timestamp>) -> String {
    bound(Cell::period_end(end))
}

fn bound(cell: Cell) -> String {
    match cell.value {
        Value::Unknown => "(unknown)".to_owned(),
        value => value.display_text(),
    }
}

/// With its sign, where it is not zero.
fn signed(delta: Decimal) -> String {
    if delta > Decimal::ZERO { format!("+{delta}") } else { delta.to_string() }
}

/// For what came without a name.
pub(crate) const NO_NAME: &str = "(no name)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_make_a_line() {
        let facts = [Fact::new("Billing period", "a to b"), Fact::new("Currency", "USD")];
        assert_eq!(Fact::join(&facts), "Billing period a to b, currency USD");
        assert_eq!(Fact::join(&[]), "");
    }

    #[test]
    fn values_are_read_by_people_and_by_programs() {
        let amount = |text: &str| Amount::from(text);
        for (value, shown, exact) in [
            (Value::Quantity(amount("12.000")), "12", "12.000"),
            (Value::Quantity(amount("n/a")), "\"n/a\"", "n/a"),
            (Value::Price(amount(" 0.0050")), "0.0050", " 0.0050"),
            (Value::money(Some(Decimal::new(1005, 3)), Some("USD")), "1.01", "1.005"),
            (Value::money(Some(Decimal::new(-15, 1)), Some("JPY")), "-2", "-1.5"),
            (Value::money(None, Some("USD")), "unknown", ""),
            // Dollars have two decimals and dinars three: without a currency all are shown.
            (Value::money(Some(Decimal::new(12345, 3)), None), "12.345", "12.345"),
            (Value::money(Some(Decimal::new(1, 3)), Some(" ")), "0.001", "0.001"),
            (Value::money(Some(Decimal::new(1500, 3)), None), "1.50", "1.500"),
            (Value::money_delta(Decimal::new(-1, 3), None), "-0.001", "-0.001"),
            (Value::Percent(Decimal::new(1225, 2)), "+12.3 %", "12.25"),
            (Value::Delta(Decimal::new(-30, 1)), "-3", "-3.0"),
            (Value::money_delta(Decimal::ONE, Some("USD")), "+1.00", "1"),
            (Value::Placeholder("in rollup"), "in rollup", ""),
            (Value::Flag(true), "yes", "true"),
        ] {
            assert_eq!((value.display_text().as_str(), &*value.exact_text()), (shown, exact));
        }
        assert_eq!(Cell::quantity(None).display_text(ColumnKind::Number), "?");
        assert_eq!(Cell::money(None, None).display_text(ColumnKind::Money), "unknown");
    }
}
