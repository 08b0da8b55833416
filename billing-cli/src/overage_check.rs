//! The option `--fail-on-overage`: collects rows with overage and rows whose overage is unknown.

use billing_core::Statement;
use billing_core::statement::is_over;
use rust_decimal::Decimal;

use crate::failure::Failure;
use crate::format::document::NO_NAME;
use crate::log::{self, Verbosity};
use crate::text::count;

/// The rows found so far.
#[derive(Debug, Default)]
pub(crate) struct OverageCheck {
    over: Vec<String>,
    unknown: Vec<String>,
}

impl OverageCheck {
    /// Adds the rows of a statement, including third-party rows, because the customer pays for them too. `of`
    /// names the organisation or period if there are several.
    pub(crate) fn add(&mut self, of: Option<&str>, statement: &Statement) {
        let of = of.map(|of| format!("{of}: ")).unwrap_or_default();
        let name = |name: &Option<String>| format!("{of}{}", name.as_deref().unwrap_or(NO_NAME));
        for line in statement.lines_over() {
            let unit = line.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
            let overage = line.overage.unwrap_or_default().normalize();
            self.over.push(format!("{} by {overage}{unit}", name(&line.name)));
        }
        self.unknown.extend(statement.lines_of_unknown_overage().map(|line| name(&line.name)));
        if !statement.has_rows_list() {
            self.unknown.push(format!("{of}the server sent no rows"));
        }
    }

    /// Adds an overage that the server computed, as in a billing period of a contract.
    pub(crate) fn add_overage(&mut self, name: &str, overage: Option<Decimal>) {
        match overage {
            Some(over) if is_over(overage) => self.over.push(format!("{name} by {}", over.normalize())),
            Some(_) => {}
            None => self.unknown.push(name.to_owned()),
        }
    }

    /// Warns about rows with unknown overage, and fails if any row has overage.
    pub(crate) fn finish(self, verbosity: Verbosity) -> Option<Failure> {
        if !self.unknown.is_empty() {
            log::warning(&format!("overage is unknown for {}", row_list(&self.unknown)), verbosity);
        }
        (!self.over.is_empty())
            .then(|| Failure::Overage(format!("overage found in {}", row_list(&self.over))))
    }
}

/// Returns `3 rows: a, b, c`; names only the first rows of a long list.
fn row_list(rows: &[String]) -> String {
    let named: Vec<&str> = rows.iter().take(MAX_NAMED_ROWS).map(String::as_str).collect();
    let more = match rows.len().saturating_sub(MAX_NAMED_ROWS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}: {}{more}", count(rows.len(), "row", "rows"), named.join(", "))
}

const MAX_NAMED_ROWS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(rows: &str) -> Statement {
        Statement::new(&serde_json::from_str(&format!(r#"{{"usages":{rows}}}"#)).unwrap())
    }

    #[test]
    fn overage_fails_and_unknown_overage_does_not() {
        let mut check = OverageCheck::default();
        check
            .add(None, &statement(r#"[{"name":"a","usageQuantity":"1","prepayQuantity":"1"},{"name":"b"}]"#));
        assert_eq!(check.unknown, ["b"]);
        assert!(check.finish(Verbosity::Quiet).is_none());

        let mut check = OverageCheck::default();
        let row = r#"{"name":"CX","unitOfMeasureType":"seat","usageQuantity":"3.50","prepayQuantity":"1","isThirdParty":true}"#;
        // A part of a rollup is charged and counted with its rollup.
        let parts = r#"{"name":"t","grouping":"rollup","usageQuantity":"0","prepayQuantity":"0"},
            {"name":"p","grouping":"rollup-usage","usageQuantity":"9"}"#;
        for org in ["A", "B", "C"] {
            check.add(Some(org), &statement(&format!("[{row},{row},{parts}]")));
        }
        let failure = check.finish(Verbosity::Quiet).unwrap();
        assert_eq!(failure.exit_status(), 10);
        assert_eq!(
            failure.to_string(),
            "overage found in 6 rows: A: CX by 2.5 seat, A: CX by 2.5 seat, B: CX by 2.5 seat, B: CX by 2.5 seat, \
             C: CX by 2.5 seat and 1 more"
        );
    }

    #[test]
    fn no_list_at_all_is_unknown() {
        let mut check = OverageCheck::default();
        check.add(None, &Statement::new(&serde_json::from_str("{}").unwrap()));
        assert_eq!(check.unknown, ["the server sent no rows"]);
        let mut check = OverageCheck::default();
        check.add(None, &statement("[]"));
        assert!(check.unknown.is_empty() && check.over.is_empty());
    }
}
