//! The workbook writer: one sheet per table, numbers as numbers, totals as formulas.
//!
//! Excel holds numbers as binary floating point and shows 15 digits. A number with more digits is written as
//! text with a note, and formulas exclude it. A total is a formula only if binary addition cannot change any
//! digit of the exact total that is stored beside it.

mod chart;
mod names;

use std::collections::BTreeMap;

use billing_core::Timestamp;
use chrono::{Datelike, NaiveDate, Timelike};
use rust_decimal::Decimal;
use rust_xlsxwriter::utility::row_col_to_cell;
use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Formula, IgnoreError, Note,
    Workbook, Worksheet, XlsxError,
};

use super::document::{
    Cell, ColumnKind, Document, Emphasis, Fact, Formats, Group, Row, Sheet, Sum, SummedColumn, Value,
};
use crate::text::{count, printable};

/// Returns the bytes of the workbook file. Equal documents give equal bytes.
pub(crate) fn render(document: &Document) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let made = ExcelDateTime::from_ymd(2000, 1, 1)?;
    workbook
        .set_properties(&DocProperties::new().set_title(text(&document.title)).set_creation_datetime(&made));
    let sheets: Vec<WorksheetPart<'_>> = document
        .sheets(Formats::XLSX)
        .flat_map(|sheet| WorksheetPart::of(document, sheet, MAX_ROWS))
        .collect();
    let names = names::unique(sheets.iter().map(|part| part.sheet.worksheet_name.as_str()));
    let mut styles = Styles::default();
    for (part, name) in sheets.iter().zip(names) {
        part.write(workbook.add_worksheet().set_name(&name)?, &name, &mut styles)?;
    }
    workbook.save_to_buffer()
}

/// The rows of a table that fit one worksheet.
struct WorksheetPart<'a> {
    sheet: &'a Sheet,
    title: &'a str,
    facts: &'a [Fact],
    rows: Vec<&'a Row>,
    /// The row ranges of the groups, with their headings.
    groups: Vec<(Option<&'a str>, std::ops::Range<usize>)>,
    columns: Vec<usize>,
    is_first: bool,
    is_last: bool,
}

impl<'a> WorksheetPart<'a> {
    /// Splits a table into parts of at most `most` rows. An empty table has one part.
    fn of(document: &'a Document, sheet: &'a Sheet, most: usize) -> Vec<Self> {
        let (title, facts) = document.title_and_facts(sheet);
        let under = |group: &'a Group| group.rows.iter().map(move |row| (group, row));
        let all: Vec<(&Group, &Row)> = sheet.groups.iter().flat_map(under).collect();
        let chunks: Vec<_> = if all.is_empty() { vec![&all[..]] } else { all.chunks(most).collect() };
        let part = |(at, chunk): (usize, &&[(&'a Group, &'a Row)])| {
            let mut groups = Vec::new();
            let mut begin = 0;
            for run in chunk.chunk_by(|(a, _), (b, _)| std::ptr::eq(*a, *b)) {
                let heading = run.first().and_then(|(group, _)| group.heading.as_deref());
                groups.push((heading, begin..begin + run.len()));
                begin += run.len();
            }
            Self {
                sheet,
                title,
                facts,
                rows: chunk.iter().map(|(_, row)| *row).collect(),
                groups,
                columns: sheet.visible_columns(Formats::XLSX),
                is_first: at == 0,
                is_last: at + 1 == chunks.len(),
            }
        };
        chunks.iter().enumerate().map(part).collect()
    }

    fn write(&self, to: &mut Worksheet, name: &str, styles: &mut Styles) -> Result<(), XlsxError> {
        to.write_string_with_format(0, 0, text(self.title), &styles.title())?;
        to.write_string_with_format(
            1,
            0,
            text(&Fact::join(self.facts)),
            &styles.text(Emphasis::Muted, false),
        )?;
        for (at, column) in (0..).zip(self.shown()) {
            to.write_string_with_format(
                HEADER_ROW,
                at,
                text(&column.title),
                &styles.header(column.kind, at),
            )?;
        }
        for (row, number) in self.rows.iter().zip(FIRST_ROW..) {
            for (at, (place, column)) in (0..).zip(self.columns.iter().zip(self.shown())) {
                if let Some(cell) = row.cells.get(*place) {
                    write_cell(to, number, at, cell, column.kind, styles)?;
                }
            }
        }
        self.set_up(to)?;
        if self.is_last {
            let below = self.write_sums(to, styles)?;
            chart::draw(self, to, name, below)?;
        }
        Ok(())
    }

