//! Tables for the terminal.

use super::document::{self, Document, Emphasis, Fact, Formats, Note, Sheet, Sum};
use super::grid::{Grid, GridCell, GridColumn, TableStyle, paragraph};
use super::paint::TextStyle;
use crate::text::count;

/// Renders the title, the facts, and each table with its sums.
pub(crate) fn render(document: &Document, look: TableStyle) -> String {
    let mut page = TextPage { text: String::new(), look };
    page.line(TextStyle::Strong, &document.title);
    if !document.facts.is_empty() {
        page.line(TextStyle::Plain, &Fact::join(&document.facts));
    }
    let several = document.sheets(Formats::TABLE).count() > 1;
    for sheet in document.sheets(Formats::TABLE) {
        if several {
            page.gap();
            page.line(TextStyle::Strong, &sheet.title);
        }
        page.gap();
        if sheet.rows().next().is_some() || sheet.groups.iter().any(|group| group.heading.is_some()) {
            page.text += &rows(sheet).render(look);
            if !sheet.sums.is_empty() || !sheet.notes.is_empty() {
                page.gap();
            }
        }
        for sum in &sheet.sums {
            page.sum(sum);
        }
        for Note { tone, text } in &sheet.notes {
            page.line(ink(*tone), text);
        }
    }
    page.text
}

fn rows(sheet: &Sheet) -> Grid {
    let shown = sheet.visible_columns(Formats::TABLE);
    let columns = |at: &usize| {
        let column = sheet.columns.get(*at)?;
        Some(GridColumn::new(&column.title, column.kind.is_number(), column.drop_rank))
    };
    let mut grid = Grid::new(&shown.iter().filter_map(columns).collect::<Vec<_>>());
    for group in &sheet.groups {
        if let Some(heading) = &group.heading {
            grid.heading(heading);
        }
        for row in &group.rows {
            let indent = match (row.is_part, &group.heading) {
                (true, _) => UNDER_ROW,
                (false, Some(_)) => UNDER_HEADING,
                (false, None) => 0,
            };
            let cell = |at: &usize| cell(row.cells.get(*at)?, sheet.columns.get(*at)?.kind);
            grid.row(indent, shown.iter().map(|at| cell(at).unwrap_or_else(GridCell::empty)).collect());
        }
    }
    grid
}

fn cell(cell: &document::Cell, kind: document::ColumnKind) -> Option<GridCell> {
    let shown = cell.display_text(kind);
    // The mark shows overage without colour too.
    let shown = if cell.tone == Emphasis::Overage { format!("! {shown}") } else { shown };
    Some(GridCell::new(&shown, ink(cell.tone)))
}

fn ink(tone: Emphasis) -> TextStyle {
    match tone {
        Emphasis::Plain => TextStyle::Plain,
        Emphasis::Strong => TextStyle::Strong,
        Emphasis::Overage | Emphasis::Warning => TextStyle::Alarm,
        Emphasis::Muted => TextStyle::Faint,
    }
}

/// A text page built line by line, wrapped to the terminal width.
struct TextPage {
    text: String,
    look: TableStyle,
}

impl TextPage {
    fn line(&mut self, ink: TextStyle, text: &str) {
        self.indented(0, ink, text);
    }

    fn indented(&mut self, indent: u16, ink: TextStyle, text: &str) {
        self.text += &paragraph(text, indent, ink, self.look);
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn sum(&mut self, sum: &Sum) {
        let mut line = format!("{}: {}", sum.label, sum.value.display_text());
        if let (Some(currency), Some(_)) = (&sum.currency, sum.value.number()) {
            line = format!("{line} {currency}");
        }
        if let Some(remark) = &sum.remark {
            line = format!("{line}; {remark}");
        }
        self.line(ink(sum.tone), &line);
        if sum.excluded.is_empty() {
            return;
        }
        let rows = count(sum.excluded.len(), "row", "rows");
        self.indented(2, TextStyle::Alarm, &format!("! This total excludes {rows} with unknown charges:"));
        for (name, why) in &sum.excluded {
            self.indented(4, TextStyle::Plain, &format!("{name}: {why}"));
        }
    }
}

const UNDER_HEADING: u16 = 2;
const UNDER_ROW: u16 = 4;

#[cfg(test)]
mod tests {
    use billing_core::Statement;
    use billing_core::model::{TrusteeOverview, UsageReport};

    use super::*;
    use crate::args::ColorWhen;
    use crate::format::paint::UseColor;
    use crate::organizations::tests::asked;
    use crate::views;

    fn look(width: Option<u16>) -> TableStyle {
        TableStyle { width, color: UseColor::new(ColorWhen::Never, false, None, None) }
    }

