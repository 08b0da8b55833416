//! Tables for people.

use billing_core::model::{TrusteeOverview, UsageReport};
use billing_core::{Amount, Charge, Line, Region, Statement, Timestamp, Total, Verdict};
use rust_decimal::Decimal;

use super::grid::{Cell, Column, Grid, Look, paragraph};
use super::paint::Ink;
use crate::text::count;

/// A usage report: its resources under their usages.
pub(crate) fn usage(report: &UsageReport, look: Look) -> String {
    let mut page = Page::new(look);
    let period = format!("{} to {}", date(report.start_date), date(report.end_date));
    page.line(Ink::Strong, &format!("Billable usage, {period}"));
    page.gap();

    let mut grid = Grid::new(&[Column::text("Resource"), Column::text("Billable since")]);
    for usage in report.usages() {
        let resources = usage.resources();
        let total = usage.total_usage.as_ref().map(|total| format!("total usage {}", number(total)));
        let listed = (!resources.is_empty() || total.is_none())
            .then(|| count(resources.len(), "resource", "resources"));
        let what: Vec<String> = listed.into_iter().chain(total).collect();
        grid.heading(&format!("{} ({})", usage.name.as_deref().unwrap_or(NO_NAME), what.join(", ")));
        for resource in resources {
            let name = resource.name.as_deref().unwrap_or(NO_NAME);
            let since = resource.date.map(|date| date.to_string()).unwrap_or_default();
            grid.row(UNDER_HEADING, vec![Cell::plain(name), Cell::plain(&since)]);
        }
    }
    if !report.usages().is_empty() {
        page.block(grid);
        page.gap();
    }
    let resources = report.usages().iter().map(|usage| usage.resources().len()).sum();
    page.line(
        Ink::Strong,
        &format!(
            "{} in {}",
            count(resources, "resource", "resources"),
            count(report.usages().len(), "usage", "usages")
        ),
    );
    page.text
}

/// An overview with its statement: the lines by section, then what they come to and what is not in it.
pub(crate) fn overview(overview: &TrusteeOverview, statement: &Statement, look: Look) -> String {
    let mut page = Page::new(look);
    head(&mut page, overview, statement);
    page.gap();
    lines(&mut page, statement);
    sums(&mut page, statement);
    page.text
}

/// The regions.
pub(crate) fn regions(regions: &[(Region, String, String)], look: Look) -> String {
    let mut page = Page::new(look);
    let mut grid = Grid::new(&[
        Column::text("Region"),
        Column::text("Domain"),
        Column::text("API").rank(1),
        Column::text("Login").rank(2),
    ]);
    for (region, api, login) in regions {
        grid.row(0, [region.name(), region.domain(), api, login].map(Cell::plain).into());
    }
    page.block(grid);
    page.text
}

fn head(page: &mut Page, overview: &TrusteeOverview, statement: &Statement) {
    let organization = overview.organization.as_ref();
    let name = organization.and_then(|o| o.name.as_deref()).unwrap_or("Unnamed organisation");
    let id = organization.and_then(|o| o.id.as_deref()).map(|id| format!(" ({id})"));
    page.line(Ink::Strong, &format!("{name}{}", id.unwrap_or_default()));
    let subscription = overview.subscription_type.as_ref().map(|s| format!(", subscription {s}"));
    page.line(
        Ink::Plain,
        &format!(
            "Billing period {} to {}{}",
            date(statement.period_start),
            date(statement.period_end),
            subscription.unwrap_or_default()
        ),
    );
    if overview.in_ramp_period == Some(true) {
        page.line(Ink::Plain, &format!("In its ramp period until {}", date(overview.ramp_period_end_date)));
    }
}

