//! The small parsers: amounts, timestamps, addresses.

use std::net::IpAddr;

use billing_core::calls::ContractsCall;
use billing_core::{Amount, BaseUrl, ErrorKind, Machine, Pages, Policy, Step, Timestamp};
use chrono::{DateTime, TimeDelta, Utc};
use http::Response;

/// A text is kept as it is; where it has a decimal, that is its exact value.
pub fn amount(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let amount = Amount::from(text);
    assert_eq!(amount.text(), text);
    if let Some(decimal) = amount.decimal() {
        let trimmed = text.trim();
        if !trimmed.contains(['e', 'E']) {
            assert_eq!(digits(&decimal.to_string()), digits(trimmed), "{text:?}");
        }
        assert_eq!(Amount::from(decimal).decimal(), Some(decimal));
    }
    // As JSON, in both forms.
    let json = serde_json::to_string(&amount).expect("a text can be written");
    assert_eq!(serde_json::from_str::<Amount>(&json).expect("and read"), amount);
    if let Ok(read) = serde_json::from_str::<Amount>(text) {
        let written = serde_json::to_string(&read).expect("what was read can be written");
        assert_eq!(serde_json::from_str::<Amount>(&written).expect("and read again"), read);
    }
}

/// A timestamp that was read is written so that it is read as the same.
pub fn timestamp(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for read in [text.parse::<Timestamp>(), Timestamp::from_user(text)].into_iter().flatten() {
        assert_eq!(read.to_string().parse::<Timestamp>(), Ok(read), "{text:?}");
    }
    if let Err(error) = Timestamp::from_user(text) {
        assert!(error.to_string().contains("2026-10-01"), "the way out is named");
    }
}

/// An address that is taken has TLS or stays on the machine, and is written so that it is read as the same. And where a list is
/// said to go on, it goes on there only if that is the host of the API.
pub fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(url) = text.parse::<BaseUrl>() {
        let shown = url.to_string();
        let (scheme, rest) = shown.split_once("://").expect("a whole address");
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority
            .rsplit_once(':')
            .filter(|(_, port)| !port.contains(']'))
            .map_or(authority, |(host, _)| host);
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        let local =
            host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback());
        assert!(scheme.eq_ignore_ascii_case("https") || local, "{shown}");
        assert!(!shown.contains(['?', '#']) && !authority.contains('@'), "{shown}");
        assert_eq!(shown.parse::<BaseUrl>().expect("what was shown can be read"), url);
    }
    for (host, prefix) in [("https://api.mypurecloud.com", ""), ("https://gateway.example.com", "/genesys")] {
        leads(text, host, prefix);
    }
}

/// A list whose first page has `text` as its `nextUri`.
fn leads(text: &str, host: &str, prefix: &str) {
    let now: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let api: BaseUrl = format!("{host}{prefix}").parse().expect("a valid address");
    let page = serde_json::json!({ "entities": [], "nextUri": text }).to_string();
    let first = match Pages::new(ContractsCall::new(), api, Policy::default()).step(now) {
        Step::Send(_, sent) => sent.receive(Ok(Response::new(page.into())), now),
        other => panic!("a request, not {other:?}"),
    };
    match first {
        Step::Done(Ok(turn)) => {
            let Some(rest) = turn.rest else { return assert_eq!(text, "", "nowhere") };
            match rest.step(now) {
                Step::Send(request, _) => {
                    let uri = request.http().uri().to_string();
                    let path = uri.strip_prefix(host).expect("no other host");
                    assert!(path.starts_with('/'), "{uri}");
                }
                Step::Done(Err(error)) => {
                    assert!(matches!(error.kind(), ErrorKind::InvalidRequest(_)), "{error}")
                }
                other => panic!("a request, not {other:?}"),
            }
        }
        Step::Done(Err(error)) => {
            assert!(matches!(error.kind(), ErrorKind::BadLink(_)), "{error}");
            assert!(!error.to_string().contains(char::is_control), "{error}");
        }
        other => panic!("a page or an error, not {other:?}"),
    }
}

/// Sign and digits of a plain number, without the zeros that change nothing.
fn digits(text: &str) -> (bool, String, String) {
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let whole = whole.trim_start_matches('0').to_owned();
    let fraction = fraction.trim_end_matches('0').to_owned();
    (negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction)
}
