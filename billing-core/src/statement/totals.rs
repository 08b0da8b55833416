//! Totals: exact sums of charges, with the rows that they exclude (B5, B8, B10), and sums of statements by currency.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::money::optional_text;
use super::{Charge, Line, Statement, UnknownReason, checked_sum, normalized};

/// A sum of charges.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Total {
    /// The exact sum of the known charges. `None` where there is nothing to sum up: no list of rows was sent, or all charges
    /// are unknown.
    #[serde(rename = "known", serialize_with = "optional_text")]
    pub amount: Option<Decimal>,
    /// The rows that are not in it, because their charge is unknown (B10).
    #[serde(rename = "leftOut")]
    pub excluded: Vec<Excluded>,
}

/// A row that a total excludes.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Excluded {
    /// Its position in the overview's `usages`, from 0.
    pub row: usize,
    /// Its name.
    pub name: Option<String>,
    /// The reason.
    #[serde(rename = "because")]
    pub reason: UnknownReason,
}

/// Sums up statements as they come, by currency and never across currencies. The sums are exact (B5).
#[derive(Clone, Debug, Default)]
pub struct CurrencyTotals(BTreeMap<String, CurrencyTotal>);

/// The sum of statements in one currency.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CurrencyTotal {
    /// The currency, as the server first named it; `None` for the statements whose currency was not sent.
    pub currency: Option<String>,
    /// The number of statements.
    pub statements: usize,
    /// The exact sum of their totals as far as they are known; `None` where none is.
    #[serde(rename = "known", serialize_with = "optional_text")]
    pub amount: Option<Decimal>,
    /// The exact sum of the charges of third parties, as far as they are known; `None` if none is.
    #[serde(serialize_with = "optional_text")]
    pub third_party: Option<Decimal>,
    /// The sum of what the vendor will charge for each; see [`Statement::payable`]. `None` where that is unknown for one of
    /// them.
    #[serde(rename = "charged", serialize_with = "optional_text")]
    pub payable: Option<Decimal>,
    /// The number of rows that are in none of these sums, because their charge is unknown (B10).
    #[serde(rename = "leftOut")]
    pub excluded: usize,
    /// The number of statements that are missing from `amount` or `third_party`, because nothing of them is known or the sum
    /// would have more digits than can be held exactly.
    #[serde(rename = "withoutTotal")]
    pub excluded_statements: usize,
}

impl Total {
    /// Sums up the charges of lines. `list_sent`: whether the overview has a list of rows at all.
    pub(super) fn of<'a>(lines: impl Iterator<Item = &'a Line>, list_sent: bool) -> Self {
        Self::sum(lines.map(|line| (line, line.charge.clone())), list_sent)
    }

    /// Sums up what the overage of lines costs.
    pub(super) fn of_overage<'a>(lines: impl Iterator<Item = &'a Line>, list_sent: bool) -> Self {
        let overage = |line: &Line| match &line.charge {
            Charge::Known(_) => {
                line.overage_charge().map_or(Charge::Unknown(UnknownReason::TooManyDigits), Charge::Known)
            }
            other => other.clone(),
        };
        Self::sum(lines.map(|line| (line, overage(line))), list_sent)
    }

    /// Returns true if it excludes no row.
    pub fn is_complete(&self) -> bool {
        self.amount.is_some() && self.excluded.is_empty()
    }

    fn sum<'a>(charges: impl Iterator<Item = (&'a Line, Charge)>, list_sent: bool) -> Self {
        let mut known = None;
        let mut excluded = Vec::new();
        for (line, charge) in charges {
            let reason = match charge {
                Charge::InRollup => continue,
                Charge::Unknown(reason) => reason,
                Charge::Known(amount) => match checked_sum(known.unwrap_or_default(), amount) {
                    Some(sum) => {
                        known = Some(sum);
                        continue;
                    }
                    None => UnknownReason::TooManyDigits,
                },
            };
            excluded.push(Excluded { row: line.row, name: line.name.clone(), reason });
        }
        // An empty list costs nothing. Where all charges are unknown or no list was sent, the sum is unknown, not zero.
        let nothing_charged = list_sent && excluded.is_empty();
        Self { amount: known.or(nothing_charged.then_some(Decimal::ZERO)), excluded }
    }
}

impl CurrencyTotals {
    /// Adds a statement.
    pub fn add(&mut self, statement: &Statement) {
        let currency = normalized(statement.currency.as_deref());
        let total = self.0.entry(currency).or_insert_with(|| CurrencyTotal {
            currency: statement.currency.clone(),
            statements: 0,
            amount: None,
            third_party: None,
            payable: Some(Decimal::ZERO),
            excluded: 0,
            excluded_statements: 0,
        });
        total.add(statement);
    }

    /// Returns the sums, in the order of the currencies' names; the sum without a currency comes first.
    pub fn by_currency(&self) -> Vec<CurrencyTotal> {
        self.0.values().cloned().collect()
    }
}

impl CurrencyTotal {
    fn add(&mut self, statement: &Statement) {
        self.statements += 1;
        self.excluded += statement.unknown_charges();
        self.payable = self.payable.zip(statement.payable()).and_then(|(a, b)| checked_sum(a, b));
        let sums = [(&mut self.amount, &statement.total), (&mut self.third_party, &statement.third_party)];
        let added = sums.map(|(so_far, total)| {
            let sum = total.amount.and_then(|more| checked_sum(so_far.unwrap_or_default(), more));
            *so_far = sum.or(*so_far);
            sum.is_some()
        });
        // A statement counts once, even if neither of its two sums could be added.
        self.excluded_statements += usize::from(added.contains(&false));
    }
}
