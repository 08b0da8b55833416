//! Tests of the trend and of the totals by currency.

use super::*;
use crate::PeriodIndex;

/// Returns month `month` with one row that was used `used` times at a price of 1, and an optional minimum.
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
    let deltas: Vec<_> = trend.changes.iter().map(|c| c.difference().unwrap().delta.to_string()).collect();
    assert_eq!(deltas, ["2", "-5"]);
    assert!(trend.third_party_changes.iter().all(|c| c.difference().unwrap().delta.is_zero()));
    assert_eq!(trend.periods[0].period_end.unwrap().date().to_string(), "2026-05-28");
    let [total] = &trend.totals[..] else { panic!("one currency") };
    assert_eq!(
        (total.amount, total.third_party, total.payable),
        (Some(23.into()), Some(21.into()), Some(23.into()))
    );
}

#[test]
fn without_dates_the_order_of_the_walk_holds() {
    let undated = |used| Statement { period_end: None, ..month(1, "EUR", used, None) };
    let trend = Trend::new([undated("2"), undated("1"), month(7, "EUR", "9", None)]);
    let deltas: Vec<_> = trend.changes.iter().map(|c| c.difference().unwrap().delta.to_string()).collect();
    assert_eq!(deltas, ["-8", "1"]);
    let none = Trend::new([]);
    assert!(none.periods.is_empty() && none.changes.is_empty() && none.totals.is_empty());
}

#[test]
fn currencies_are_never_summed_across() {
    let mut totals = CurrencyTotals::default();
    for statement in [month(5, "USD", "1", None), month(5, "eur", "2", None), month(6, " EUR", "3", None)] {
        totals.add(&statement);
    }
    let totals = totals.by_currency();
    let shown: Vec<_> =
        totals.iter().map(|t| (t.currency.as_deref(), t.statements, t.amount.unwrap().to_string())).collect();
    assert_eq!(shown, [(Some("eur"), 2, "5".into()), (Some("USD"), 1, "1".into())]);
}

#[test]
fn b11_the_minimum_stands_in_the_sum_of_what_will_be_charged() {
    let payable = |statements: &[Statement]| {
        let mut totals = CurrencyTotals::default();
        statements.iter().for_each(|statement| totals.add(statement));
        totals.by_currency()[0].payable.map(|c| c.to_string())
    };
    let (over, under) = (month(5, "EUR", "12", Some("10")), month(6, "EUR", "3", Some("10")));
    assert_eq!(payable(&[over.clone(), under.clone()]).as_deref(), Some("22"));
    assert_eq!(payable(&[over, under, month(7, "EUR", "many", Some("10"))]), None);
    assert_eq!(payable(&[month(7, "EUR", "many", None)]), None);
}

#[test]
fn b10_what_is_unknown_is_said_and_not_summed() {
    let (known, unknown) = (month(5, "EUR", "4", None), month(6, "EUR", "many", None));
    let trend = Trend::new([unknown, known]);
    assert_eq!(trend.changes, [Change::Unknown]);
    let [total] = &trend.totals[..] else { panic!("one currency") };
    assert_eq!((total.amount, total.excluded, total.excluded_statements), (Some(4.into()), 1, 1));
    // The change of a total that excludes rows is the change of the known charges.
    let mut overview: TrusteeOverview = serde_json::from_str(r#"{"currency":"EUR"}"#).unwrap();
    let row = |used: &str| {
        let text = format!(
            r#"{{"grouping":"device","usageQuantity":"{used}","prepayQuantity":"0","prepayPrice":"0","overagePrice":"1"}}"#
        );
        serde_json::from_str(&text).unwrap()
    };
    overview.usages = Some(vec![row("5"), row("n/a")]);
    let later = Statement { period_end: "2026-08-28T00:00:00Z".parse().ok(), ..Statement::new(&overview) };
    let trend = Trend::new([later, month(7, "EUR", "4", None)]);
    let change = trend.changes[0].difference().unwrap();
    assert!(change.partial && change.delta == 1.into());
    assert_eq!(serde_json::to_value(&trend).unwrap()["changes"][0]["partial"], true);
}

#[test]
fn a_sum_that_does_not_fit_exactly_leaves_a_statement_out() {
    let mut totals = CurrencyTotals::default();
    totals.add(&month(5, "EUR", "79228162514264337593543950335", None));
    totals.add(&month(6, "EUR", "1", None));
    let total = &totals.by_currency()[0];
    assert_eq!(
        (total.amount.unwrap().to_string().as_str(), total.excluded_statements),
        ("79228162514264337593543950335", 1)
    );
    assert_eq!(total.third_party, Some(14.into()));
    assert_eq!(Change::between(Some(Decimal::MAX), Some(Decimal::MIN)), Change::Unknown);
}

#[test]
fn b13_a_change_across_an_unreadable_period_is_unknown() {
    let at = PeriodIndex::new;
    let found = || {
        [
            (at(0), month(7, "EUR", "5", None)),
            (at(2), month(5, "EUR", "8", None)),
            (at(3), month(4, "EUR", "9", None)),
        ]
    };
    let deltas = |trend: &Trend| -> Vec<Option<String>> {
        trend.changes.iter().map(|change| Some(change.difference()?.delta.to_string())).collect()
    };
    let [change, since] = ["-1", "-3"].map(|delta| Some(delta.to_owned()));
    assert_eq!(deltas(&Trend::with_gaps(found(), &[at(1)])), [change.clone(), None]);
    let trend = Trend::with_gaps(found(), &[at(1)]);
    assert_eq!(trend.third_party_changes[1], Change::Unknown);
    assert_eq!((trend.periods.len(), trend.totals[0].amount), (3, Some(22.into())));
    // A gap before the earliest period, or without an index, is between no two periods.
    assert_eq!(deltas(&Trend::with_gaps(found(), &[at(4)])), [change, since.clone()]);
    // The server began a new period during the walk: the dates decide the order, and the gap is still one.
    let moved = [(at(0), month(5, "EUR", "8", None)), (at(2), month(7, "EUR", "5", None))];
    assert_eq!(deltas(&Trend::with_gaps(moved.clone(), &[at(1)])), [None]);
    assert_eq!(deltas(&Trend::with_gaps(moved, &[])), [since]);
}