    fn shown(&self) -> impl Iterator<Item = &super::document::Column> {
        self.columns.iter().filter_map(|at| self.sheet.columns.get(*at))
    }

    /// Sets the frozen header, the filter, the column widths and the print layout.
    fn set_up(&self, to: &mut Worksheet) -> Result<(), XlsxError> {
        to.set_freeze_panes(FIRST_ROW, 0)?;
        let last_column = u16::try_from(self.columns.len().saturating_sub(1)).unwrap_or_default();
        to.autofilter(HEADER_ROW, 0, self.last_row().max(HEADER_ROW), last_column)?;
        if !self.rows.is_empty() {
            // A part number of digits only is text on purpose: suppress Excel's warning.
            to.ignore_error_range(
                FIRST_ROW,
                0,
                self.last_row(),
                last_column,
                IgnoreError::NumberStoredAsText,
            )?;
        }
        for (at, (column, title)) in (0..).zip(self.columns.iter().zip(self.shown())) {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(*column));
            let widest =
                cells.map(|cell| measured_text(cell, title.kind).chars().count()).max().unwrap_or_default();
            // Leave room for the filter button beside the title.
            let width = widest.max(title.title.chars().count() + 3).clamp(6, MAX_COLUMN_WIDTH);
            to.set_column_width(at, u16::try_from(width).unwrap_or_default())?;
        }
        to.set_landscape().set_paper_size(A4).set_print_fit_to_pages(1, 0).set_footer("&RPage &P of &N");
        to.set_repeat_rows(HEADER_ROW, HEADER_ROW)?;
        Ok(())
    }

    /// Writes the sums under the rows. Returns the next free row.
    fn write_sums(&self, to: &mut Worksheet, styles: &mut Styles) -> Result<u32, XlsxError> {
        let mut row = self.last_row() + 2;
        for sum in &self.sheet.sums {
            let currency = sum.currency.as_deref().map(|c| format!(" ({c})")).unwrap_or_default();
            let label = text(&format!("{}{currency}", sum.label));
            to.write_string_with_format(row, 0, label, &styles.text(sum.tone, false))?;
            let at = self.column_of(sum);
            let cell = Cell::new(sum.value.clone()).tone(sum.tone);
            match sum.sum_of.as_ref().and_then(|adds| self.formula(adds, &sum.value)) {
                Some(formula) => {
                    let style = styles.number(&number_format(&sum.value), sum.tone);
                    to.write_formula_with_format(row, at, formula, &style)?;
                }
                None => write_cell(to, row, at, &cell, ColumnKind::Money, styles)?,
            }
            if let Some(remark) = &sum.remark {
                to.write_string_with_format(row, at + 1, text(remark), &styles.text(Emphasis::Muted, true))?;
            }
            row += 1;
            if !sum.excluded.is_empty() {
                let rows = count(sum.excluded.len(), "row", "rows");
                let said = format!("This total excludes {rows} with unknown charges:");
                to.write_string_with_format(row, 0, said, &styles.text(Emphasis::Warning, false))?;
                row += 1;
            }
            for (name, why) in sum.excluded.iter().take(MAX_EXCLUDED_ROWS) {
                to.write_string_with_format(
                    row,
                    0,
                    text(&format!("{name}: {why}")),
                    &styles.text(Emphasis::Plain, true),
                )?;
                row += 1;
            }
            if sum.excluded.len() > MAX_EXCLUDED_ROWS {
                let said = format!("and {} more", sum.excluded.len() - MAX_EXCLUDED_ROWS);
                to.write_string_with_format(row, 0, said, &styles.text(Emphasis::Plain, true))?;
                row += 1;
            }
        }
        for note in &self.sheet.notes {
            to.write_string_with_format(row, 0, text(&note.text), &styles.text(note.tone, false))?;
            row += 1;
        }
        Ok(row)
    }

    /// Returns the column of a sum: the column that it adds up, or else the last money column.
    fn column_of(&self, sum: &Sum) -> u16 {
        let money =
            || self.shown().zip(0..).filter(|(c, _)| c.kind == ColumnKind::Money).map(|(_, at)| at).last();
        sum.sum_of.as_ref().and_then(|adds| self.place(adds.column)).or_else(money).unwrap_or(1)
    }

    /// Returns the position of a column in the worksheet.
    fn place(&self, key: &str) -> Option<u16> {
        self.shown().zip(0..).find(|(column, _)| column.key == key).map(|(_, at)| at)
    }

    fn last_row(&self) -> u32 {
        HEADER_ROW + u32::try_from(self.rows.len()).unwrap_or(u32::MAX - HEADER_ROW - 2)
    }

    /// Returns the formula of a sum if it gives exactly the stored sum.
    fn formula(&self, adds: &SummedColumn, value: &Value) -> Option<Formula> {
        let exact = value.number().filter(|_| self.is_first && !self.rows.is_empty())?;
        let column = self.sheet.column_index(adds.column)?;
        let only = match &adds.filter {
            Some((key, wanted)) => Some((self.sheet.column_index(key)?, self.place(key)?, wanted.as_str())),
            None => None,
        };
        let added = self.rows.iter().filter(|row| {
            only.is_none_or(|(at, _, wanted)| row.value(at).display_text().eq_ignore_ascii_case(wanted))
        });
        let numbers: Vec<Decimal> = added.filter_map(|row| row.value(column).number()).collect();
        if !sums_exactly(&numbers) || numbers.iter().sum::<Decimal>() != exact {
            return None;
        }
        let range =
            |at: u16| format!("{}:{}", row_col_to_cell(FIRST_ROW, at), row_col_to_cell(self.last_row(), at));
        let added = range(self.place(adds.column)?);
        let formula = match only {
            // A SUMIF criterion has operators and wildcards, and this text may contain them.
            Some((_, _, wanted)) if !wanted.bytes().all(|byte| byte.is_ascii_alphanumeric()) => return None,
            Some((_, at, wanted)) => format!("=SUMIFS({added},{},\"{wanted}\")", range(at)),
            None => format!("=SUM({added})"),
        };
        Some(Formula::new(formula).set_result(exact.normalize().to_string()))
    }
}