fn lines(page: &mut Page, statement: &Statement) {
    let mut grid = Grid::new(&[
        Column::text("Name"),
        Column::text("Part number").rank(8),
        Column::text("Unit").rank(5),
        Column::numbers("Bundle").rank(9),
        Column::numbers("Used").rank(2),
        Column::numbers("Committed").rank(3),
        Column::numbers("Included").rank(4),
        Column::numbers("Overage"),
        Column::numbers("Prepay price").rank(7),
        Column::numbers("Overage price").rank(6),
        Column::numbers("Charge"),
    ]);
    for section in &statement.sections {
        grid.heading(&section.section.name().to_uppercase());
        for line in &section.lines {
            let indent = if line.charge == Charge::InRollup { UNDER_ROLLUP } else { UNDER_HEADING };
            grid.row(indent, cells(line, statement));
        }
    }
    if !statement.allowances.is_empty() {
        grid.heading("FAIR USE (allowances, no charge)");
        for allowance in &statement.allowances {
            let idle = if allowance.applied { "" } else { " (on no row of this overview)" };
            let name = allowance.name.as_deref().unwrap_or(NO_NAME);
            let mut row = vec![Cell::empty(); 11];
            row[0] = Cell::plain(&format!("{name}{idle}"));
            row[1] = Cell::plain(allowance.part_number.as_deref().unwrap_or_default());
            row[2] = Cell::plain(allowance.unit.as_deref().unwrap_or_default());
            row[6] = quantity(allowance.quantity.as_ref());
            grid.row(UNDER_HEADING, row);
        }
    }
    if !statement.sections.is_empty() || !statement.allowances.is_empty() {
        page.block(grid);
        page.gap();
    }
}

fn cells(line: &Line, statement: &Statement) -> Vec<Cell> {
    let part = line.charge == Charge::InRollup;
    let third_party = if line.third_party { " (third party)" } else { "" };
    let name = line.name.as_deref().unwrap_or(NO_NAME);
    let known = |amount: Option<Decimal>| match amount {
        Some(amount) => Cell::plain(&amount.to_string()),
        None if part => Cell::empty(),
        None => Cell::new("?", Ink::Alarm),
    };
    vec![
        Cell::plain(&format!("{name}{third_party}")),
        Cell::plain(line.part_number.as_deref().unwrap_or_default()),
        Cell::plain(line.unit.as_deref().unwrap_or_default()),
        line.bundle.as_ref().map_or_else(Cell::empty, |bundle| Cell::plain(&number(bundle))),
        quantity(line.used.as_ref()),
        quantity(line.committed.as_ref()),
        known(line.included),
        match line.overage {
            // The mark stands out without colour too.
            Some(over) if over > Decimal::ZERO => Cell::new(&format!("! {over}"), Ink::Alarm),
            other => known(other),
        },
        price(line.prepay_price.as_ref()),
        price(line.overage_price.as_ref()),
        match &line.charge {
            Charge::Known(amount) => Cell::plain(&statement.rounded(*amount).to_string()),
            Charge::InRollup => Cell::new("in its total", Ink::Faint),
            _ => Cell::new("unknown", Ink::Alarm),
        },
    ]
}

fn sums(page: &mut Page, statement: &Statement) {
    let currency = statement.currency.as_deref().unwrap_or("(no currency was sent)");
    let money = |total: &Total| match total.known {
        Some(known) => format!("{} {currency}", statement.rounded(known)),
        None => "unknown".to_owned(),
    };
    page.line(Ink::Strong, &format!("Total: {}", money(&statement.total)));
    left_out(page, &statement.total);
    if let Some(minimum) = &statement.minimum {
        let amount = match minimum.amount.decimal() {
            Some(amount) => format!("{} {currency}", statement.rounded(amount)),
            None => format!("{:?}", minimum.amount.text()),
        };
        let (ink, verdict) = match minimum.verdict {
            Verdict::Applies => (Ink::Alarm, "the total is under it, so the minimum is what will be charged"),
            Verdict::Reached => (Ink::Plain, "the total reaches it"),
            _ => (Ink::Alarm, "whether the total reaches it is unknown"),
        };
        page.line(ink, &format!("Monthly minimum: {amount}; {verdict}"));
    }
    if statement.lines().any(|line| line.third_party) {
        page.line(
            Ink::Plain,
            &format!("Third party, billed by others and not in the total: {}", money(&statement.third_party)),
        );
        left_out(page, &statement.third_party);
    }
    page.line(Ink::Faint, statement.not_included);
}

