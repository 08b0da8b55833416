//! The fast parsers read the same values as `serde_json` and chrono, tested by proptest. A failure prints the seed and the
//! smallest failing case.

use billing_core::Timestamp;
use billing_core::calls::{
    BillableUsageCall, Call, ContractsCall, PackedBillableUsageCall, TrusteeOverviewCall, TrustorsCall,
};
use billing_core::model::{ContractList, TrusteeOverview, TrustorList, UsageReport};
use billing_core::{DecodeError, Period};
use chrono::{DateTime, Datelike, Utc};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_report_is_what_serde_json_reads(body in report(), edits in edits()) {
        let body = edited(body, &edits);
        let plain = serde_json::from_slice::<UsageReport>(&body);
        let report = read(BillableUsageCall::new(period()), &body);
        let packed = read(PackedBillableUsageCall(BillableUsageCall::new(period())), &body);
        prop_assert_eq!(packed.as_ref().err(), report.as_ref().err());
        if let (Ok(packed), Ok(report)) = (&packed, &report) {
            prop_assert_eq!(packed.status(), report.status.as_ref());
            let usages: Vec<_> = packed.usages().map(|usage| usage.resources().map(|r| r.to_model()).collect::<Vec<_>>()).collect();
            prop_assert_eq!(usages, report.usages().iter().map(|usage| usage.resources().iter().map(|r| r.unpacked()).collect()).collect::<Vec<Vec<_>>>());
        }
        same(report, plain)?;
    }

    #[test]
    fn an_overview_is_what_serde_json_reads(body in overview(), edits in edits()) {
        let body = edited(body, &edits);
        let plain = serde_json::from_slice::<TrusteeOverview>(&body);
        same(read(TrusteeOverviewCall::new("org".parse().unwrap()), &body), plain)?;
    }

    /// Moves, removes, repeats and inserts whole tokens, which changes of single bytes do not.
    #[test]
    fn whatever_happens_to_tokens_it_is_what_serde_json_reads(body in prop::sample::select(BODIES), edits in token_edits()) {
        let body = tokens_edited(body, &edits);
        let call = BillableUsageCall::new(period());
        let report = read(call.clone(), body.as_bytes());
        let packed = read(PackedBillableUsageCall(call), body.as_bytes());
        prop_assert_eq!(packed.err(), report.as_ref().err().cloned());
        same(report, serde_json::from_str(&body))?;
        same(read(TrusteeOverviewCall::new("org".parse().unwrap()), body.as_bytes()), serde_json::from_str(&body))?;
        // A page without its list is valid JSON but is refused.
        let trustors = serde_json::from_str(&body).ok().filter(|page: &TrustorList| page.entities.is_some());
        prop_assert_eq!(read(TrustorsCall::new(), body.as_bytes()).ok(), trustors);
        let contracts = serde_json::from_str(&body).ok().filter(|page: &ContractList| page.entities.is_some());
        prop_assert_eq!(read(ContractsCall::new(), body.as_bytes()).ok(), contracts);
    }

    #[test]
    fn a_timestamp_is_what_chrono_reads(text in date(), edits in edits_of("[0-9TtZz:. +-]{1,2}".boxed())) {
        let text = String::from_utf8(edited(text, &edits)).unwrap();
        prop_assert_eq!(text.parse::<Timestamp>().ok().map(Timestamp::instant), by_chrono(&text), "{}", text);
    }
}

