//! CSV for spreadsheets: RFC 4180, UTF-8, and no cell that a spreadsheet would run.

use std::borrow::Cow;

use billing_core::model::TrusteeOverview;
use billing_core::{Amount, Charge, Region, Statement};
use csv::{Terminator, Writer, WriterBuilder};

use super::json::{RawReport, RawResource};

/// A row for each resource of a usage report, from its body.
pub(crate) fn usage(body: &str) -> Result<Vec<u8>, serde_json::Error> {
    let report = RawReport::read(body)?;
    let mut sheet = Sheet::new(&["usage", "totalUsage", "name", "date"]);
    for usage in report.usages() {
        let (name, total) = (usage.name.as_deref(), usage.total_usage.as_ref().map(Amount::text));
        for resource in usage.resources() {
            let resource: RawResource<'_> = serde_json::from_str(resource.get())?;
            sheet.row(&[name, total, resource.name.as_deref(), resource.date.as_deref()]);
        }
        // A usage that lists no resources is not lost.
        if usage.resources().is_empty() {
            sheet.row(&[name, total, None, None]);
        }
    }
    Ok(sheet.finish())
}

/// A row for each usage row of an overview, with what the statement says of it.
pub(crate) fn overview(overview: &TrusteeOverview, statement: &Statement) -> Vec<u8> {
    let organization = overview.organization.as_ref();
    let text = |amount: &Option<Amount>| amount.as_ref().map(|amount| amount.text().to_owned());
    let exact = |amount: Option<rust_decimal::Decimal>| amount.map(|amount| amount.to_string());
    let [start, end] =
        [statement.period_start, statement.period_end].map(|date| date.map(|date| date.to_string()));
    let before = || {
        [
            organization.and_then(|o| o.id.clone()),
            organization.and_then(|o| o.name.clone()),
            start.clone(),
            end.clone(),
            statement.currency.clone(),
        ]
    };
    let mut sheet = Sheet::new(&OVERVIEW);
    for section in &statement.sections {
        for line in &section.lines {
            let (role, why) = match &line.charge {
                Charge::Known(_) => ("use", None),
                Charge::InRollup => ("part", Some("it is charged with its total (rollup)".to_owned())),
                Charge::Unknown(why) => ("use", Some(why.to_string())),
                _ => ("use", None),
            };
            let cells = [
                Some(section.section.name().to_owned()),
                Some(role.to_owned()),
                line.name.clone(),
                line.part_number.clone(),
                line.grouping.clone(),
                line.unit.clone(),
                text(&line.used),
                text(&line.committed),
                text(&line.prepay_price),
                text(&line.overage_price),
                text(&line.bundle),
                Some(line.third_party.to_string()),
                exact(line.included),
                exact(line.overage),
                exact(line.charge.amount()),
                why,
                line.notes.clone(),
            ];
            sheet.row(&before().iter().chain(&cells).map(Option::as_deref).collect::<Vec<_>>());
        }
    }
    for allowance in &statement.allowances {
        let row = overview.usages().get(allowance.row);
        let cells = [
            Some("fair use".to_owned()),
            Some("allowance".to_owned()),
            allowance.name.clone(),
            allowance.part_number.clone(),
            row.and_then(|row| row.grouping.clone()),
            allowance.unit.clone(),
            row.and_then(|row| text(&row.usage_quantity)),
            row.and_then(|row| text(&row.prepay_quantity)),
            row.and_then(|row| text(&row.prepay_price)),
            row.and_then(|row| text(&row.overage_price)),
            row.and_then(|row| text(&row.bundle_quantity)),
            row.and_then(|row| row.is_third_party).map(|third| third.to_string()),
            None,
            None,
            None,
            (!allowance.applied).then(|| "an allowance on no row of this overview".to_owned()),
            row.and_then(|row| row.usage_notes.clone()),
        ];
        sheet.row(&before().iter().chain(&cells).map(Option::as_deref).collect::<Vec<_>>());
    }
    sheet.finish()
}

/// A row for each region.
pub(crate) fn regions(regions: &[(Region, String, String)]) -> Vec<u8> {
    let mut sheet = Sheet::new(&["region", "domain", "api", "login"]);
    for (region, api, login) in regions {
        sheet.row(&[Some(region.name()), Some(region.domain()), Some(api), Some(login)]);
    }
    sheet.finish()
}

