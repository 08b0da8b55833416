//! The trend: what several periods come to, one beside the other and in sum, and how it changes from one to the next.
//!
//! ```
//! use billing_core::model::TrusteeOverview;
//! use billing_core::{Statement, Trend};
//!
//! let month = |start: &str, end: &str, used: &str| -> Result<Statement, serde_json::Error> {
//!     let overview: TrusteeOverview = serde_json::from_str(&format!(
//!         r#"{{"currency":"EUR","billingPeriodStartDate":"{start}T00:00:00Z","billingPeriodEndDate":"{end}T23:59:59Z",
//!             "usages":[{{"name":"CX 2","grouping":"user-license","usageQuantity":"{used}",
//!             "prepayQuantity":"0","prepayPrice":"0","overagePrice":"80"}}]}}"#
//!     ))?;
//!     Ok(Statement::new(&overview))
//! };
//! let trend = Trend::new([month("2026-10-01", "2026-10-31", "15")?, month("2026-09-01", "2026-09-30", "12")?]);
//!
//! let change = trend.changes[0].difference().unwrap();
//! assert_eq!((change.delta, change.percent), (240.into(), Some(25.into())));
//! assert_eq!(trend.totals[0].known, Some(2160.into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::statement::{exact_sum, folded, optional_text};
use crate::{Minimum, Statement, Timestamp, Total, Verdict};

/// The totals of several periods of one organisation.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Trend {
    /// The periods, the earliest first.
    pub periods: Vec<PeriodTotal>,
    /// How the total changed into each period from the one before it; the first period has none, so that there is one
    /// less than there are periods.
    pub changes: Vec<Change>,
    /// The same for what others bill.
    pub third_party_changes: Vec<Change>,
    /// What the periods come to together, by currency.
    pub totals: Vec<CurrencyTotal>,
}

/// What one period comes to.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PeriodTotal {
    /// When it begins.
    pub period_start: Option<Timestamp>,
    /// When it ends, inclusive.
    pub period_end: Option<Timestamp>,
    /// The currency of what follows.
    pub currency: Option<String>,
    /// What the vendor charges.
    pub total: Total,
    /// What others bill, apart (rule B8).
    pub third_party: Total,
    /// The monthly minimum, where one was agreed (rule B11).
    pub minimum: Option<Minimum>,
}

/// What an earlier figure became (rule B13).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Both figures are known.
    Known(Difference),
    /// One of the two is unknown, and so is the change.
    Unknown,
    /// The two are in different currencies or units, so that their difference would mean nothing.
    Unlike,
}

/// later − earlier.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// The exact difference.
    pub delta: Decimal,
    /// Δ ÷ earlier in percent, with all the digits that a [`Decimal`] has room for; what is serialized has two. `None`
    /// where the earlier figure is zero.
    pub percent: Option<Decimal>,
    /// Whether one of the two is a total that leaves rows out, so that this is the difference of what is known.
    pub partial: bool,
}

/// A sum of totals in one currency.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CurrencyTotal {
    /// The currency, as the server named it first; `None` for the totals whose currency was not sent.
    pub currency: Option<String>,
    /// How many statements are summed up here.
    pub statements: usize,
    /// The exact sum of their totals as far as they are known; `None` where none is.
    #[serde(serialize_with = "optional_text")]
    pub known: Option<Decimal>,
    /// The same for what others bill.
    #[serde(serialize_with = "optional_text")]
    pub third_party: Option<Decimal>,
    /// What will be charged: the same sum with the minimum in the place of each total that is under it (rule B11). `None`
    /// where that is undecided for one of them.
    #[serde(serialize_with = "optional_text")]
    pub charged: Option<Decimal>,
    /// How many rows are in none of these sums, because their charge is unknown (rule B10).
    pub left_out: usize,
    /// How many statements are missing from `known` or `third_party`, because nothing of that is known, or because there
    /// would be more digits than can be held exactly.
    pub without_total: usize,
}