fn left_out(page: &mut Page, total: &Total) {
    let rows = &total.left_out;
    if rows.is_empty() {
        return;
    }
    page.indented(
        2,
        Ink::Alarm,
        &format!("! It leaves out {}, whose charge is unknown:", count(rows.len(), "row", "rows")),
    );
    for row in rows {
        let name = row.name.as_deref().unwrap_or(NO_NAME);
        page.indented(4, Ink::Plain, &format!("{name}: {}", row.because));
    }
}

/// Text that grows by lines that fit.
struct Page {
    text: String,
    look: Look,
}

impl Page {
    fn new(look: Look) -> Self {
        Self { text: String::new(), look }
    }

    fn line(&mut self, ink: Ink, text: &str) {
        self.indented(0, ink, text);
    }

    fn indented(&mut self, indent: u16, ink: Ink, text: &str) {
        self.text += &paragraph(text, indent, ink, self.look);
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn block(&mut self, grid: Grid) {
        self.text += &grid.render(self.look);
    }
}

/// A quantity without the zeros that say nothing, or the text that came where it is no number.
fn number(amount: &Amount) -> String {
    match amount.decimal() {
        Some(decimal) => decimal.normalize().to_string(),
        None => format!("{:?}", amount.text()),
    }
}

fn quantity(amount: Option<&Amount>) -> Cell {
    amount.map_or_else(|| Cell::new("?", Ink::Alarm), |amount| Cell::plain(&number(amount)))
}

/// A price as it came, because its digits are those of a contract.
fn price(amount: Option<&Amount>) -> Cell {
    match amount {
        Some(amount) if amount.decimal().is_some() => Cell::plain(amount.text().trim()),
        Some(amount) => Cell::new(&format!("{:?}", amount.text()), Ink::Alarm),
        None => Cell::new("?", Ink::Alarm),
    }
}

/// The day alone where the time is midnight or the last second of the day, as it is in the server's periods.
fn date(timestamp: Option<Timestamp>) -> String {
    let Some(timestamp) = timestamp else { return "(unknown)".to_owned() };
    match timestamp.instant().format("%H:%M:%S").to_string().as_str() {
        "00:00:00" | "23:59:59" => timestamp.date().to_string(),
        _ => timestamp.to_string(),
    }
}

const NO_NAME: &str = "(no name)";
const UNDER_HEADING: u16 = 2;
const UNDER_ROLLUP: u16 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;
    use crate::format::paint::Paint;

    fn look(width: Option<u16>) -> Look {
        Look { width, paint: Paint::new(Color::Never, false, None, None) }
    }

    fn shown(json: &str, width: Option<u16>) -> String {
        let o: TrusteeOverview = serde_json::from_str(json).unwrap();
        overview(&o, &Statement::new(&o), look(width))
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
            "Billing period 2020-04-01 to 2020-04-30, subscription PREPAY",
            "USERS",
            "! 3 ",
            "1006.50",
            "in its total",
            "Total: 1011.50 USD",
            "It leaves out 1 row",
            "usageQuantity is \"n/a\"",
            "Monthly minimum: 2000.00 USD; whether the total reaches it is unknown",
            "not in the total: 12.35 USD",
            "(on no row of this overview)",
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
        let text = usage(&report.unwrap(), look(None));
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
            usage(&report.unwrap(), look(None)),
            "Billable usage, 2025-07-01T03:00:00Z to 2025-07-08\n\n\
             Resource     Billable since\n\n\
             CX 1 (2 resources)\n\
             \x20 a@x        2025-07-01T03:19:11.696Z\n\
             \x20 (no name)\n\n\
             Storage (total usage 12.5)\n\n\
             2 resources in 2 usages\n"
        );
        assert!(usage(&UsageReport::default(), look(None)).contains("0 resources in 0 usages"));
    }

    #[test]
    fn an_overview_without_anything_is_shown_as_unknown() {
        let text = shown("{}", Some(40));
        assert!(text.contains("Total: unknown") && text.contains("Tax and telco"), "{text}");
    }
}