fn write_cell(
    to: &mut Worksheet,
    row: u32,
    at: u16,
    cell: &Cell,
    kind: ColumnKind,
    styles: &mut Styles,
) -> Result<(), XlsxError> {
    let look = (cell.tone, kind.is_number());
    match &cell.value {
        Value::Empty => {}
        Value::Day(day) => match excel_day(*day) {
            Some(date) => {
                to.write_datetime_with_format(row, at, date, &styles.number(DATE_FORMAT, cell.tone))?;
            }
            None => write_text(to, row, at, &day.to_string(), look, styles)?,
        },
        Value::DateTime(moment) => match excel_moment(*moment) {
            Some((date, format)) => {
                to.write_datetime_with_format(row, at, date, &styles.number(format, cell.tone))?;
            }
            None => write_text(to, row, at, &moment.to_string(), look, styles)?,
        },
        value => match value.number() {
            Some(number) => match is_exact_in_excel(number).then(|| excel_number(value, number)).flatten() {
                Some(float) => {
                    to.write_number_with_format(
                        row,
                        at,
                        float,
                        &styles.number(&number_format(value), cell.tone),
                    )?;
                }
                None => {
                    write_text(to, row, at, &number.to_string(), look, styles)?;
                    to.insert_note(row, at, &Note::new(TOO_MANY_DIGITS_NOTE).add_author_prefix(false))?;
                }
            },
            None => write_text(to, row, at, &value.display_text(), look, styles)?,
        },
    }
    Ok(())
}

/// Writes text. It is never written as a formula, whatever it begins with.
fn write_text(
    to: &mut Worksheet,
    row: u32,
    at: u16,
    words: &str,
    (tone, number): (Emphasis, bool),
    styles: &mut Styles,
) -> Result<(), XlsxError> {
    let place = match (words.starts_with(['=', '+', '-', '@']), number, at) {
        (true, false, _) => WordsRole::LikeFormula,
        (_, true, _) => WordsRole::Number,
        (_, _, 0) => WordsRole::First,
        _ => WordsRole::Later,
    };
    to.write_string_with_format(row, at, text(words), &styles.words(tone, place))?;
    Ok(())
}

