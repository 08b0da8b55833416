//! The result of a command, independent of the output format: tables of typed cells with their sums.
//!
//! A command builds one document, and each format renders any document, so no format has code for a command.
//! JSON is the exception: it is the server's own text.

use std::borrow::Cow;

use billing_core::statement::{decimals, is_over, rounded_to};
use billing_core::{Amount, Date, Timestamp};
use chrono::NaiveDate;
use rust_decimal::Decimal;

/// The complete output of a command.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) title: String,
    pub(crate) facts: Vec<Fact>,
    pub(crate) sheets: Vec<Sheet>,
}

/// A fact about the whole result, such as its billing period.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) label: &'static str,
    pub(crate) value: String,
}

/// A table with its sums.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// The wanted name of the worksheet, before it is made valid and unique.
    pub(crate) worksheet_name: String,
    pub(crate) title: String,
    /// The facts of this table alone. If empty, those of the document apply.
    pub(crate) facts: Vec<Fact>,
    /// The formats that show the table.
    pub(crate) formats: Formats,
    /// True if an HTML page shows the table collapsed on a screen.
    pub(crate) collapsed: bool,
    /// The columns with one value for the whole table, which CSV repeats at the start of each row.
    pub(crate) constant_columns: Vec<(&'static str, String)>,
    pub(crate) columns: Vec<Column>,
    pub(crate) groups: Vec<Group>,
    pub(crate) sums: Vec<Sum>,
    pub(crate) notes: Vec<Note>,
    pub(crate) charts: Vec<Chart>,
}

/// A column. Its key is its name for programs: the server's field name if the server sent the value.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) key: Cow<'static, str>,
    pub(crate) title: Cow<'static, str>,
    pub(crate) kind: ColumnKind,
    /// The order in which columns are dropped on a narrow terminal: the highest rank first.
    pub(crate) drop_rank: Option<u8>,
    /// True if an HTML page shows the value under the name in the first column.
    pub(crate) secondary: bool,
    pub(crate) formats: Formats,
}

/// The type of the values in a column.
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

/// The cells, one per column.
#[derive(Debug)]
pub(crate) struct Row {
    /// True if the row explains the rollup row above it.
    pub(crate) is_part: bool,
    pub(crate) cells: Vec<Cell>,
}

/// A value with its emphasis.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) value: Value,
    pub(crate) tone: Emphasis,
}

/// The value of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// An empty cell.
    Empty,
    /// An unknown value, which is not zero.
    Unknown,
    Text(String),
    /// A text for people in place of a missing value, such as `in rollup`.
    Placeholder(&'static str),
    Flag(bool),
    Count(usize),
    /// A quantity as the server sent it.
    Quantity(Amount),
    /// A price as the server sent it, with the digits of the contract.
    Price(Amount),
    /// An exact computed value.
    Exact(Decimal),
    /// An exact amount of money, with the number of decimals to show.
    Money(Decimal, u32),
    /// An exact change of a quantity.
    Delta(Decimal),
    /// An exact change of an amount of money, with the number of decimals to show.
    MoneyDelta(Decimal, u32),
    /// A change in percent, shown with one decimal.
    Percent(Decimal),
    Day(NaiveDate),
    DateTime(Timestamp),
}

/// The emphasis of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emphasis {
    Plain,
    /// A total.
    Strong,
    /// Usage above the agreed quantity.
    Overage,
    /// A problem.
    Warning,
    /// Explanatory text.
    Muted,
}

/// A sum under a table.
#[derive(Debug)]
pub(crate) struct Sum {
    pub(crate) label: String,
    pub(crate) value: Value,
    pub(crate) currency: Option<String>,
    pub(crate) remark: Option<String>,
    pub(crate) tone: Emphasis,
    /// The excluded rows, with the reasons.
    pub(crate) excluded: Vec<(String, String)>,
    /// The cells that it adds up, if it is a sum of cells.
    pub(crate) sum_of: Option<SummedColumn>,
}

/// The cells of a column, or only those whose row has a given text in another column.
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

/// A chart of columns of the table, which are named by their keys.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) label: &'static str,
    pub(crate) shows: ChartData,
}

/// The data of a chart.
#[derive(Debug)]
pub(crate) enum ChartData {
    /// The usage compared with the agreed quantity, by row and group.
    UsageVsAgreed {
        used: &'static str,
        committed: &'static str,
        included: &'static str,
        about: [&'static str; 2],
    },
    /// A value per row. `tone` is the emphasis of its bars.
    Values { value: &'static str, unit: Option<String>, tone: Emphasis },
    /// A value per period, with its overage part. The table has the newest period first, the chart last.
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
    /// The two formats whose rows have no group headings.
    pub(crate) const SPREADSHEETS: Self = Self::CSV.and(Self::XLSX);

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, format: Self) -> bool {
        self.0 & format.0 != 0
    }
}

impl Document {
    /// Returns the tables that a format shows.
    pub(crate) fn sheets(&self, format: Formats) -> impl Iterator<Item = &Sheet> {
        self.sheets.iter().filter(move |sheet| sheet.formats.has(format))
    }

    /// Returns the title and the facts above a table: its own, or those of the document.
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

    /// Joins facts on one line: `Billing period 2026-10-01 to 2026-10-31, currency USD`.
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
    /// Returns an empty table that every format shows.
    pub(crate) fn new(title: impl Into<String>, columns: Vec<Column>) -> Self {
        let title = title.into();
        // Cells are found by column key, so keys must be unique.
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

    /// Returns the position of a column.
    pub(crate) fn column_index(&self, key: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.key == key)
    }

    /// Returns the positions of the columns that a format shows.
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

    /// Returns a column whose key and title are known at run time only.
    pub(crate) fn dynamic(key: String, title: String, kind: ColumnKind) -> Self {
        Self { key: key.into(), title: title.into(), ..Self::new("", "", kind) }
    }

