//! `--fail-on-overage`: which rows were used beyond what was agreed, and of which that is not known.

use billing_core::{Charge, Statement};
use rust_decimal::Decimal;

use crate::failure::Failure;
use crate::format::document::NO_NAME;
use crate::log::{self, Verbosity};
use crate::text::count;

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    over: Vec<String>,
    unknown: Vec<String>,
}

impl Alarm {
    /// Looks at every row of a statement, those of third parties too: they cost the customer as well. `of`: whose it is, where
    /// there are several.
    pub(crate) fn look(&mut self, of: Option<&str>, statement: &Statement) {
        let of = of.map(|of| format!("{of}: ")).unwrap_or_default();
        for line in statement.lines().filter(|line| line.charge != Charge::InRollup) {
            let name = line.name.as_deref().unwrap_or(NO_NAME);
            match line.overage {
                Some(over) if over > Decimal::ZERO => {
                    let unit = line.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
                    self.over.push(format!("{of}{name} by {}{unit}", over.normalize()));
                }
                Some(_) => {}
                None => self.unknown.push(format!("{of}{name}")),
            }
        }
        if statement.total.known.is_none() && statement.sections.is_empty() {
            self.unknown.push(format!("{of}no list of rows was sent"));
        }
    }

    /// One thing that is no row of a statement.
    pub(crate) fn note(&mut self, name: &str, over: Option<Decimal>) {
        match over {
            Some(over) if over > Decimal::ZERO => self.over.push(format!("{name} by {}", over.normalize())),
            Some(_) => {}
            None => self.unknown.push(name.to_owned()),
        }
    }

    /// Says what is unknown, and fails for what is known.
    pub(crate) fn ring(self, verbosity: Verbosity) -> Option<Failure> {
        if !self.unknown.is_empty() {
            log::warning(&format!("overage is unknown for {}", listed(&self.unknown)), verbosity);
        }
        (!self.over.is_empty()).then(|| Failure::Overage(format!("overage found in {}", listed(&self.over))))
    }
}

/// `3 rows: a, b, c`, and of many the first.
fn listed(rows: &[String]) -> String {
    let named: Vec<&str> = rows.iter().take(NAMED).map(String::as_str).collect();
    let more = match rows.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}: {}{more}", count(rows.len(), "row", "rows"), named.join(", "))
}

const NAMED: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(rows: &str) -> Statement {
        Statement::new(&serde_json::from_str(&format!(r#"{{"usages":{rows}}}"#)).unwrap())
    }

    #[test]
    fn overage_fails_and_unknown_overage_does_not() {
        let mut alarm = Alarm::default();
        alarm.look(
            None,
            &statement(r#"[{"name":"a","usageQuantity":"1","prepayQuantity":"1"},{"name":"b"}]"#),
        );
        assert_eq!(alarm.unknown, ["b"]);
        assert!(alarm.ring(Verbosity::Quiet).is_none());

        let mut alarm = Alarm::default();
        let row = r#"{"name":"CX","unitOfMeasureType":"seat","usageQuantity":"3.50","prepayQuantity":"1","isThirdParty":true}"#;
        // A part is charged with its total, and counted with it.
        let parts = r#"{"name":"t","grouping":"rollup","usageQuantity":"0","prepayQuantity":"0"},
            {"name":"p","grouping":"rollup-usage","usageQuantity":"9"}"#;
        for org in ["A", "B", "C"] {
            alarm.look(Some(org), &statement(&format!("[{row},{row},{parts}]")));
        }
        let failure = alarm.ring(Verbosity::Quiet).unwrap();
        assert_eq!(failure.exit_status(), 10);
        assert_eq!(
            failure.to_string(),
            "overage found in 6 rows: A: CX by 2.5 seat, A: CX by 2.5 seat, B: CX by 2.5 seat, B: CX by 2.5 seat, \
             C: CX by 2.5 seat and 1 more"
        );
    }

    #[test]
    fn no_list_at_all_is_unknown() {
        let mut alarm = Alarm::default();
        alarm.look(None, &Statement::new(&serde_json::from_str("{}").unwrap()));
        assert_eq!(alarm.unknown, ["no list of rows was sent"]);
        let mut alarm = Alarm::default();
        alarm.look(None, &statement("[]"));
        assert!(alarm.unknown.is_empty() && alarm.over.is_empty());
    }
}
