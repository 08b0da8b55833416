//! CSV for spreadsheets: RFC 4180, UTF-8, with cells escaped so that no spreadsheet evaluates them.

use std::borrow::Cow;
use std::io::{self, Write};

use billing_core::Amount;
use billing_core::model::PackedReport;
use csv::{Terminator, Writer, WriterBuilder};

use super::document::{self, Document, Formats};
use super::guarded;
use crate::text::printable;

/// Writes one row per resource of a usage report, with dates as the server wrote them. `terminal` is true if
/// the output is a terminal.
pub(crate) fn usage(report: &PackedReport, terminal: bool, to: impl Write) -> io::Result<()> {
    let mut sheet = CsvWriter::new(&["usage", "totalUsage", "name", "date"], terminal, to)?;
    for usage in report.usages() {
        let (name, total) = (usage.name(), usage.total_usage().map(Amount::text));
        let resources = usage.resources();
        // Keep a usage that lists no resources: it becomes one row.
        if resources.len() == 0 {
            sheet.row(&[name, total, None, None])?;
        }
        for resource in resources {
            sheet.row(&[name, total, resource.name().as_deref(), resource.date_text().as_deref()])?;
        }
    }
    sheet.finish().map(drop)
}

/// Renders all tables of the document under one header. Columns that are constant in a table come first; if
/// the tables have different columns, the first column names the table. `terminal` is true if the output is a
/// terminal.
pub(crate) fn render(document: &Document, terminal: bool) -> Vec<u8> {
    let written = render_to(document, terminal, Vec::new());
    // Writing to memory with rows as wide as the header cannot fail.
    debug_assert!(written.is_ok());
    written.unwrap_or_default()
}

fn render_to<W: Write>(document: &Document, terminal: bool, to: W) -> io::Result<W> {
    let sheets: Vec<&document::Sheet> = document.sheets(Formats::CSV).collect();
    let keys = |sheet: &document::Sheet| -> Vec<String> {
        let context = sheet.constant_columns.iter().map(|(key, _)| (*key).to_owned());
        let columns = sheet.columns.iter().filter(|column| column.formats.has(Formats::CSV));
        context.chain(columns.map(|column| column.key.to_string())).collect()
    };
    let mut header: Vec<String> = Vec::new();
    let mut alike = true;
    for sheet in &sheets {
        let keys = keys(sheet);
        alike &= header.is_empty() || header == keys;
        header.extend(keys.into_iter().filter(|key| !header.contains(key)).collect::<Vec<_>>());
    }
    if !alike {
        header.insert(0, TABLE_COLUMN.to_owned());
    }
    let mut rows = CsvWriter::new(&header.iter().map(String::as_str).collect::<Vec<_>>(), terminal, to)?;
    for sheet in sheets {
        let sources: Vec<CellSource<'_>> = header.iter().map(|key| CellSource::of(key, sheet)).collect();
        for row in sheet.rows() {
            let cells: Vec<Cow<'_, str>> = sources.iter().map(|source| source.of_row(row)).collect();
            rows.row(&cells.iter().map(|cell| Some(&**cell)).collect::<Vec<_>>())?;
        }
    }
    rows.finish()
}

/// Returns the header line of the output of [`render`], with its line end.
pub(crate) fn header(document: &Document) -> String {
    let (header, _) = header_and_rows(document, false);
    header
}

/// Returns the rows without the header line.
pub(crate) fn rows(document: &Document, terminal: bool) -> String {
    let (_, rows) = header_and_rows(document, terminal);
    rows
}

fn header_and_rows(document: &Document, terminal: bool) -> (String, String) {
    let mut header = String::from_utf8_lossy(&render(document, terminal)).into_owned();
    // Column names contain no line ends.
    let end = header.find("\r\n").map_or(header.len(), |end| end + 2);
    let rows = header.split_off(end);
    (header, rows)
}

/// The source of the cells of a column.
enum CellSource<'a> {
    Constant(&'a str),
    Column(usize),
}