/// Returns text on one line that is valid in XML and within Excel's length limit.
fn text(text: &str) -> String {
    let text = printable(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Returns true if Excel keeps all digits.
fn is_exact_in_excel(number: Decimal) -> bool {
    let mut digits = number.normalize().mantissa().unsigned_abs();
    while digits != 0 && digits.is_multiple_of(10) {
        digits /= 10;
    }
    digits < 10_u128.pow(EXCEL_DIGITS)
}

/// Converts to binary floating point, as Excel stores it. With the digits that [`fits`] allows, its 15 digits
/// are those of the decimal.
fn excel_number(value: &Value, number: Decimal) -> Option<f64> {
    let number = match value {
        Value::Percent(_) => number.checked_div(Decimal::ONE_HUNDRED)?,
        _ => number,
    };
    number.normalize().to_string().parse().ok()
}

/// Returns true if the binary sum of the numbers, in any order, has the digits of the exact sum.
///
/// Each of the n numbers has a relative error of at most 2⁻⁵³, and so has each of the n − 1 partial sums,
/// none of which exceeds the sum S of the magnitudes. In units of the last decimal place, the error of the
/// sum is below one half if 4 n S < 2⁵³.
fn sums_exactly(numbers: &[Decimal]) -> bool {
    let places = numbers.iter().map(|number| number.normalize().scale()).max().unwrap_or_default();
    let units = |number: &Decimal| {
        let number = number.normalize();
        let factor = 10_u128.checked_pow(places - number.scale())?;
        number.mantissa().unsigned_abs().checked_mul(factor)
    };
    let magnitudes = numbers.iter().try_fold(0_u128, |sum, number| sum.checked_add(units(number)?));
    let count = u128::try_from(numbers.len()).ok();
    let bound = || magnitudes?.checked_mul(4)?.checked_mul(count?);
    bound().is_some_and(|bound| bound < 1 << 53) && numbers.iter().all(|number| is_exact_in_excel(*number))
}

fn number_format(value: &Value) -> String {
    let places = match value {
        Value::Money(_, digits) => *digits,
        Value::Price(amount) => amount.decimal().map_or(0, |decimal| decimal.scale()),
        Value::Percent(_) => return signed("0.0%"),
        Value::MoneyDelta(_, digits) => *digits,
        value => value.number().map_or(0, |number| number.normalize().scale()),
    };
    let format = match usize::try_from(places) {
        Ok(0) | Err(_) => "#,##0".to_owned(),
        Ok(places) => format!("#,##0.{}", "0".repeat(places)),
    };
    match value {
        Value::Delta(_) | Value::MoneyDelta(..) => signed(&format),
        _ => format,
    }
}

/// Adds a sign to positive numbers too.
fn signed(format: &str) -> String {
    format!("+{format};-{format};{format}")
}

/// Returns the text whose length gives the column width.
fn measured_text(cell: &Cell, kind: ColumnKind) -> String {
    match (&cell.value, cell.value.number()) {
        // Add room for the separators and the sign.
        (value, Some(_)) => format!("{}     ", value.display_text()),
        (Value::DateTime(moment), _) => match excel_moment(*moment) {
            Some((_, format)) => format!("{format} "),
            None => moment.to_string(),
        },
        _ => cell.display_text(kind),
    }
}

fn excel_day(day: NaiveDate) -> Option<ExcelDateTime> {
    let year = u16::try_from(day.year()).ok()?;
    let (month, day) = (u8::try_from(day.month()).ok()?, u8::try_from(day.day()).ok()?);
    // Excel counts 1900 as a leap year and has no earlier dates.
    ExcelDateTime::from_ymd(year, month, day).ok().filter(|_| year > 1900)
}

/// Converts to an Excel date in UTC: a whole number for midnight, `None` if Excel would lose digits.
fn excel_moment(moment: Timestamp) -> Option<(ExcelDateTime, &'static str)> {
    let date = excel_day(moment.date())?;
    let time = moment.instant().time();
    let millis = u16::try_from(time.nanosecond() / 1_000_000).ok()?;
    if !time.nanosecond().is_multiple_of(1_000_000) || millis >= 1000 {
        return None;
    }
    let format = match (time.format("%H:%M:%S").to_string().as_str(), millis) {
        ("00:00:00", 0) => DATE_FORMAT,
        (_, 0) => "yyyy-mm-dd hh:mm:ss",
        _ => "yyyy-mm-dd hh:mm:ss.000",
    };
    let hour = u16::try_from(time.hour()).ok()?;
    let (minute, second) = (u8::try_from(time.minute()).ok()?, u8::try_from(time.second()).ok()?);
    Some((date.and_hms_milli(hour, minute, second, millis).ok()?, format))
}

/// The position of text in a row.
#[derive(Clone, Copy)]
enum WordsRole {
    First,
    Later,
    /// Text in a number column.
    Number,
    /// Text that a spreadsheet would read as a formula if it were typed.
    LikeFormula,
}

/// The cell formats, each created once.
#[derive(Default)]
struct Styles(BTreeMap<(String, u8), Format>);

impl Styles {
    fn title(&mut self) -> Format {
        self.of("title", 0, || Format::new().set_bold().set_font_size(14))
    }

    fn header(&mut self, kind: ColumnKind, at: u16) -> Format {
        let header = || {
            Format::new()
                .set_bold()
                .set_background_color(Color::RGB(0x00E8_EDF3))
                .set_border_bottom(FormatBorder::Thin)
        };
        match (kind.is_number(), at) {
            (true, _) => self.of("header of numbers", 0, || header().set_align(FormatAlign::Right)),
            (false, 0) => self.of("first header", 0, header),
            (false, _) => self.of("header", 0, || header().set_indent(1)),
        }
    }

    fn text(&mut self, tone: Emphasis, indented: bool) -> Format {
        let name = if indented { "indented" } else { "text" };
        self.of(name, tone as u8, || toned(Format::new().set_indent(u8::from(indented)), tone))
    }

    /// Returns the format of text: right-aligned in a number column, otherwise indented from the column
    /// before.
    fn words(&mut self, tone: Emphasis, place: WordsRole) -> Format {
        match place {
            WordsRole::First => self.text(tone, false),
            WordsRole::Later => self.text(tone, true),
            WordsRole::Number => {
                self.of("no number", tone as u8, || toned(Format::new().set_align(FormatAlign::Right), tone))
            }
            // The mark keeps it text when somebody edits the cell.
            WordsRole::LikeFormula => {
                self.of("quoted", tone as u8, || toned(Format::new().set_indent(1).set_quote_prefix(), tone))
            }
        }
    }

    fn number(&mut self, format: &str, tone: Emphasis) -> Format {
        // The mark shows overage without colour too.
        let mark = if tone == Emphasis::Overage { "\"▲ \"" } else { "" };
        self.of(format, tone as u8, || toned(Format::new().set_num_format(format!("{mark}{format}")), tone))
    }

    fn of(&mut self, name: &str, tone: u8, make: impl FnOnce() -> Format) -> Format {
        self.0.entry((name.to_owned(), tone)).or_insert_with(make).clone()
    }
}

fn toned(format: Format, tone: Emphasis) -> Format {
    match tone {
        Emphasis::Plain => format,
        Emphasis::Strong => format.set_bold(),
        Emphasis::Overage => format.set_bold().set_font_color(Color::RGB(0x009C_2A00)),
        Emphasis::Warning => format.set_font_color(Color::RGB(0x009C_0006)),
        Emphasis::Muted => format.set_font_color(Color::RGB(0x0059_6270)),
    }
}

/// The header row; the title, the facts and a gap are above it.
const HEADER_ROW: u32 = 3;
const FIRST_ROW: u32 = HEADER_ROW + 1;
/// The maximum number of rows in a part. A worksheet has 1,048,576 rows, and the sums need some.
const MAX_ROWS: usize = 1_000_000;
const MAX_EXCLUDED_ROWS: usize = 1_000;
/// The maximum length of text in a cell. Excel allows 32,767 UTF-16 units.
const MAX_CHARACTERS: usize = 16_000;
const EXCEL_DIGITS: u32 = 15;
const MAX_COLUMN_WIDTH: usize = 48;
const A4: u8 = 9;
const DATE_FORMAT: &str = "yyyy-mm-dd";
const TOO_MANY_DIGITS_NOTE: &str = "This number has more than the 15 digits that a spreadsheet keeps. It is written as exact text and excluded from formulas.";

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use billing_core::Statement;
    use billing_core::model::{TrusteeOverview, UsageReport};
    use calamine::{Data, DataType, Range, Reader, Xlsx};

    use super::*;
    use crate::format::document::Column;
    use crate::organizations::tests::asked;
    use crate::views;

    const HOSTILE: &str = r#"{"organization":{"id":"o1","name":"Evil/[Corp]: 'History'"},"currency":"U\"&A1","usages":[
        {"name":"=HYPERLINK(\"http://x\")","partNumber":"0012","grouping":"=Sheet1!A1","usageQuantity":"13.000",
         "prepayQuantity":"10","prepayPrice":"75.00","overagePrice":"85.50"},
        {"name":"</si>\u0000\uffff&<b>","grouping":"device","usageQuantity":"12345678901234567.89","prepayQuantity":"0",
         "prepayPrice":"0","overagePrice":"0"},
        {"name":"+1","grouping":"device","usageQuantity":"n/a","prepayQuantity":"1","prepayPrice":"1","overagePrice":"1"},
        {"name":"-x","grouping":"device","isThirdParty":true,"usageQuantity":"2","prepayQuantity":"0","prepayPrice":"0",
         "overagePrice":"4.00"}]}"#;

    fn workbook(json: &str) -> Vec<u8> {
        let o: TrusteeOverview = serde_json::from_str(json).unwrap();
        render(&views::overview(&asked(), &o, &Statement::new(&o))).unwrap()
    }

    fn open(bytes: &[u8]) -> Xlsx<Cursor<&[u8]>> {
        Xlsx::new(Cursor::new(bytes)).unwrap()
    }

    /// Returns the text of a part of the file.
    fn part(bytes: &[u8], name: &str) -> String {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        std::io::read_to_string(archive.by_name(name).unwrap()).unwrap()
    }

    fn at(range: &Range<Data>, header: &str, row: u32) -> Data {
        let column = (0..40)
            .find(|at| range.get_value((HEADER_ROW, *at)) == Some(&Data::String(header.to_owned())))
            .unwrap_or_else(|| panic!("{header}"));
        range.get_value((FIRST_ROW + row, column)).cloned().unwrap_or_default()
    }

    #[test]
    fn the_same_document_gives_the_same_bytes() {
        let first = workbook(HOSTILE);
        assert!(first == workbook(HOSTILE));
        // The file has no creation time that would differ.
        let made = part(&first, "docProps/core.xml");
        assert!(made.contains(">2000-01-01T00:00:00Z<"), "{made}");
    }

    #[test]
    fn numbers_are_numbers_and_names_are_no_formulas() {
        let bytes = workbook(HOSTILE);
        let mut book = open(&bytes);
        assert_eq!(book.sheet_names(), ["Evil__Corp__ 'History", "By section"]);
        let rows = book.worksheet_range("Evil__Corp__ 'History").unwrap();
        let name = |row| at(&rows, "Name", row);
        let (odd, hostile) =
            (0..4).partition::<Vec<u32>, _>(|row| at(&rows, "Used", *row) == Data::Float(13.0));
        assert_eq!((odd.len(), hostile.len()), (1, 3));
        let row = odd[0];
        assert_eq!(name(row), Data::String("=HYPERLINK(\"http://x\")".into()));
        assert_eq!(at(&rows, "Part number", row), Data::String("0012".into()));
        assert_eq!(at(&rows, "Overage", row), Data::Float(3.0));
        assert_eq!(at(&rows, "Charge", row), Data::Float(1006.5));
        // Seventeen digits stay exact, as text.
        let long = (0..4).map(|row| at(&rows, "Used", row)).find(|v| v.to_string().starts_with("1234"));
        assert_eq!(long, Some(Data::String("12345678901234567.89".into())));
        let formulas = book.worksheet_formula("Evil__Corp__ 'History").unwrap();
        let formulas: Vec<&String> = formulas.used_cells().map(|(_, _, formula)| formula).collect();
        assert_eq!(formulas.len(), 2, "{formulas:?}");
        assert!(formulas.iter().all(|formula| formula.starts_with("SUMIFS(")), "{formulas:?}");
        let notes = part(&bytes, "xl/comments1.xml");
        assert!(notes.contains("more than the 15 digits"), "{notes}");
        for file in
            ["xl/sharedStrings.xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/charts/chart1.xml"]
        {
            let xml = part(&bytes, file);
            assert!(!xml.contains("<b>&") && !xml.contains(['\0', '\u{ffff}']), "{file}: {xml}");
        }
    }

    #[test]
    fn totals_are_formulas_whose_value_is_stored_beside_them() {
        let bytes = workbook(HOSTILE);
        let xml = part(&bytes, "xl/worksheets/sheet1.xml");
        // Rows 5 to 8: one has an unknown charge and one is billed by a third party.
        for formula in
            ["<f>SUMIFS(N5:N8,O5:O8,\"no\")</f><v>1006.5</v>", "<f>SUMIFS(N5:N8,O5:O8,\"yes\")</f><v>8</v>"]
        {
            assert!(
                xml.contains(formula) || xml.contains(&formula.replace('"', "&quot;")),
                "{formula}\n{xml}"
            );
        }
        assert!(xml.contains("state=\"frozen\"") && xml.contains("ySplit=\"4\""), "{xml}");
        assert!(xml.contains("<autoFilter ref=\"A4:Q8\"/>"), "{xml}");
        let mut book = open(&bytes);
        let rows = book.worksheet_range_at(0).unwrap().unwrap();
        let said: Vec<String> = rows.rows().filter_map(|row| row[0].as_string()).collect();
        for words in
            ["Total (U\"&A1)", "+1: usageQuantity is \"n/a\"", "Tax and telco usage are not included."]
        {
            assert!(said.iter().any(|line| line.starts_with(words)), "{words}: {said:?}");
        }
    }

    #[test]
    fn a_chart_shows_usage_against_commitment() {
        let bytes = workbook(HOSTILE);
        let mut sheets = [part(&bytes, "xl/charts/chart1.xml"), part(&bytes, "xl/charts/chart2.xml")];
        sheets.sort_by_key(|xml| !xml.contains("DEVICES"));
        for column in ["H", "I"] {
            let used = format!("<c:f>'Evil__Corp__ ''History'!${column}$5:${column}$7</c:f>");
            assert!(sheets[0].contains(&used), "{used}\n{}", sheets[0]);
        }
        assert!(sheets[1].contains("=SHEET1 A1"), "a title is no reference: {}", sheets[1]);
    }

    #[test]
    fn dates_are_dates() {
        let report: UsageReport = serde_json::from_str(
            r#"{"usages":[{"name":"a","resources":[{"name":"x","date":"2025-07-01T03:19:11.696Z"},
                {"name":"y","date":"2025-07-02T00:00:00Z"},{"name":"z","date":"2025-07-02T00:00:00.0000001Z"},
                {"name":"old","date":"1812-01-01T00:00:00Z"}]}]}"#,
        )
        .unwrap();
        let bytes = render(&views::usage(&report)).unwrap();
        let mut book = open(&bytes);
        assert_eq!(book.sheet_names(), ["Usages", "Resources"]);
        let rows = book.worksheet_range("Resources").unwrap();
        let shown = |row| match at(&rows, "Billable since", row) {
            Data::DateTime(date) => date.as_f64().to_string(),
            other => other.to_string(),
        };
        assert_eq!(shown(0), "45839.138329814814");
        assert_eq!(shown(1), "45840");
        assert_eq!(shown(2), "2025-07-02T00:00:00.000000100Z");
        assert_eq!(shown(3), "1812-01-01T00:00:00Z");
    }

    #[test]
    fn a_sum_that_binary_numbers_could_change_is_no_formula() {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        for (numbers, exactly) in [
            (vec!["0.1"; 1000], true),
            (vec!["-0.1", "0.1", "12345678.12"], true),
            (vec!["999999999999999"], true),
            (vec!["999999999999.999"; 3], false),
            (vec!["1000000000000000000000"], false),
            (vec!["1234567890123456"], false),
            (vec![], true),
        ] {
            let numbers: Vec<Decimal> = numbers.into_iter().map(decimal).collect();
            assert_eq!(sums_exactly(&numbers), exactly, "{numbers:?}");
        }
        assert!(
            is_exact_in_excel(decimal("1000000000000000000000"))
                && is_exact_in_excel(decimal("-0.123456789012345"))
        );
        assert!(!is_exact_in_excel(decimal("1234567890123456")));
    }

    #[test]
    fn what_one_worksheet_cannot_hold_goes_on_in_the_next() {
        let rows = |n| (0..n).map(|n| Row::new(vec![Cell::new(Value::Count(n))])).collect();
        let sheet = Sheet {
            groups: vec![Group { heading: None, rows: rows(5) }, Group { heading: None, rows: rows(3) }],
            ..Sheet::new("Many", vec![Column::number("n", "N")])
        };
        let document = Document { title: "T".into(), facts: Vec::new(), sheets: vec![sheet] };
        let parts = WorksheetPart::of(&document, &document.sheets[0], 3);
        let sizes: Vec<_> = parts.iter().map(|part| (part.rows.len(), part.is_first, part.is_last)).collect();
        assert_eq!(sizes, [(3, true, false), (3, false, false), (2, false, true)]);
    }
}