/// The server's own names for what is the server's.
const OVERVIEW: [&str; 22] = [
    "organizationId",
    "organizationName",
    "billingPeriodStartDate",
    "billingPeriodEndDate",
    "currency",
    "section",
    "role",
    "name",
    "partNumber",
    "grouping",
    "unitOfMeasureType",
    "usageQuantity",
    "prepayQuantity",
    "prepayPrice",
    "overagePrice",
    "bundleQuantity",
    "isThirdParty",
    "included",
    "overage",
    "charge",
    "remark",
    "usageNotes",
];

struct Sheet(Writer<Vec<u8>>);

impl Sheet {
    fn new(header: &[&str]) -> Self {
        let writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
        let mut sheet = Self(writer);
        sheet.row(&header.iter().map(|name| Some(*name)).collect::<Vec<_>>());
        sheet
    }

    fn row(&mut self, cells: &[Option<&str>]) {
        let cells = cells.iter().map(|cell| harmless(cell.unwrap_or_default()).into_owned());
        // Into memory, and each row as wide as the header: nothing that can fail.
        let written = self.0.write_record(cells);
        debug_assert!(written.is_ok());
    }

    fn finish(self) -> Vec<u8> {
        self.0.into_inner().unwrap_or_default()
    }
}

/// A cell that no spreadsheet takes for a formula and that cannot steer a terminal. A plain number stays one, a negative
/// one too.
fn harmless(cell: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    let cell = match cell.contains(steers) {
        true => Cow::Owned(cell.replace(steers, "\u{fffd}")),
        false => Cow::Borrowed(cell),
    };
    // The full-width forms count as the narrow ones in some languages.
    let runs = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if runs && !is_negative_number(&cell) { Cow::Owned(format!("'{cell}")) } else { cell }
}

fn is_negative_number(cell: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(number) = cell.strip_prefix('-') else { return false };
    match number.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_would_run_are_made_harmless() {
        for cell in [
            "=1+1",
            "+1",
            "@SUM(A1)",
            "-1+cmd|'/C calc'!A0",
            "\t=1",
            "\r=1",
            "--1",
            "-",
            "-1.",
            "-1e5",
            "＝1",
        ] {
            assert_eq!(harmless(cell), format!("'{cell}"));
        }
        for cell in ["-1", "-23.74", "12", "a=b", "", "user@example.com", "Größe", "two\nlines"] {
            assert_eq!(harmless(cell), cell);
        }
        assert_eq!(harmless("=\u{1b}[2J"), "'=\u{fffd}[2J");
    }

    #[test]
    fn usage_is_a_row_for_each_resource() {
        let body = r#"{"usages":[{"name":"CX 1, \"named\"","resources":[
            {"name":"=cmd()","date":"2025-07-01T03:00:00.000Z"},{"name":"line\nbreak"}]},
            {"name":"Storage","totalUsage":"-1.50"}]}"#;
        assert_eq!(
            String::from_utf8(usage(body).unwrap()).unwrap(),
            "usage,totalUsage,name,date\r\n\
             \"CX 1, \"\"named\"\"\",,'=cmd(),2025-07-01T03:00:00.000Z\r\n\
             \"CX 1, \"\"named\"\"\",,\"line\nbreak\",\r\n\
             Storage,-1.50,,\r\n"
        );
        assert_eq!(usage("{}").unwrap(), b"usage,totalUsage,name,date\r\n");
    }

    #[test]
    fn overview_has_every_row_and_exact_charges() {
        let o: TrusteeOverview = serde_json::from_str(
            r#"{"organization":{"id":"o1","name":"@Org"},"currency":"USD","usages":[
                {"name":"a","grouping":"device","usageQuantity":"3","prepayQuantity":"1","prepayPrice":"0.005","overagePrice":"1.0"},
                {"name":"b","grouping":"device","usageQuantity":"3"},
                {"name":"a","grouping":"fair-use","usageQuantity":"1"}]}"#,
        )
        .unwrap();
        let text = String::from_utf8(overview(&o, &Statement::new(&o))).unwrap();
        let rows: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[1], "o1,'@Org,,,USD,devices,use,a,,device,,3,1,0.005,1.0,,false,1,1,1.005,,");
        assert_eq!(
            rows[2],
            "o1,'@Org,,,USD,devices,use,b,,device,,3,,,,,false,0,,,no prepayQuantity was sent,"
        );
        assert!(rows[3].contains("fair use,allowance,a"));
    }
}