impl<'a> CellSource<'a> {
    fn of(key: &str, sheet: &'a document::Sheet) -> Self {
        let constant =
            sheet.constant_columns.iter().find(|(name, _)| *name == key).map(|(_, value)| &**value);
        match (constant, sheet.column_index(key)) {
            (Some(value), _) => Self::Constant(value),
            (None, Some(at)) => Self::Column(at),
            (None, None) if key == TABLE_COLUMN => Self::Constant(&sheet.title),
            (None, None) => Self::Constant(""),
        }
    }

    fn of_row<'b>(&'b self, row: &'b document::Row) -> Cow<'b, str> {
        match self {
            Self::Constant(text) => Cow::Borrowed(text),
            Self::Column(at) => row.value(*at).exact_text(),
        }
    }
}

/// The column that names the table of a row.
const TABLE_COLUMN: &str = "list";

struct CsvWriter<W: Write> {
    writer: Writer<W>,
    terminal: bool,
}

impl<W: Write> CsvWriter<W> {
    fn new(header: &[&str], terminal: bool, to: W) -> io::Result<Self> {
        let mut writer = WriterBuilder::new();
        // Some programs, and `fleet --orgs`, read an unquoted `#` at the start of a row as a comment. Quotes
        // prevent that.
        writer.terminator(Terminator::CRLF).comment(Some(b'#'));
        let mut sheet = Self { writer: writer.from_writer(to), terminal };
        sheet.row(&header.iter().map(|name| Some(*name)).collect::<Vec<_>>())?;
        Ok(sheet)
    }

    fn row(&mut self, cells: &[Option<&str>]) -> io::Result<()> {
        for cell in cells {
            let cell = guarded(cell.unwrap_or_default());
            let shown = if self.terminal { printable(&cell) } else { Cow::Borrowed(&*cell) };
            self.writer.write_field(&*shown)?;
        }
        // The end of the record.
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(|error| error.into_error())
    }
}

#[cfg(test)]
mod tests {
    use billing_core::Statement;
    use billing_core::model::TrusteeOverview;
    use proptest::collection::vec;
    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::format::document::{Cell, Column, Group, Row};
    use crate::format::formula_guard::is_negative_number;
    use crate::format::unguarded;
    use crate::organizations::tests::asked;
    use crate::views;

    /// Returns true if a spreadsheet that separates by `delimiter` reads every cell as text or a number.
    fn nothing_runs(csv: &[u8], delimiter: u8) -> bool {
        let mut reader = csv::ReaderBuilder::new();
        let mut reader = reader.has_headers(false).flexible(true).delimiter(delimiter).from_reader(csv);
        reader.records().all(|record| {
            record.unwrap().iter().all(|cell| {
                let cell = cell.trim_start_matches(|c: char| c == '"' || c.is_whitespace());
                // If commas do not separate, the first cell starts the whole line.
                is_negative_number(cell.split(',').next().unwrap_or_default())
                    || !cell.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
            })
        })
    }

    proptest! {
        #[test]
        fn no_cell_runs_whatever_it_is_separated_by_and_each_is_read_as_it_was(
            cells in vec("[-=+@＝＠;|,'\"a1\\. \t\n\r\u{a0}]{0,12}", 3),
        ) {
            let mut sheet = CsvWriter::new(&["a", "b", "c"], false, Vec::new()).unwrap();
            sheet.row(&cells.iter().map(|cell| Some(&**cell)).collect::<Vec<_>>()).unwrap();
            let written = sheet.finish().unwrap();
            for delimiter in *b",;\t|" {
                prop_assert!(nothing_runs(&written, delimiter), "{:?}", String::from_utf8_lossy(&written));
            }
            for cell in &cells {
                let written = guarded(cell);
                prop_assert_eq!(&*unguarded(&written), cell);
            }
        }
    }