/// Sums up statements as they come, by currency and never across (rule B5: exact, and rounded only when shown).
#[derive(Clone, Debug, Default)]
pub struct Totals(BTreeMap<String, CurrencyTotal>);

impl Trend {
    /// The trend of periods that stand in the order of a walk back, the latest first. Where all have dates they are put in
    /// the order of these.
    pub fn new(latest_first: impl IntoIterator<Item = Statement>) -> Self {
        let mut statements: Vec<Statement> = latest_first.into_iter().collect();
        statements.reverse();
        if statements.iter().all(|statement| moment(statement).is_some()) {
            statements.sort_by_key(moment);
        }
        Self::of_ordered(&statements)
    }

    pub(crate) fn of_ordered(statements: &[Statement]) -> Self {
        let mut totals = Totals::default();
        statements.iter().for_each(|statement| totals.add(statement));
        let changes = |total: fn(&Statement) -> &Total| {
            let pairs = statements.iter().zip(statements.iter().skip(1));
            pairs.map(|(earlier, later)| Change::of_totals(earlier, later, total)).collect()
        };
        Self {
            changes: changes(|statement| &statement.total),
            third_party_changes: changes(|statement| &statement.third_party),
            periods: statements.iter().map(PeriodTotal::of).collect(),
            totals: totals.by_currency(),
        }
    }
}

impl PeriodTotal {
    fn of(statement: &Statement) -> Self {
        Self {
            period_start: statement.period_start,
            period_end: statement.period_end,
            currency: statement.currency.clone(),
            total: statement.total.clone(),
            third_party: statement.third_party.clone(),
            minimum: statement.minimum.clone(),
        }
    }
}

impl Change {
    /// The difference, where there is one.
    pub fn difference(&self) -> Option<&Difference> {
        match self {
            Self::Known(difference) => Some(difference),
            Self::Unknown | Self::Unlike => None,
        }
    }

    pub(crate) fn between(earlier: Option<Decimal>, later: Option<Decimal>) -> Self {
        let (Some(earlier), Some(later)) = (earlier, later) else { return Self::Unknown };
        let Some(delta) = exact_sum(later, -earlier) else { return Self::Unknown };
        // `checked_div` refuses a zero.
        let percent = delta.checked_div(earlier).and_then(|ratio| ratio.checked_mul(Decimal::ONE_HUNDRED));
        Self::Known(Difference { delta, percent: percent.map(|p| p.normalize()), partial: false })
    }

    fn of_totals(earlier: &Statement, later: &Statement, total: fn(&Statement) -> &Total) -> Self {
        if !is_same_currency(earlier, later) {
            return Self::Unlike;
        }
        let (earlier, later) = (total(earlier), total(later));
        match Self::between(earlier.known, later.known) {
            Self::Known(difference) => {
                let partial = !earlier.is_complete() || !later.is_complete();
                Self::Known(Difference { partial, ..difference })
            }
            other => other,
        }
    }
}

impl Serialize for Change {
    /// `{"delta": "240", "percent": "25.00"}`, with `"partial": true` where it is; or both `null`, with `"because"`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let difference = self.difference();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("delta", &difference.map(|d| d.delta.to_string()))?;
        map.serialize_entry("percent", &difference.and_then(Difference::shown_percent))?;
        match self {
            Self::Known(difference) if difference.partial => map.serialize_entry("partial", &true)?,
            Self::Known(_) => {}
            Self::Unknown => map.serialize_entry("because", "one of the two is unknown")?,
            Self::Unlike => map.serialize_entry("because", "the two are in different currencies or units")?,
        }
        map.end()
    }
}

impl Difference {
    fn shown_percent(&self) -> Option<String> {
        let mut percent = self.percent?.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        percent.rescale(2);
        Some(percent.to_string())
    }
}

