use std::collections::BTreeSet;

use base64::Engine as _;
use billing_core::model::TrusteeOverview;
use billing_core::{Amount, Statement};

use super::*;
use crate::format::document::{
    Cell, Chart, ChartData, Column, Emphasis, Group, Note, Row, Sum, SummedColumn, Value,
};
use crate::organizations::tests::asked;
use crate::views;

#[test]
fn the_policy_allows_the_style_sheet() {
    let page = page("{}");
    let (_, rest) = page.split_once("<style>").unwrap();
    let (style, _) = rest.split_once("</style>").unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, style.as_bytes());
    let hash = base64::engine::general_purpose::STANDARD.encode(hash);
    assert_eq!(STYLE_HASH, format!("sha256-{hash}"), "the style sheet has changed; this is its hash");
    for part in ["default-src 'none'", "base-uri 'none'", "form-action 'none'"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn no_text_of_an_overview_becomes_markup() {
    for attack in ATTACKS {
        let field = serde_json::to_string(attack).unwrap();
        let page = page(&format!(
            r#"{{"organization":{{"id":{field},"name":{field}}},"currency":{field},"subscriptionType":{field},
            "minimumMonthlyAmount":{field},"usages":[
            {{"name":{field},"partNumber":{field},"grouping":{field},"unitOfMeasureType":{field},"usageQuantity":"3",
             "prepayQuantity":"1","prepayPrice":"1","overagePrice":"1","usageNotes":{field}}},
            {{"name":{field},"grouping":{field},"usageQuantity":{field},"prepayPrice":{field}}},
            {{"name":{field},"grouping":"fair-use","usageQuantity":{field}}}]}}"#
        ));
        let benign = self::page(
            r#"{"organization":{"id":"x","name":"x"},"currency":"x","subscriptionType":"x",
            "minimumMonthlyAmount":"x","usages":[
            {"name":"x","partNumber":"x","grouping":"x","unitOfMeasureType":"x","usageQuantity":"3",
             "prepayQuantity":"1","prepayPrice":"1","overagePrice":"1","usageNotes":"x"},
            {"name":"x","grouping":"x","usageQuantity":"x","prepayPrice":"x"},
            {"name":"x","grouping":"fair-use","usageQuantity":"x"}]}"#,
        );
        assert_eq!(tags(&page), tags(&benign), "{attack}");
        assert!(!page.contains(['\u{0}', '\u{202e}']), "{attack}");
        assert!(
            page.contains(&html! { (printable(attack)) }.into_string()),
            "{attack} is on the page as text"
        );
    }
    let escaped = html! { p title=("<a href=\"x\">&'") { ("<a href=\"x\">&'") } }.into_string();
    assert_eq!(
        escaped,
        "<p title=\"&lt;a href=&quot;x&quot;&gt;&amp;'\">&lt;a href=&quot;x&quot;&gt;&amp;'</p>"
    );
}

/// Fills each text of a document, also those that no command takes from the data today.
#[test]
fn no_text_of_a_document_becomes_markup() {
    let benign = render(&document_of("x"));
    for attack in ATTACKS {
        let page = render(&document_of(attack));
        assert_eq!(tags(&page), tags(&benign), "{attack}");
        assert!(!page.contains(['\u{0}', '\u{202e}']), "{attack}");
        assert_hatchings_are_defined(&page);
    }
}

#[test]
fn the_page_loads_and_runs_nothing() {
    let page = page(r#"{"usages":[{"name":"a","usageQuantity":"1"}]}"#);
    for word in
        ["<script", "<img", "<link", "<iframe", "http:", "https:", "url(h", "@import", " style=", " on"]
    {
        let markup = tags(&page).join("\n");
        assert!(!markup.contains(word), "{word}");
    }
}

#[test]
fn figures_and_the_rows_they_leave_out_are_on_the_page() {
    let page = page(
        r#"{"organization":{"name":"Org"},"currency":"USD","minimumMonthlyAmount":"2000000","usages":[
        {"name":"CX 2","partNumber":"GC-2","grouping":"user-license","unitOfMeasureType":"seat",
         "usageQuantity":"13000","prepayQuantity":"10000","prepayPrice":"75.00","overagePrice":"85.50"},
        {"name":"Lost","grouping":"device","usageQuantity":"n/a","prepayQuantity":"1"}]}"#,
    );
    for said in [
        "1,006,500.00 <small>USD</small>",
        "Total excludes 1 row with unknown charges",
        "<strong>Lost</strong>: usageQuantity is &quot;n/a&quot;",
        "Tax and telco usage are not included.",
        "it is unknown whether the total reaches the minimum",
        "<th scope=\"col\" class=\"number\">Charge</th>",
        "<th scope=\"row\" class=\"words plain\">CX 2<span class=\"aside\">GC-2 · seat</span></th>",
        "<span class=\"unseen\">over: </span>▲\u{a0}3,000",
        "13,000 of 10,000 · ▲ 130 %",
        "role=\"img\" aria-labelledby=\"c0-0-0-t c0-0-0-d\"",
        "for 1 row; 1 is above 100 %.",
    ] {
        assert!(page.contains(said), "{said}\n{page}");
    }
}

