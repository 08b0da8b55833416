//! Tests of the comparison of periods.

use super::*;
use crate::model::NamedEntity;

/// Returns month `month` of 2026 with rows `part|name|grouping|unit|used|committed|overage price`, `-` for a
/// field that is not sent.
fn period(month: u32, rows: &[&str]) -> TrusteeOverview {
    let rows = rows.iter().map(|row| {
        let mut cells = row.split('|').map(|cell| (cell != "-").then(|| cell.to_owned()));
        let mut next = || cells.next().flatten();
        OverviewUsage {
            part_number: next(),
            name: next(),
            grouping: next(),
            unit_of_measure_type: next(),
            usage_quantity: next().as_deref().map(Amount::from),
            prepay_quantity: next().as_deref().map(Amount::from),
            prepay_price: Some("1".into()),
            overage_price: next().as_deref().map(Amount::from),
            ..OverviewUsage::default()
        }
    });
    TrusteeOverview {
        currency: Some("EUR".into()),
        billing_period_start_date: format!("2026-{month:02}-01T00:00:00Z").parse().ok(),
        billing_period_end_date: format!("2026-{month:02}-28T23:59:59Z").parse().ok(),
        usages: Some(rows.collect()),
        ..TrusteeOverview::default()
    }
}

fn compare(periods: &[TrusteeOverview]) -> Comparison {
    Comparison::new(periods).unwrap()
}

fn values(figures: &PeriodFigures) -> Vec<String> {
    figures.values.iter().map(|v| v.map_or("unknown".to_owned(), |v| v.to_string())).collect()
}

/// Returns each change as Δ and %, or the word in place of them.
fn changes(figures: &PeriodFigures) -> Vec<String> {
    let text = |change: &Change| match change {
        Change::Known(Difference { delta, percent: Some(percent), .. }) => format!("{delta} {percent}%"),
        Change::Known(Difference { delta, .. }) => format!("{delta}"),
        other => format!("{other:?}"),
    };
    figures.changes.iter().map(text).collect()
}

#[test]
fn b13_delta_is_later_less_earlier_whatever_the_order_of_the_arguments() {
    let (may, june, july) = (
        period(5, &["P|a|device|unit|8|2|3"]),
        period(6, &["P|a|device|unit|10|2|3"]),
        period(7, &["P|a|device|unit|5|2|3"]),
    );
    for periods in [[&may, &june, &july], [&july, &may, &june], [&june, &july, &may]] {
        let comparison = Comparison::new(periods).unwrap();
        let row = &comparison.rows[0];
        assert_eq!(values(&row.used), ["8", "10", "5"]);
        assert_eq!(changes(&row.used), ["2 25%", "-5 -50%"]);
        assert_eq!(changes(row.overage.as_ref().unwrap()), ["2 33.33333333333333333333333333%", "-5 -62.5%"]);
        assert_eq!(values(row.charge.as_ref().unwrap()), ["20", "26", "11"]);
        assert_eq!(changes(&row.committed), ["0 0%", "0 0%"]);
    }
}

#[test]
fn b13_rows_go_by_part_number_and_name() {
    let comparison = compare(&[
        period(5, &["P|a|device|-|1|0|1", "P|b|device|-|2|0|1", "Q|a|device|-|3|0|1"]),
        period(6, &["Q|a|device|-|30|0|1", " p |A|device|-|10|0|1", "P|b|device|-|20|0|1"]),
    ]);
    let rows: Vec<_> =
        comparison.rows.iter().map(|row| (row.name.as_deref().unwrap(), values(&row.used))).collect();
    let pair = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
    assert_eq!(rows, [("a", pair("3", "30")), ("A", pair("1", "10")), ("b", pair("2", "20"))]);
}