    fn shown(json: &str, width: Option<u16>) -> String {
        let o: TrusteeOverview = serde_json::from_str(json).unwrap();
        render(&views::overview(&asked(), &o, &Statement::new(&o)), look(width))
    }

    fn usage(report: &UsageReport) -> String {
        render(&views::usage(report), look(None))
    }

    const OVERVIEW: &str = r#"{"organization":{"id":"o1","name":"Evil\u001b[31m Corp"},"currency":"USD",
        "subscriptionType":"PREPAY","billingPeriodStartDate":"2020-04-01T00:00:00Z",
        "billingPeriodEndDate":"2020-04-30T23:59:59.999Z","minimumMonthlyAmount":"2000","usages":[
        {"name":"CX 2","partNumber":"GC-2","grouping":"user-license","unitOfMeasureType":"seat","usageQuantity":"13.000",
         "prepayQuantity":"10","prepayPrice":"75.00","overagePrice":"85.50"},
        {"name":"BYOC\u001b]0;pwned\u0007\r\nTotal: 0","grouping":"resource","usageQuantity":"n/a","prepayQuantity":"1"},
        {"name":"Partner App","grouping":"billable-app-org-license","isThirdParty":true,"usageQuantity":"1",
         "prepayQuantity":"0","prepayPrice":"0","overagePrice":"12.345"},
        {"name":"SMS","grouping":"rollup","usageQuantity":"5","prepayQuantity":"5","prepayPrice":"1","overagePrice":"1"},
        {"name":"SMS in","grouping":"rollup-usage","usageQuantity":"5"},
        {"name":"API","grouping":"fair-use","usageQuantity":"100"}]}"#;

    #[test]
    fn an_overview_says_what_it_comes_to_and_what_not() {
        let text = shown(OVERVIEW, None);
        for said in [
            "Billing period 2020-04-01 to 2020-04-30, subscription PREPAY, currency USD, organisation id o1",
            "USERS",
            "! 3 ",
            "1006.50",
            "in rollup",
            "Total: 1011.50 USD",
            "This total excludes 1 row",
            "usageQuantity is \"n/a\"",
            "Monthly minimum: 2000.00 USD; it is unknown whether the total reaches the minimum",
            "Overage in the total: 256.50 USD; 2 rows are above the agreed quantity (1 of them billed by third parties), counting known charges only",
            "Third party: 12.35 USD; billed by third parties, not in the total",
            "FAIR USE, NOT APPLIED",
            "Tax and telco usage are not included.",
        ] {
            assert!(text.contains(said), "{said}\n{text}");
        }
    }

    #[test]
    fn hostile_names_reach_no_terminal() {
        for width in [None, Some(60)] {
            let text = shown(OVERVIEW, width);
            assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
            assert!(!text.contains("\nTotal: 0"), "no name makes a line of its own");
        }
        let report = serde_json::from_str::<UsageReport>(
            r#"{"usages":[{"name":"a\u001b[2J","totalUsage":"\u001b","resources":[{"name":"\u0007\u009b"}]}]}"#,
        );
        let text = usage(&report.unwrap());
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    }

    #[test]
    fn it_fits_the_terminal() {
        for limit in [50, 60, 80, 100, 120, 160] {
            let text = shown(OVERVIEW, Some(limit));
            assert!(text.lines().all(|line| line.chars().count() <= limit.into()), "{limit}:\n{text}");
            assert!(text.contains("1006.50") && text.contains("! 3"));
        }
    }

    #[test]
    fn a_report_lists_resources_under_their_usages() {
        let report = serde_json::from_str::<UsageReport>(
            r#"{"startDate":"2025-07-01T03:00:00Z","endDate":"2025-07-08T00:00:00Z","usages":[
                {"name":"CX 1","resources":[{"name":"a@x","date":"2025-07-01T03:19:11.696Z"},{}]},
                {"name":"Storage","totalUsage":"12.500"}]}"#,
        );
        assert_eq!(
            usage(&report.unwrap()),
            "Billable usage\n\
             Period 2025-07-01T03:00:00Z to 2025-07-08\n\n\
             Resource     Billable since\n\n\
             CX 1 (2 resources)\n\
             \x20 a@x        2025-07-01T03:19:11.696Z\n\
             \x20 (no name)\n\n\
             Storage (total usage 12.5)\n\n\
             2 resources in 2 usages\n"
        );
        assert!(usage(&UsageReport::default()).contains("0 resources in 0 usages"));
    }

    #[test]
    fn an_overview_without_anything_is_shown_as_unknown() {
        let text = shown("{}", Some(40));
        assert!(text.contains("Total: unknown") && text.contains("Tax and telco"), "{text}");
    }
}