#[test]
fn charts_take_any_value() {
    let money = |text: &str| Value::Money(text.parse().unwrap(), 2);
    let huge = money("79228162514264337593543950335");
    for periods in [false, true] {
        for values in [
            vec![money("-5"), money("10.00"), Value::Unknown, money("0")],
            vec![huge.clone(), money("-79228162514264337593543950335")],
            vec![huge.clone(); 100],
            vec![money("0.0000000000000000000000000001")],
            vec![money("-3")],
        ] {
            let page = page_with_chart(&values, periods);
            assert!(page.contains("<svg role=\"img\""), "{values:?}");
            for rest in page.split(['"', ' ']).filter(|part| part.ends_with('%') && part.len() > 1) {
                let percent: rust_decimal::Decimal = rest.trim_end_matches('%').parse().unwrap();
                assert!(percent >= 0.into() && percent <= 100.into(), "{rest} in {values:?}");
            }
        }
        for nothing in [vec![], vec![Value::Unknown], vec![money("0.00"), Value::Empty]] {
            assert!(!page_with_chart(&nothing, periods).contains("<svg"), "{nothing:?}");
        }
    }
    assert!(page_with_chart(&[], false).contains("No rows."));
    assert!(page_with_chart(&vec![huge; 100], false).contains("and 40 more, in the table"));
}

fn page(json: &str) -> String {
    let overview: TrusteeOverview = serde_json::from_str(json).unwrap();
    render(&views::overview(&asked(), &overview, &Statement::new(&overview)))
}

/// Returns the tags of a page, without the texts between them.
fn tags(page: &str) -> Vec<&str> {
    page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()).collect()
}

/// Each hatching that fills a shape is defined once, and no other is defined.
fn assert_hatchings_are_defined(page: &str) {
    let ids = |before: &str| {
        let parts = page.split(before).skip(1);
        parts.map(|rest| rest.split(['"', ')']).next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let defined = ids("<pattern id=\"");
    let used: BTreeSet<_> = ids("fill=\"url(#").into_iter().collect();
    assert_eq!(defined.iter().cloned().collect::<BTreeSet<_>>(), used);
    assert_eq!(defined.len(), used.len(), "{defined:?}");
}

/// Returns a page with a chart of these values: by period, or by row.
fn page_with_chart(values: &[Value], periods: bool) -> String {
    let rows = values
        .iter()
        .enumerate()
        .map(|(n, value)| Row::new(vec![Cell::text(format!("row {n}")), Cell::new(value.clone())]));
    let (value, unit) = ("value", Some("USD".to_owned()));
    let shows = if periods {
        ChartData::Periods { value, over: value, unit }
    } else {
        ChartData::Values { value, unit, tone: Emphasis::Overage }
    };
    let sheet = Sheet {
        groups: vec![Group { heading: None, rows: rows.collect() }],
        charts: vec![Chart { title: "Chart", label: "name", shows }],
        ..Sheet::new("Sheet", vec![Column::text("name", "Name"), Column::money("value", "Value")])
    };
    render(&Document { title: "Title".into(), facts: Vec::new(), sheets: vec![sheet] })
}

/// Returns a document with this text in every place that takes one.
fn document_of(text: &'static str) -> Document {
    Document {
        title: text.to_owned(),
        facts: vec![Fact::new(text, text)],
        sheets: vec![sheet_of(text), Sheet { collapsed: true, ..sheet_of(text) }],
    }
}

fn sheet_of(text: &'static str) -> Sheet {
    let quantity = |text: &str| Cell::quantity(Some(&Amount::from(text)));
    let adds = || Some(SummedColumn { column: "used", filter: None });
    let row = |(used, committed)| {
        Row::new(vec![
            Cell::text(text),
            Cell::text(text).tone(Emphasis::Overage),
            Cell::text(text),
            used,
            quantity(committed),
            quantity("0"),
        ])
    };
    let sum = Sum {
        currency: Some(text.to_owned()),
        remark: Some(text.to_owned()),
        excluded: vec![(text.to_owned(), text.to_owned())],
        sum_of: adds(),
        ..Sum::new(text, Value::Count(1))
    };
    let (value, unit) = ("used", Some(text.to_owned()));
    let charts = [
        ChartData::UsageVsAgreed {
            used: "used",
            committed: "committed",
            included: "included",
            about: ["unit", "part"],
        },
        ChartData::Values { value, unit: unit.clone(), tone: Emphasis::Overage },
        ChartData::Periods { value, over: "committed", unit },
    ];
    Sheet {
        facts: vec![Fact::new(text, text)],
        groups: vec![Group {
            heading: Some(text.to_owned()),
            rows: [
                (quantity("3"), "1"),
                (quantity("1"), "3"),
                (quantity("7"), "0"),
                (quantity(text), "1"),
                (Cell::text(text), "1"),
            ]
            .map(row)
            .into(),
        }],
        sums: vec![
            sum,
            Sum { tone: Emphasis::Overage, sum_of: adds(), ..Sum::new(text, Value::Text(text.to_owned())) },
        ],
        notes: vec![Note::new(Emphasis::Warning, text)],
        charts: charts.map(|shows| Chart { title: text, label: "name", shows }).into(),
        ..Sheet::new(
            text,
            vec![
                Column::text("name", text),
                Column::text("unit", text),
                Column::text("part", text).aside(),
                Column::number("used", text),
                Column::number("committed", text),
                Column::number("included", text),
            ],
        )
    }
}

const ATTACKS: [&str; 5] = [
    "</script><img src=x onerror=alert(1)>",
    "\"><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "</style><svg onload=alert(1)>",
    "</title><b>&amp;\u{202e}\u{0}",
];