#[test]
fn b13_a_missing_row_is_zero_used_and_has_no_percentage() {
    let comparison =
        compare(&[period(5, &["P|old|device|-|4|0|1"]), period(6, &["P|new|user-license|-|7|0|1"])]);
    let [new, old] = &comparison.rows[..] else { panic!("two rows") };
    assert_eq!((values(&new.used), changes(&new.used)), (vec!["0".into(), "7".into()], vec!["7".into()]));
    assert_eq!(new.present, [false, true]);
    assert_eq!((changes(&old.used), &old.present[..]), (vec!["-4 -100%".into()], &[true, false][..]));
    assert_eq!(changes(old.charge.as_ref().unwrap()), ["-4 -100%"]);
}

#[test]
fn b13_an_unknown_amount_is_unknown_and_not_zero() {
    let comparison = compare(&[
        period(5, &["P|a|device|-|many|0|1", "P|b|device|-|1|0|-"]),
        period(6, &["P|a|device|-|7|0|1", "P|b|device|-|1|0|2"]),
    ]);
    let [a, b] = &comparison.rows[..] else { panic!("two rows") };
    assert_eq!(
        (values(&a.used), changes(&a.used)),
        (vec!["unknown".into(), "7".into()], vec!["Unknown".into()])
    );
    assert_eq!(changes(a.overage.as_ref().unwrap()), ["Unknown"]);
    assert_eq!(
        (changes(&b.used), changes(b.charge.as_ref().unwrap())),
        (vec!["0 0%".into()], vec!["Unknown".into()])
    );
    // If the server sent no list of rows, the use of the row is unknown.
    let mut nothing = period(7, &[]);
    nothing.usages = None;
    let comparison = compare(&[period(6, &["P|a|device|-|7|0|1"]), nothing]);
    assert_eq!(
        (values(&comparison.rows[0].used), &comparison.rows[0].present[..]),
        (vec!["7".into(), "unknown".into()], &[true, false][..])
    );
}

#[test]
fn b13_no_percentage_of_zero() {
    let comparison = compare(&[period(5, &["P|a|device|-|0|0|1"]), period(6, &["P|a|device|-|3|0|1"])]);
    assert_eq!(changes(&comparison.rows[0].used), ["3"]);
}

#[test]
fn currencies_and_units_are_told_and_never_mixed() {
    let (may, mut june) = (period(5, &["P|a|storage|MB|2000|0|1"]), period(6, &["P|a|storage|GB|2|0|1"]));
    june.currency = Some("USD".into());
    let comparison = compare(&[may.clone(), june.clone()]);
    assert!(comparison.mixed_currencies);
    let row = &comparison.rows[0];
    assert_eq!(changes(&row.used), ["Incomparable"]);
    assert_eq!(changes(row.charge.as_ref().unwrap()), ["Incomparable"]);
    assert_eq!(comparison.trend.changes, [Change::Incomparable]);
    assert_eq!(comparison.trend.totals.len(), 2);
    june.currency = Some(" eur".into());
    june.usages.as_mut().unwrap()[0].unit_of_measure_type = None;
    let comparison = compare(&[may, june]);
    assert!(!comparison.mixed_currencies);
    assert_eq!(changes(&comparison.rows[0].used), ["-1998 -99.9%"]);
}

#[test]
fn rows_that_stand_twice_are_one_and_nothing_is_counted_twice() {
    let comparison = compare(&[
        period(
            5,
            &["P|a|device|-|1|0|1", "P|a|resource|-|2|0|1", "P|a|rollup-usage|-|3|0|1", "P|a|rollup|-|5|0|1"],
        ),
        period(6, &["P|a|device|seat|1|0|1", "P|a|resource|GB|2|0|1"]),
    ]);
    let [whole, part] = &comparison.rows[..] else { panic!("two rows: {:?}", comparison.rows) };
    assert_eq!(values(&whole.used), ["8", "unknown"], "seats and gigabytes are no sum");
    assert_eq!(values(whole.charge.as_ref().unwrap()), ["8", "3"]);
    assert_eq!(comparison.trend.periods[0].total.amount, Some(8.into()));
    assert!(part.rollup_part && part.charge.is_none() && part.overage.is_none());
    assert_eq!(values(&part.used), ["3", "0"]);
}