    #[test]
    fn usage_is_a_row_for_each_resource() {
        let body = r#"{"usages":[{"name":"CX 1, \"named\"","resources":[
            {"name":"=cmd()","date":"2025-07-01T03:00:00.000Z"},{"name":"line\nbreak"}]},
            {"name":"Storage","totalUsage":"-1.50"}]}"#;
        let rows = |body: &'static str| {
            let mut rows = Vec::new();
            usage(&PackedReport::new(body.into()).unwrap(), false, &mut rows).unwrap();
            String::from_utf8(rows).unwrap()
        };
        assert_eq!(
            rows(body),
            "usage,totalUsage,name,date\r\n\
             \"CX 1, \"\"named\"\"\",,'=cmd(),2025-07-01T03:00:00.000Z\r\n\
             \"CX 1, \"\"named\"\"\",,\"line\nbreak\",\r\n\
             Storage,-1.50,,\r\n"
        );
        assert_eq!(rows("{}"), "usage,totalUsage,name,date\r\n");
    }

    #[test]
    fn what_steers_a_terminal_reaches_none() {
        let body = "{\"usages\":[{\"name\":\"a\\rb\\n=c\u{202e}\",\"totalUsage\":\"\u{200b}\"}]}";
        let mut rows = Vec::new();
        usage(&PackedReport::new(body.into()).unwrap(), true, &mut rows).unwrap();
        let rows = String::from_utf8(rows).unwrap();
        assert_eq!(rows, "usage,totalUsage,name,date\r\na b '=c\u{fffd},\u{fffd},,\r\n");
        let cell = |text| vec![Group { heading: None, rows: vec![Row::new(vec![Cell::text(text)])] }];
        let sheet = document::Sheet {
            groups: cell("a\nb\u{2066}"),
            ..document::Sheet::new("", vec![Column::text("name", "Name")])
        };
        let document = Document { title: String::new(), facts: Vec::new(), sheets: vec![sheet] };
        assert_eq!(render(&document, true), "name\r\na b\u{fffd}\r\n".as_bytes());
        assert_eq!(super::rows(&document, true), "a b\u{fffd}\r\n");
        assert_eq!(super::rows(&document, false), "\"a\nb\u{2066}\"\r\n", "in a pipe it is as it came");
    }

    #[test]
    fn an_overview_has_every_row_and_exact_charges() {
        let o: TrusteeOverview = serde_json::from_str(
            r#"{"organization":{"id":"o1","name":"@Org"},"currency":"USD","usages":[
                {"name":"a","grouping":"device","usageQuantity":"3.00","prepayQuantity":"1","prepayPrice":"0.005","overagePrice":"1.0"},
                {"name":"b","grouping":"device","usageQuantity":"3"},
                {"name":"a","grouping":"fair-use","usageQuantity":"1"}]}"#,
        )
        .unwrap();
        let text =
            String::from_utf8(render(&views::overview(&asked(), &o, &Statement::new(&o)), false)).unwrap();
        let rows: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(rows.len(), 5);
        assert_eq!(
            rows[0],
            "organizationId,organizationName,billingPeriodStartDate,billingPeriodEndDate,currency,section,role,name,\
             partNumber,grouping,unitOfMeasureType,bundleQuantity,usageQuantity,prepayQuantity,included,overage,\
             prepayPrice,overagePrice,charge,isThirdParty,remark,usageNotes"
        );
        assert_eq!(rows[1], "o1,'@Org,,,USD,devices,use,a,,device,,,3.00,1,1,1,0.005,1.0,1.005,false,,");
        assert_eq!(
            rows[2],
            "o1,'@Org,,,USD,devices,use,b,,device,,,3,,0,,,,,false,the server sent no prepayQuantity,"
        );
        assert_eq!(rows[3], "o1,'@Org,,,USD,fair use,allowance,a,,fair-use,,,,,1,,,,,,,");
    }

    #[test]
    fn tables_with_different_columns_are_told_apart() {
        let sheet = |title, key, text| document::Sheet {
            groups: vec![Group {
                heading: None,
                rows: vec![Row::new(vec![Cell::text("n"), Cell::text(text)])],
            }],
            ..document::Sheet::new(title, vec![Column::text("name", "Name"), Column::text(key, "X")])
        };
        let mut document = Document {
            title: String::new(),
            facts: Vec::new(),
            sheets: vec![sheet("charges", "rate", "=1"), sheet("wallets", "balance", "2")],
        };
        assert_eq!(
            String::from_utf8(render(&document, false)).unwrap(),
            "list,name,rate,balance\r\ncharges,n,'=1,\r\nwallets,n,,2\r\n"
        );
        document.sheets.pop();
        assert_eq!(render(&document, false), b"name,rate\r\nn,'=1\r\n");
    }
}