/// Checks that both results are the same value or both are errors, and that our error has a position.
fn same<T: PartialEq + std::fmt::Debug>(
    ours: Result<T, DecodeError>,
    plain: Result<T, serde_json::Error>,
) -> Result<(), TestCaseError> {
    match (ours, plain) {
        (Ok(ours), Ok(plain)) => prop_assert_eq!(ours, plain),
        (Err(ours), Err(_)) => prop_assert!(!ours.location().is_empty()),
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

/// Parses every form that chrono's RFC 3339 parser accepts, and Java's offset without a colon, in four-digit years.
fn by_chrono(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()
        .map(|instant| instant.to_utc())
        .filter(|instant| (0..=9999).contains(&instant.year()))
}

/// One change of a text: the position, the kind and the new text.
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

/// Returns the text with parts inserted, removed and replaced.
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

/// One change of a list of tokens: the position, the kind, another token of the list and a new token.
type TokenEdit = (prop::sample::Index, u8, prop::sample::Index, &'static str);

fn token_edits() -> impl Strategy<Value = Vec<TokenEdit>> {
    let index = any::<prop::sample::Index>;
    prop::collection::vec((index(), 0..5_u8, index(), prop::sample::select(TOKENS)), 1..4)
}

fn tokens_edited(body: &str, edits: &[TokenEdit]) -> String {
    let mut tokens = tokens(body);
    for (at, how, other, new) in edits {
        if tokens.is_empty() {
            break;
        }
        let (at, other) = (at.index(tokens.len()), other.index(tokens.len()));
        match how {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[other]),
            2 => tokens.swap(at, other),
            3 => tokens[at] = new,
            _ => tokens.insert(at, new),
        }
    }
    tokens.concat()
}

/// Splits a text into tokens: strings, punctuation, and the text between two punctuation marks.
fn tokens(mut body: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    while let Some(first) = body.chars().next() {
        let length = match first {
            '"' => {
                let mut escaped = false;
                let end = body[1..].find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                end.map_or(body.len(), |end| end + 2)
            }
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            _ => body.find(['"', '{', '}', '[', ']', ',', ':']).unwrap_or(body.len()),
        };
        let (token, rest) = body.split_at(length);
        tokens.push(token);
        body = rest;
    }
    tokens
}

const BODIES: &[&str] = &[
    r#"{"organization":{"id":"o1"},"currency":"EUR","enabledProducts":["a","b"],"subscriptionType":"PREPAY","rampPeriodEndDate":"2018-08-31T23:59:59+00:00","inRampPeriod":false,"minimumMonthlyAmount":1e5,"usages":[{"name":"x","usageQuantity":12.50,"prepayQuantity":"-0","isThirdParty":true,"isCancellable":null}]}"#,
    r#"{"entities":[{"id":"t1","enabled":true,"dateCreated":"2024-02-29T00:00:00Z","dateStart":"2026-01-01","status":"Active","x":[1e2],"billingPeriods":[{"id":"p","dateStart":"2026-01-01"}],"plans":[{"items":[{"quantity":1.50}]}],"organization":{"id":"o1"}}],"pageSize":25,"pageNumber":-0,"pageCount":2.0,"total": 26,"nextUri":"/api?pageNumber=2"}"#,
    r#"{"status":"Complete","usages":[{"name":"CX","totalUsage":"1.0","resources":[{"name":"a","date":"2025-02-30T00:00:00.000Z"},{"name":"b","date":"2025-07-01T03:19:11.696Z"},{"name":"c","date":"2025-07-01T03:19:60.696Z"},{}]},null],"x":{"a":[1,-0,1e400,01,"\ud83d\ude00","\ud83d"]}}"#,
    r#"{"status":"Complete","usages":[{"name":"CX","totalUsage":-1.0e5,"resources":[{"name":"b","date":"2025-07-01T03:19:11.696Z"},{"name":"c","date":"2025-07-01T03:19:11.696Z","x":null}]}],"x":{"a":[1,-0,"\ud83d\ude00"]},"x":2}"#,
    r#"{"status":"Complete","usages":[{"resources":[{"name":"a","date":"2025-02-30T00:00:00.000Z"},{"name":"b","date":"2025-07-01T03:19:11.696Z"}]}]}"#,
];

const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "{}",
    "[]",
    "null",
    "true",
    "0",
    "-",
    "01",
    "-0",
    "1.",
    "1e400",
    " ",
    "\u{feff}",
    "\\",
    r#""a""#,
    r#""name""#,
    r#""date""#,
    r#""status""#,
    r#""usages""#,
    r#""resources""#,
    r#""totalUsage""#,
    r#""entities""#,
    r#""\ud800""#,
    r#""\u0000""#,
    "\"\u{7f}\"",
    r#""2025-02-30T00:00:00.000Z""#,
    r#""2025-07-01T03:19:11.696Z""#,
    r#"{"name":"a","date":"2025-02-30T00:00:00.000Z"}"#,
    r#"{"name":"a","date":"2025-07-01T03:19:11.696Z"}"#,
];

fn date() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,10})?Z",
        1 => "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{3})?(Z|[+-][0-2][0-9]:[0-5][0-9])",
        1 => "(2000|2024|1900|2100)-02-(28|29)T23:59:(59|60)(\\.999)?Z",
    ]
}

/// Generates timestamps in the form that servers write.
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
