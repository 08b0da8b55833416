//! What is read the fast way is what `serde_json` and chrono read, by proptest. A failure prints the seed and the smallest
//! case that it found.

use billing_core::Timestamp;
use billing_core::calls::{BillableUsage, Call, PackedBillableUsage, TrusteeOverviewCall};
use billing_core::model::{TrusteeOverview, UsageReport};
use billing_core::{DecodeError, Period};
use chrono::{DateTime, Datelike, Utc};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_report_is_what_serde_json_reads(body in report(), edits in edits()) {
        let body = edited(body, &edits);
        let plain = serde_json::from_slice::<UsageReport>(&body);
        let report = read(BillableUsage::new(period()), &body);
        let packed = read(PackedBillableUsage(BillableUsage::new(period())), &body);
        prop_assert_eq!(packed.as_ref().err(), report.as_ref().err());
        if let (Ok(packed), Ok(report)) = (&packed, &report) {
            prop_assert_eq!(packed.status(), report.status.as_ref());
            let usages: Vec<_> = packed.usages().map(|usage| usage.resources().map(|r| r.unpacked()).collect::<Vec<_>>()).collect();
            prop_assert_eq!(usages, report.usages().iter().map(|usage| usage.resources().to_vec()).collect::<Vec<_>>());
        }
        same(report, plain)?;
    }

    #[test]
    fn an_overview_is_what_serde_json_reads(body in overview(), edits in edits()) {
        let body = edited(body, &edits);
        let plain = serde_json::from_slice::<TrusteeOverview>(&body);
        same(read(TrusteeOverviewCall::new("org".parse().unwrap()), &body), plain)?;
    }

    #[test]
    fn a_timestamp_is_what_chrono_reads(text in date(), edits in edits_of("[0-9TtZz:. +-]{1,2}".boxed())) {
        let text = String::from_utf8(edited(text, &edits)).unwrap();
        prop_assert_eq!(text.parse::<Timestamp>().ok().map(Timestamp::instant), by_chrono(&text), "{}", text);
    }
}

/// Both the same value, or both an error; and one of ours says where.
fn same<T: PartialEq + std::fmt::Debug>(
    ours: Result<T, DecodeError>,
    plain: Result<T, serde_json::Error>,
) -> Result<(), TestCaseError> {
    match (ours, plain) {
        (Ok(ours), Ok(plain)) => prop_assert_eq!(ours, plain),
        (Err(ours), Err(_)) => prop_assert!(!ours.place().is_empty()),
        (ours, plain) => prop_assert!(false, "{:?} and {:?}", ours, plain),
    }
    Ok(())
}

fn read<C: Call>(call: C, body: &[u8]) -> Result<C::Output, DecodeError> {
    call.parse(&http::Response::new(body.to_vec().into()))
}

fn period() -> Period {
    Period::from_user("2026-10-01", "2026-11-01").unwrap()
}

/// Whatever the general parser of RFC 3339 takes, and Java's offset without a colon, in years of four digits.
fn by_chrono(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()
        .map(|instant| instant.to_utc())
        .filter(|instant| (0..=9999).contains(&instant.year()))
}

/// One change of a text: where, how, and with what.
type Edit = (prop::sample::Index, u8, String);

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let part = prop_oneof![
        "[\"\\\\{}\\[\\],: \\n\\t/0-9a-fZT.+-]{1,3}",
        Just("null".to_owned()),
        Just("\"name\":\"x\",".to_owned()),
        Just(",\"new\":[1e5, {\"a\":\"]\"}]".to_owned()),
        Just("\\u00e9".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    edits_of(part.boxed())
}

fn edits_of(part: BoxedStrategy<String>) -> impl Strategy<Value = Vec<Edit>> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, part), 0..4)
}

/// The text with parts put in, taken out and put in the place of others.
fn edited(text: String, edits: &[Edit]) -> Vec<u8> {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, how, part) in edits {
        let at = at.index(chars.len() + 1);
        let end = match how {
            0 => at,
            1 => at + 1,
            _ => at + part.chars().count(),
        };
        let part = if *how == 1 { "" } else { part };
        chars.splice(at..end.min(chars.len()), part.chars());
    }
    String::from_iter(chars).into_bytes()
}

fn date() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,10})?Z",
        1 => "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{3})?(Z|[+-][0-2][0-9]:[0-5][0-9])",
        1 => "(2000|2024|1900|2100)-02-(28|29)T23:59:(59|60)(\\.999)?Z",
    ]
}

/// As a server writes them, mostly.
fn good_date() -> impl Strategy<Value = String> {
    "20[0-9]{2}-(0[1-9]|1[0-2])-[012][1-8]T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{3})?Z"
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[ -~]{0,40}", 1 => any::<String>()]
        .prop_map(|text| serde_json::to_string(&text).unwrap())
}

fn report() -> impl Strategy<Value = String> {
    let resource = prop_oneof![
        6 => (text(), good_date()).prop_map(|(name, date)| format!(r#"{{"name":{name},"date":"{date}"}}"#)),
        1 => (text(), good_date()).prop_map(|(name, date)| format!(r#"{{ "date":"{date}", "name" : {name} }}"#)),
        1 => (text(), date()).prop_map(|(name, date)| format!(r#"{{"name":{name},"date":"{date}"}}"#)),
        1 => text().prop_map(|name| format!(r#"{{"name":{name},"date":null,"new":{name}}}"#)),
        1 => Just("{}".to_owned()),
    ];
    let resources = prop::collection::vec(resource, 0..6).prop_map(|all| all.join(","));
    let usage =
        (text(), 0..1000, resources, any::<bool>()).prop_map(|(name, total, resources, first)| match first {
            true => format!(r#"{{"name":{name},"totalUsage":"{total}.000000","resources":[{resources}]}}"#),
            false => format!(r#"{{"resources":[{resources}],"totalUsage":{total},"name":{name}}}"#),
        });
    prop::collection::vec(usage, 0..3).prop_map(|all| {
        let usages = all.join(",");
        format!(r#"{{"id":"a","startDate":"2026-10-03T07:00:00.000Z","status":"Complete","usages":[{usages}],"selfUri":"/x"}}"#)
    })
}

fn overview() -> impl Strategy<Value = String> {
    let row = (text(), text(), any::<i32>()).prop_map(|(name, part, amount)| {
        format!(
            r#"{{"name":{name},"partNumber":{part},"usageQuantity":"{amount}.50","overagePrice":{amount}.0,"isCancellable":false,
                "usageNotes":null,"isThirdParty":true}}"#
        )
    });
    (prop::collection::vec(row, 0..3), text(), good_date()).prop_map(|(rows, name, date)| {
        let rows = rows.join(",");
        format!(
            r#"{{"organization":{{"id":"o","name":{name}}},"currency":"USD","enabledProducts":[{name},"b"],
                "subscriptionType":"PREPAY","contractEndDate":"{date}","usages":[{rows}],"inRampPeriod":true}}"#
        )
    })
}