impl Totals {
    /// Adds what a statement comes to.
    pub fn add(&mut self, statement: &Statement) {
        let currency = folded(statement.currency.as_deref());
        let total = self.0.entry(currency).or_insert_with(|| CurrencyTotal {
            currency: statement.currency.clone(),
            statements: 0,
            known: None,
            third_party: None,
            charged: Some(Decimal::ZERO),
            left_out: 0,
            without_total: 0,
        });
        total.add(statement);
    }

    /// The sums, in the order of the currencies' names; those without one come first.
    pub fn by_currency(&self) -> Vec<CurrencyTotal> {
        self.0.values().cloned().collect()
    }
}

impl CurrencyTotal {
    fn add(&mut self, statement: &Statement) {
        let Statement { total, third_party, minimum, .. } = statement;
        self.statements += 1;
        self.left_out += total.left_out.len() + third_party.left_out.len();
        let charged = match minimum {
            None => total.known.filter(|_| total.is_complete()),
            Some(Minimum { verdict: Verdict::Undecided, .. }) => None,
            Some(Minimum { verdict: Verdict::Applies, amount }) => amount.decimal(),
            // What is known reaches it, but what is left out is charged too.
            Some(Minimum { verdict: Verdict::Reached, .. }) => total.known.filter(|_| total.is_complete()),
        };
        self.charged = self.charged.zip(charged).and_then(|(a, b)| exact_sum(a, b));
        let added =
            [(&mut self.known, total), (&mut self.third_party, third_party)].map(|(so_far, total)| {
                let longer = total.known.and_then(|more| exact_sum(so_far.unwrap_or_default(), more));
                *so_far = longer.or(*so_far);
                longer.is_some()
            });
        self.without_total += usize::from(added.contains(&false));
    }
}

/// By what periods are ordered: their end, or where none was sent their beginning.
fn moment(statement: &Statement) -> Option<Timestamp> {
    statement.period_end.or(statement.period_start)
}

