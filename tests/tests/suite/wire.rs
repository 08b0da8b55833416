//! The exact requests that arrive at the server: method, URI, headers and body of login, report and overview. Both drivers
//! send the same, except for the headers that HTTP itself adds.

use billing_core::sandbox::{ORG_ID, Sandbox};
use billing_core::{Period, PeriodIndex};
use billing_tests::FakeServer;
use chrono::Utc;

/// Returns a request as text, without the host's port, which differs in each run, and the headers of HTTP/1.1 itself.
fn text(request: &wiremock::Request) -> String {
    let mut headers: Vec<_> = request
        .headers
        .iter()
        .filter(|(name, _)| !["host", "connection", "content-length"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let target = &request.url.as_str()[url_path_start(request)..];
    format!("{} {target}\n{}\n{}", request.method, headers.concat(), String::from_utf8_lossy(&request.body))
}

fn url_path_start(request: &wiremock::Request) -> usize {
    let url = request.url.as_str();
    url.find("://").map_or(0, |scheme| scheme + 3 + url[scheme + 3..].find('/').unwrap())
}

fn expected(token: &str) -> [String; 3] {
    let agent = concat!("user-agent: billing-core/", env!("CARGO_PKG_VERSION"), "\n");
    [
        format!(
            "POST /gateway/login/oauth/token\naccept-encoding: gzip\naccept: application/json\n\
             authorization: Basic c2FuZGJveC1jbGllbnQ6b3Blbi1zZXNhbWUtNGYxZA==\n\
             content-type: application/x-www-form-urlencoded\n{agent}\ngrant_type=client_credentials"
        ),
        format!(
            "GET /gateway/api/v2/billing/reports/billableusage\
             ?startDate=2026-10-01T00%3A00%3A00.000Z&endDate=2026-11-01T00%3A00%3A00.000Z\n\
             accept-encoding: gzip\naccept: application/json\nauthorization: {token}\n{agent}\n"
        ),
        format!(
            "GET /gateway/api/v2/billing/trusteebillingoverview/{ORG_ID}?billingPeriodIndex=3\n\
             accept-encoding: gzip\naccept: application/json\nauthorization: {token}\n{agent}\n"
        ),
    ]
}

fn check(server: &FakeServer) {
    let received = server.received();
    let token = received[1].headers["authorization"].to_str().unwrap();
    assert!(token.starts_with("Bearer ") && token.len() > 20);
    assert_eq!(received.iter().map(text).collect::<Vec<_>>(), expected(token));
    let lengths: Vec<_> = received.iter().map(|r| r.headers.get("content-length").cloned()).collect();
    assert_eq!(lengths[0].as_ref().unwrap(), "29");
    assert!(lengths[1..].iter().all(Option::is_none), "a GET has no body: {lengths:?}");
}

fn environment(server: &FakeServer) -> billing_core::Environment {
    let api = format!("{}/gateway", server.url());
    let login = format!("{}/gateway/login/", server.url());
    billing_core::Environment::new(api.parse().unwrap(), login.parse().unwrap())
}

#[test]
fn of_ureq() {
    let server = FakeServer::start(Sandbox::new(7).pending_answers(0), Utc::now);
    let credentials = server.sandbox().credentials();
    let client = billing_ureq::Client::builder(environment(&server), credentials).no_proxy().build().unwrap();
    client.usage_report(Period::from_user("2026-10-01", "2026-11-01").unwrap()).unwrap();
    client.trustee_overview(ORG_ID.parse().unwrap(), Some(PeriodIndex::new(3))).unwrap();
    check(&server);
}

#[test]
fn of_hyper() {
    let server = FakeServer::start(Sandbox::new(7).pending_answers(0), Utc::now);
    let credentials = server.sandbox().credentials();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let client =
            billing_hyper::Client::builder(environment(&server), credentials).no_proxy().build().unwrap();
        client.usage_report(Period::from_user("2026-10-01", "2026-11-01").unwrap()).await.unwrap();
        client.trustee_overview(ORG_ID.parse().unwrap(), Some(PeriodIndex::new(3))).await.unwrap();
    });
    check(&server);
}