#[test]
fn third_parties_stay_apart() {
    let mut may = period(5, &["P|a|device|-|1|0|1", "P|a|device|-|10|0|1"]);
    may.usages.as_mut().unwrap()[1].is_third_party = Some(true);
    let comparison = compare(&[may, period(6, &["P|a|device|-|2|0|1"])]);
    let rows: Vec<_> = comparison.rows.iter().map(|row| (row.third_party, values(&row.used))).collect();
    assert_eq!(rows, [(false, vec!["1".into(), "2".into()]), (true, vec!["10".into(), "0".into()])]);
    assert_eq!(comparison.trend.third_party_changes[0].difference().unwrap().delta, (-10).into());
}

#[test]
fn what_is_no_comparison_is_refused() {
    let (may, june) = (period(5, &[]), period(6, &[]));
    let refused = |periods: &[TrusteeOverview]| Comparison::new(periods).unwrap_err();
    assert_eq!(refused(&[]), Incomparable::TooFew);
    assert_eq!(refused(std::slice::from_ref(&may)), Incomparable::TooFew);
    assert!(
        refused(&[june.clone(), may.clone(), may.clone()]).to_string().contains("2026-05-01 to 2026-05-28")
    );
    // The same period is recognized in any form of its dates and at any position.
    let mut again = may.clone();
    again.billing_period_end_date = "2026-05-28T23:59:59.999Z".parse().ok();
    assert!(matches!(refused(&[may.clone(), again.clone()]), Incomparable::SamePeriod(_)));
    let mut longer = may.clone();
    longer.billing_period_start_date = "2026-04-20T00:00:00Z".parse().ok();
    again.billing_period_start_date = None;
    for periods in [[&may, &longer, &may], [&longer, &june, &again]] {
        assert!(matches!(Comparison::new(periods).unwrap_err(), Incomparable::SamePeriod(_)));
    }
    let of = |period: &TrusteeOverview, id: &str| {
        let organization = NamedEntity { id: Some(id.into()), ..NamedEntity::default() };
        TrusteeOverview { organization: Some(organization), ..period.clone() }
    };
    let error = refused(&[of(&may, "one"), of(&june, "two")]);
    assert!(error.to_string().contains("\"one\" and \"two\""), "{error}");
    assert!(Comparison::new(&[of(&may, "one"), of(&june, "ONE"), period(7, &[])]).is_ok());
    let mut undated = june.clone();
    (undated.billing_period_start_date, undated.billing_period_end_date) = (None, None);
    assert!(refused(&[may.clone(), undated]).to_string().contains("no dates"));
    // With one of its two dates it can be put in order, as a published overview can.
    let mut half = june;
    half.billing_period_start_date = None;
    assert_eq!(compare(&[half, may]).trend.periods[1].period_start, None);
}

#[test]
fn as_json_amounts_are_texts_and_percentages_have_two_digits() {
    let comparison = compare(&[period(5, &["P|a|device|-|3|0|0.5"]), period(6, &["P|a|device|-|5|0|0.5"])]);
    let json = serde_json::to_value(&comparison).unwrap();
    let row = &json["rows"][0];
    assert_eq!(row["used"]["values"], serde_json::json!(["3", "5"]));
    assert_eq!(row["used"]["changes"][0], serde_json::json!({"delta": "2", "percent": "66.67"}));
    assert_eq!((&row["partNumber"], &row["explainsRollup"]), (&"P".into(), &false.into()));
    assert_eq!(json["periods"][0]["total"]["known"], "1.5");
    assert_eq!(json["changes"][0]["delta"], "1");
    assert_eq!((&json["mixedCurrencies"], &json["notIncluded"]), (&false.into(), &NOT_INCLUDED.into()));
}