pub(crate) fn is_same_currency(a: &Statement, b: &Statement) -> bool {
    folded(a.currency.as_deref()) == folded(b.currency.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TrusteeOverview;

    /// Month `month` with one row that was used `used` times at 1 each, and perhaps a minimum.
    fn month(month: u32, currency: &str, used: &str, minimum: Option<&str>) -> Statement {
        let minimum = minimum.map(|m| format!(r#""minimumMonthlyAmount":"{m}","#)).unwrap_or_default();
        let overview: TrusteeOverview = serde_json::from_str(&format!(
            r#"{{"currency":"{currency}","billingPeriodEndDate":"2026-{month:02}-28T23:59:59Z",{minimum}"usages":[
                {{"name":"a","grouping":"device","usageQuantity":"{used}","prepayQuantity":"0","prepayPrice":"0","overagePrice":"1"}},
                {{"name":"b","grouping":"device","usageQuantity":"7","prepayQuantity":"0","prepayPrice":"0","overagePrice":"1",
                  "isThirdParty":true}}]}}"#
        ))
        .unwrap();
        Statement::new(&overview)
    }

    #[test]
    fn the_trend_goes_from_the_earliest_to_the_latest() {
        let trend =
            Trend::new([month(7, "EUR", "5", None), month(6, "EUR", "10", None), month(5, "EUR", "8", None)]);
        let deltas: Vec<_> =
            trend.changes.iter().map(|c| c.difference().unwrap().delta.to_string()).collect();
        assert_eq!(deltas, ["2", "-5"]);
        assert!(trend.third_party_changes.iter().all(|c| c.difference().unwrap().delta.is_zero()));
        assert_eq!(trend.periods[0].period_end.unwrap().date().to_string(), "2026-05-28");
        let [total] = &trend.totals[..] else { panic!("one currency") };
        assert_eq!(
            (total.known, total.third_party, total.charged),
            (Some(23.into()), Some(21.into()), Some(23.into()))
        );
    }

    #[test]
    fn without_dates_the_order_of_the_walk_holds() {
        let undated = |used| Statement { period_end: None, ..month(1, "EUR", used, None) };
        let trend = Trend::new([undated("2"), undated("1"), month(7, "EUR", "9", None)]);
        let deltas: Vec<_> =
            trend.changes.iter().map(|c| c.difference().unwrap().delta.to_string()).collect();
        assert_eq!(deltas, ["-8", "1"]);
        let none = Trend::new([]);
        assert!(none.periods.is_empty() && none.changes.is_empty() && none.totals.is_empty());
    }

    #[test]
    fn currencies_are_never_summed_across() {
        let mut totals = Totals::default();
        for statement in [month(5, "USD", "1", None), month(5, "eur", "2", None), month(6, " EUR", "3", None)]
        {
            totals.add(&statement);
        }
        let totals = totals.by_currency();
        let shown: Vec<_> = totals
            .iter()
            .map(|t| (t.currency.as_deref(), t.statements, t.known.unwrap().to_string()))
            .collect();
        assert_eq!(shown, [(Some("eur"), 2, "5".into()), (Some("USD"), 1, "1".into())]);
    }

    #[test]
    fn b11_the_minimum_stands_in_the_sum_of_what_will_be_charged() {
        let charged = |statements: &[Statement]| {
            let mut totals = Totals::default();
            statements.iter().for_each(|statement| totals.add(statement));
            totals.by_currency()[0].charged.map(|c| c.to_string())
        };
        let (over, under) = (month(5, "EUR", "12", Some("10")), month(6, "EUR", "3", Some("10")));
        assert_eq!(charged(&[over.clone(), under.clone()]).as_deref(), Some("22"));
        assert_eq!(charged(&[over, under, month(7, "EUR", "many", Some("10"))]), None);
        assert_eq!(charged(&[month(7, "EUR", "many", None)]), None);
    }

    #[test]
    fn b10_what_is_unknown_is_said_and_not_summed() {
        let (known, unknown) = (month(5, "EUR", "4", None), month(6, "EUR", "many", None));
        let trend = Trend::new([unknown, known]);
        assert_eq!(trend.changes, [Change::Unknown]);
        let [total] = &trend.totals[..] else { panic!("one currency") };
        assert_eq!((total.known, total.left_out, total.without_total), (Some(4.into()), 1, 1));
        // A total that leaves rows out has a change, which is one of what is known.
        let mut overview: TrusteeOverview = serde_json::from_str(r#"{"currency":"EUR"}"#).unwrap();
        let row = |used: &str| {
            let text = format!(
                r#"{{"grouping":"device","usageQuantity":"{used}","prepayQuantity":"0","prepayPrice":"0","overagePrice":"1"}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        overview.usages = Some(vec![row("5"), row("n/a")]);
        let later =
            Statement { period_end: "2026-08-28T00:00:00Z".parse().ok(), ..Statement::new(&overview) };
        let trend = Trend::new([later, month(7, "EUR", "4", None)]);
        let change = trend.changes[0].difference().unwrap();
        assert!(change.partial && change.delta == 1.into());
        assert_eq!(serde_json::to_value(&trend).unwrap()["changes"][0]["partial"], true);
    }

    #[test]
    fn a_sum_that_does_not_fit_exactly_leaves_a_statement_out() {
        let mut totals = Totals::default();
        totals.add(&month(5, "EUR", "79228162514264337593543950335", None));
        totals.add(&month(6, "EUR", "1", None));
        let total = &totals.by_currency()[0];
        assert_eq!(
            (total.known.unwrap().to_string().as_str(), total.without_total),
            ("79228162514264337593543950335", 1)
        );
        assert_eq!(total.third_party, Some(14.into()));
        assert_eq!(Change::between(Some(Decimal::MAX), Some(Decimal::MIN)), Change::Unknown);
    }
}