    /// Sets the rank by which a narrow terminal drops the column.
    pub(crate) fn drop_rank(self, drop_rank: u8) -> Self {
        Self { drop_rank: Some(drop_rank), ..self }
    }

    /// Shows the column under the name in the first column of an HTML page.
    pub(crate) fn aside(self) -> Self {
        Self { secondary: true, ..self }
    }

    /// Restricts the column to these formats.
    pub(crate) fn only(self, formats: Formats) -> Self {
        Self { formats, ..self }
    }
}

impl ColumnKind {
    /// Returns true if the values are numbers, aligned right.
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
            // Text in a number column.
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

    /// Returns a cell with a required name.
    pub(crate) fn name(name: Option<&str>) -> Self {
        Self::new(name.map_or(Value::Placeholder(NO_NAME), |name| Value::Text(name.to_owned())))
    }

    pub(crate) fn optional_text(text: Option<&str>) -> Self {
        text.map_or_else(Self::empty, Self::text)
    }

    /// Returns a cell with a required quantity.
    pub(crate) fn quantity(amount: Option<&Amount>) -> Self {
        Self::new(amount.map_or(Value::Unknown, |amount| Value::Quantity(amount.clone())))
    }

    /// Returns a cell with a required price.
    pub(crate) fn price(amount: Option<&Amount>) -> Self {
        Self::new(amount.map_or(Value::Unknown, |amount| Value::Price(amount.clone())))
    }

    /// Returns a cell with an optional quantity.
    pub(crate) fn optional_quantity(amount: Option<&Amount>) -> Self {
        amount.map_or_else(Self::empty, |amount| Self::quantity(Some(amount)))
    }

    /// Returns a cell with an optional price.
    pub(crate) fn optional_price(amount: Option<&Amount>) -> Self {
        amount.map_or_else(Self::empty, |amount| Self::price(Some(amount)))
    }

    /// Returns a cell with a required amount of money.
    pub(crate) fn sent_money(amount: Option<&Amount>, currency: Option<&str>) -> Self {
        match amount.map(|amount| (amount, amount.decimal())) {
            Some((_, Some(decimal))) => Self::money(Some(decimal), currency),
            Some((amount, None)) => Self::price(Some(amount)),
            None => Self::new(Value::Unknown),
        }
    }

    /// Returns a cell with a required value; a missing one is unknown.
    pub(crate) fn exact(amount: Option<Decimal>) -> Self {
        Self::new(amount.map_or(Value::Unknown, Value::Exact))
    }

    /// Returns a cell with an overage quantity, emphasized unless it is zero.
    pub(crate) fn overage(amount: Option<Decimal>) -> Self {
        Self::exact(amount).over_if(is_over(amount))
    }

    /// Returns a cell with an overage cost, emphasized unless it is zero.
    pub(crate) fn overage_charge(amount: Option<Decimal>, currency: Option<&str>) -> Self {
        Self::money(amount, currency).over_if(is_over(amount))
    }

    /// Emphasizes the cell as overage if `over` is true.
    pub(crate) fn over_if(self, is_over: bool) -> Self {
        if is_over { self.tone(Emphasis::Overage) } else { self }
    }

    pub(crate) fn money(amount: Option<Decimal>, currency: Option<&str>) -> Self {
        Self::new(Value::money(amount, currency))
    }

    pub(crate) fn day(day: Option<Date>) -> Self {
        Self::new(day.map_or(Value::Empty, |day| Value::Day(day.day())))
    }

    /// Returns a cell with the start of a period: its first day, or the moment if it is not midnight.
    pub(crate) fn period_start(start: Option<Timestamp>) -> Self {
        Self::new(start.map_or(Value::Unknown, |start| match start.is_start_of_day() {
            true => Value::Day(start.date()),
            false => Value::DateTime(start),
        }))
    }

    /// Returns a cell with the end of a period: its last day, or the moment if it is not midnight.
    pub(crate) fn period_end(end: Option<Timestamp>) -> Self {
        Self::new(end.map_or(Value::Unknown, |end| match end.is_end_of_day() {
            true => Value::Day(end.last_day()),
            false => Value::DateTime(end),
        }))
    }

    pub(crate) fn moment(moment: Option<Timestamp>) -> Self {
        Self::new(moment.map_or(Value::Empty, Value::DateTime))
    }

    /// Returns the text for people: `2` for a quantity of `2.000`, `1006.50` for an amount in dollars.
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

    /// Returns the text for people.
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

    /// Returns the text for programs: the text that the server sent or the exact value; empty if unknown.
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

    /// Returns the exact number, if the value has one.
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

/// Formats a period with its first and last day, both included. Shows the time of day if it is not midnight.
pub(crate) fn period(start: Option<Timestamp>, end: Option<Timestamp>) -> String {
    format!("{} to {}", first_day(start), last_day(end))
}

/// Formats the start of a period as its first day, with the time if it is not midnight.
pub(crate) fn first_day(start: Option<Timestamp>) -> String {
    bound(Cell::period_start(start))
}

/// Formats the end of a period as its last day, with the time if it is not midnight.
pub(crate) fn last_day(end: Option<Timestamp>) -> String {
    bound(Cell::period_end(end))
}

fn bound(cell: Cell) -> String {
    match cell.value {
        Value::Unknown => "(unknown)".to_owned(),
        value => value.display_text(),
    }
}

/// Formats a number with its sign unless it is zero.
fn signed(delta: Decimal) -> String {
    if delta > Decimal::ZERO { format!("+{delta}") } else { delta.to_string() }
}

/// The label of an item without a name.
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
            // Dollars have two decimals and dinars three. Without a currency all digits are shown.
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
