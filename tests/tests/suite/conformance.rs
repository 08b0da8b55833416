//! Conformance: one table of scenarios, with at least one for each row of the decision table. All three transports must
//! give the same outcome and send the same requests at the same (virtual) times.

use std::sync::Arc;
use std::time::Duration;

use billing_core::calls::{BillableUsageCall, TrusteeOverviewCall};
use billing_core::sandbox::{Fault, FaultTarget, LogEntry, ORG_ID, RetryAfter, Sandbox};
use billing_core::session::Pacing;
use billing_core::{
    BaseUrl, Credentials, Environment, Error, ErrorKind, Exchange, Period, Policy, Poll, TransportErrorKind,
};
use billing_tests::{FakeServer, Transport, VirtualTime};
use chrono::{DateTime, Utc};

use Fault::*;

/// The rows of the decision table, copied literally.
const ROWS: [&str; 24] = [
    "200, `Complete`",
    "200, `InProgress`; 202",
    "200, another status",
    "200, no status, not JSON, truncated",
    "other 2xx",
    "3xx",
    "401, token since replaced",
    "401, current token",
    "401, token given by the caller",
    "403, 404, other 4xx",
    "408, 425, 500, 502, 503, 504",
    "501, 505",
    "429",
    "429 without headers",
    "connection, DNS, reset, timeout",
    "TLS, bad address or header",
    "body over the bound",
    "login: `invalid_client` and its like",
    "login: 429, 5xx, transport",
    "the next wake would be past the deadline",
    "a hint beyond 120 s or beyond the deadline",
    // Scenarios for the text around the table.
    "a report that goes back",
    "gzip",
    "quota",
];

struct Scenario {
    row: &'static str,
    call: Which,
    sandbox: fn(Sandbox) -> Sandbox,
    faults: Vec<(FaultTarget, Fault)>,
    token: Option<&'static str>,
    policy: Policy,
    /// The expected outcome: `ok`, or the beginning of the error kind's name.
    outcome: &'static str,
    /// The requests that the server must log: `login`, `report` or `overview`, each with its outcome.
    seen: Vec<&'static str>,
    /// The bounds of the waits between these requests, in milliseconds. If empty, the waits are not checked.
    waits: Vec<(i64, i64)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Which {
    Report,
    Overview,
}

fn report(row: &'static str) -> Scenario {
    Scenario {
        row,
        call: Which::Report,
        sandbox: |sandbox| sandbox.pending_answers(0),
        faults: Vec::new(),
        token: None,
        policy: Policy::default(),
        outcome: "ok",
        seen: Vec::new(),
        waits: Vec::new(),
    }
}

fn overview(row: &'static str) -> Scenario {
    Scenario { call: Which::Overview, ..report(row) }
}

impl Scenario {
    fn sandbox(self, sandbox: fn(Sandbox) -> Sandbox) -> Self {
        Self { sandbox, ..self }
    }

    /// Injects these faults in order, all of them into the operation itself.
    fn faults(self, faults: impl IntoIterator<Item = Fault>) -> Self {
        let target =
            if self.call == Which::Report { FaultTarget::UsageReport } else { FaultTarget::Overview };
        Self { faults: faults.into_iter().map(|fault| (target, fault)).collect(), ..self }
    }

    fn login_faults(self, faults: impl IntoIterator<Item = Fault>) -> Self {
        Self { faults: faults.into_iter().map(|fault| (FaultTarget::Login, fault)).collect(), ..self }
    }

    fn token(self, token: &'static str) -> Self {
        Self { token: Some(token), ..self }
    }

    fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    fn gives(self, outcome: &'static str, seen: impl IntoIterator<Item = &'static str>) -> Self {
        Self { outcome, seen: seen.into_iter().collect(), ..self }
    }

    fn waits(self, waits: impl IntoIterator<Item = (i64, i64)>) -> Self {
        Self { waits: waits.into_iter().collect(), ..self }
    }

    fn describe(&self) -> String {
        format!("{} — {:?} {:?}", self.row, self.call, self.faults)
    }
}

fn scenarios() -> Vec<Scenario> {
    let overall = |seconds| Policy { timeout: Duration::from_secs(seconds), ..Policy::default() };
    let small = Policy { max_body: 50_000, ..Policy::default() };
    let impatient = Policy { attempt_timeout: Some(Duration::from_millis(300)), ..Policy::default() };
    // The minimum of rule D4, 2 s, plus 10 % jitter. Without quota headers, requests are spaced by 200 ms.
    let poll = (2000, 2300);
    let at_once = (0, 200);
    let mut all = vec![
        report("200, `Complete`").gives("ok", ["login 200", "report 200"]),
        overview("200, `Complete`").gives("ok", ["login 200", "overview 200"]),
        report("200, `InProgress`; 202")
            .sandbox(|sandbox| sandbox.pending_answers(3))
            .gives("ok", ["login 200", "report 200", "report 200", "report 200", "report 200"])
            .waits([at_once, poll, (2000, 3000), (2000, 4000)]),
        report("200, `InProgress`; 202")
            .faults([
                ReportStatusRetryAfter("InProgress".into(), RetryAfter::Seconds(40)),
                Accepted(None),
                Accepted(Some(RetryAfter::Date { in_seconds: 30, clock_skew: -86_400 })),
            ])
            .gives("ok", ["login 200", "report 200", "report 202", "report 202", "report 200"])
            .waits([at_once, (40_000, 40_000), (8500, 10_500), (30_000, 30_000)]),
        report("200, `InProgress`; 202")
            .faults([ReportStatusRetryAfter("InProgress".into(), RetryAfter::Seconds(0))])
            .gives("ok", ["login 200", "report 200", "report 200"])
            .waits([at_once, poll]),
        overview("other 2xx")
            .faults([Accepted(None)])
            .gives("UnexpectedStatus", ["login 200", "overview 202"]),
        report("200, another status")
            .faults([ReportStatus("Paused".into()), ReportStatus("Paused".into())])
            .gives("ok", ["login 200", "report 200", "report 200", "report 200"]),
        report("200, another status")
            .faults(["Paused", "Odd", "Broken"].map(|raw| ReportStatus(raw.into())))
            .gives("UnknownStatus(\"Broken\")", ["login 200", "report 200", "report 200", "report 200"]),
        report("other 2xx")
            .faults([OtherSuccess(204)])
            .gives("UnexpectedStatus", ["login 200", "report 204"]),
        report("other 2xx")
            .faults([OtherSuccess(206)])
            .gives("UnexpectedStatus", ["login 200", "report 206"]),
        report("3xx")
            .faults([Redirect("https://evil.invalid/".into())])
            .gives("UnexpectedStatus", ["login 200", "report 302"]),
        report("401, current token")
            .faults([ExpireToken])
            .gives("ok", ["login 200", "report 401", "login 200", "report 200"])
            .waits([at_once, at_once, at_once]),
        overview("401, current token")
            .faults([Status(401), Status(401)])
            .gives("Unauthorized", ["login 200", "overview 401", "login 200", "overview 401"]),
        overview("401, token given by the caller")
            .token("not-the-servers")
            .gives("Unauthorized", ["overview 401"]),
        report("429")
            .faults([StatusRetryAfter(429, RetryAfter::Seconds(30)); 1])
            .gives("ok", ["login 200", "report 429", "report 200"])
            .waits([at_once, (30_250, 30_500)]),
        overview("429")
            .faults(vec![StatusRetryAfter(429, RetryAfter::Seconds(5)); 8])
            .gives("ok", [["login 200"].as_slice(), &["overview 429"; 8], &["overview 200"]].concat()),
        overview("429")
            .faults([StatusRetryAfter(429, RetryAfter::Seconds(120))])
            .gives("ok", ["login 200", "overview 429", "overview 200"])
            .waits([at_once, (120_250, 120_500)]),
        overview("429 without headers")
            .faults(vec![ThrottleBare; 6])
            .gives("ok", [["login 200"].as_slice(), &["overview 429"; 6], &["overview 200"]].concat())
            .waits([5, 10, 20, 40, 60, 60].map(|s| (s * 1000, s * 1000)).into_iter().fold(
                vec![at_once],
                |mut all, w| {
                    all.push(w);
                    all
                },
            )),
        overview("connection, DNS, reset, timeout").faults([Reset, ResetAfterActing]).gives(
            "ok",
            ["login 200", "overview connection lost", "overview connection lost", "overview 200"],
        ),
        report("connection, DNS, reset, timeout")
            .faults([Reset, Reset])
            .gives("ok", ["login 200", "report connection lost", "report connection lost", "report 200"])
            .waits([at_once, (2000, 2000), (2000, 2000)]),
        overview("connection, DNS, reset, timeout")
            .faults(vec![Reset; 6])
            .gives("Transport(Reset)", [["login 200"].as_slice(), &["overview connection lost"; 6]].concat()),
        overview("connection, DNS, reset, timeout")
            .policy(impatient)
            .faults([Silence])
            .gives("ok", ["login 200", "overview no answer", "overview 200"]),
        overview("body over the bound")
            .policy(small.clone())
            .faults([Huge(100_000)])
            .gives("Transport(TooLarge { limit: 50000 })", ["login 200", "overview 200"]),
        overview("body over the bound")
            .policy(small)
            .faults([GzipBomb(50_000_000)])
            .gives("Transport(TooLarge { limit: 50000 })", ["login 200", "overview 200"]),
        overview("login: `invalid_client` and its like")
            .login_faults([InvalidClient])
            .gives("LoginRefused", ["login 400"]),
        overview("login: `invalid_client` and its like")
            .login_faults([Status(401)])
            .gives("LoginRefused", ["login 401"]),
        overview("login: 429, 5xx, transport")
            .login_faults([StatusRetryAfter(429, RetryAfter::Seconds(7)), Html(503), Reset, NotJson])
            .gives(
                "ok",
                ["login 429", "login 503", "login connection lost", "login 200", "login 200", "overview 200"],
            ),
        overview("login: 429, 5xx, transport")
            .login_faults(vec![Status(500); 6])
            .gives("Server", ["login 500"; 6]),
        report("the next wake would be past the deadline")
            .policy(overall(5))
            .sandbox(|sandbox| sandbox.pending_answers(99))
            .gives("DeadlineExceeded", ["login 200", "report 200", "report 200", "report 200"]),
        overview("the next wake would be past the deadline")
            .policy(overall(4))
            .faults([ThrottleBare])
            .gives("DeadlineExceeded", ["login 200", "overview 429"]),
        overview("a hint beyond 120 s or beyond the deadline")
            .faults([StatusRetryAfter(429, RetryAfter::Seconds(7200))])
            .gives("Deferred", ["login 200", "overview 429"]),
        report("a hint beyond 120 s or beyond the deadline")
            .faults([ReportStatusRetryAfter("InProgress".into(), RetryAfter::Seconds(121))])
            .gives("Deferred", ["login 200", "report 200"]),
        overview("a hint beyond 120 s or beyond the deadline")
            .policy(overall(20))
            .faults([StatusRetryAfter(503, RetryAfter::Seconds(60))])
            .gives("Deferred", ["login 200", "overview 503"]),
        report("a report that goes back")
            .sandbox(|sandbox| sandbox.pending_answers(1))
            .faults([Accepted(None), ReportStatus("InProgress".into())])
            .gives("ok", ["login 200", "report 202", "report 200", "report 200"]),
        report("gzip").sandbox(|s| s.pending_answers(0).gzip(false)).gives("ok", ["login 200", "report 200"]),
        overview("quota")
            .sandbox(|sandbox| sandbox.without_quota())
            .faults([Html(503)])
            .gives("ok", ["login 200", "overview 503", "overview 200"])
            .waits([at_once, (0, 700)]),
    ];
    for unreadable in [NoReportStatus, NotJson, TruncatedJson, NotUtf8, TooDeep, WrongShape, GzipCut] {
        all.push(
            report("200, no status, not JSON, truncated")
                .faults(vec![unreadable.clone(); 2])
                .gives("ok", ["login 200", "report 200", "report 200", "report 200"])
                .waits([at_once, (2000, 2000), (2000, 2000)]),
        );
        all.push(
            report("200, no status, not JSON, truncated")
                .faults(vec![unreadable; 3])
                .gives("Decode", ["login 200", "report 200", "report 200", "report 200"]),
        );
    }
    let cut = "report 200, cut short";
    all.push(
        report("200, no status, not JSON, truncated")
            .faults([TruncatedBody, TruncatedBody])
            .gives("ok", ["login 200", cut, cut, "report 200"]),
    );
    all.push(
        report("200, no status, not JSON, truncated")
            .faults([TruncatedBody, TruncatedBody, TruncatedBody])
            .gives("Decode", ["login 200", cut, cut, cut]),
    );
    for (status, outcome) in
        [(400, "Rejected"), (403, "Forbidden"), (404, "NotFound"), (409, "Rejected"), (415, "Rejected")]
    {
        let seen = ["login 200", leak(format!("report {status}"))];
        all.push(report("403, 404, other 4xx").faults([Status(status)]).gives(outcome, seen));
    }
    for status in [408, 425, 500, 502, 503, 504] {
        let failed = leak(format!("overview {status}"));
        let row = "408, 425, 500, 502, 503, 504";
        all.push(
            overview(row)
                .faults([Status(status), Html(status)])
                .gives("ok", ["login 200", failed, failed, "overview 200"]),
        );
        all.push(
            overview(row)
                .faults([StatusRetryAfter(status, RetryAfter::Seconds(9))])
                .gives("ok", ["login 200", failed, "overview 200"])
                .waits([at_once, (9000, 9000)]),
        );
        all.push(
            overview(row)
                .faults(vec![Status(status); 6])
                .gives("Server", [["login 200"].as_slice(), &[failed; 6]].concat()),
        );
    }
    for status in [501, 505] {
        all.push(
            overview("501, 505")
                .faults([Status(status)])
                .gives("Server", ["login 200", leak(format!("overview {status}"))]),
        );
    }
    all
}

/// Leaks the text, so that it lives as long as the test.
fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn start() -> DateTime<Utc> {
    "2026-11-02T09:00:00Z".parse().unwrap()
}

/// The part of a run that is compared: the outcome, and the requests that the server logged, with their times.
#[derive(Debug, PartialEq)]
struct Trace {
    outcome: String,
    error: Option<String>,
    seen: Vec<(i64, String)>,
}

fn run(scenario: &Scenario, transport: Transport) -> Trace {
    let mut sandbox = (scenario.sandbox)(Sandbox::new(7));
    for (on, fault) in &scenario.faults {
        sandbox.inject(*on, fault.clone());
    }
    let credentials = match scenario.token {
        Some(token) => Credentials::access_token(token).unwrap(),
        None => sandbox.credentials(),
    };
    let time = VirtualTime::at(start());
    let policy = scenario.policy.clone();
    let (result, log) = match scenario.call {
        Which::Report => {
            let driven = transport.drive(sandbox, &time, credentials, policy, None, usage_report);
            (driven.result.map(|report| assert!(!report.usages().is_empty())), driven.log)
        }
        Which::Overview => {
            let driven = transport.drive(sandbox, &time, credentials, policy, None, trustee_overview);
            (driven.result.map(|overview| assert!(!overview.usages().is_empty())), driven.log)
        }
    };
    Trace {
        outcome: outcome(&result),
        error: result.err().map(|error| normal(&error)),
        seen: log
            .iter()
            .map(|entry| ((entry.received_at - start()).num_milliseconds(), seen(entry)))
            .collect(),
    }
}

fn usage_report(api: BaseUrl, policy: Policy) -> Poll<BillableUsageCall> {
    Poll::new(BillableUsageCall::new(Period::from_user("2026-10-01", "2026-11-01").unwrap()), api, policy)
}

fn trustee_overview(api: BaseUrl, policy: Policy) -> Exchange<TrusteeOverviewCall> {
    Exchange::new(TrusteeOverviewCall::new(ORG_ID.parse().unwrap()), api, policy)
}

fn outcome<T>(result: &Result<T, Error>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        // The HTTP libraries word the reason differently.
        Err(error) if matches!(error.kind(), ErrorKind::Decode(_)) && error.transport().is_some() => {
            "Decode".to_owned()
        }
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// Returns the text of an error without the parts that the HTTP libraries word differently.
fn normal(error: &Error) -> String {
    let words = match error.transport() {
        Some(transport) => format!("{:?}", transport.kind()),
        None => error.to_string(),
    };
    format!(
        "{words} | {:?} {:?} {:?} {} {:?}",
        error.status(),
        error.code(),
        error.correlation_id(),
        error.attempts(),
        error.retry_at()
    )
}

fn seen(entry: &LogEntry) -> String {
    let operation = match () {
        () if entry.path_and_query.ends_with("/oauth/token") => "login",
        () if entry.path_and_query.contains("/billableusage?") => "report",
        () => "overview",
    };
    format!("{operation} {}", entry.outcome)
}

fn conforms(transport: Transport) {
    for scenario in scenarios() {
        let trace = run(&scenario, transport);
        let what = format!("{transport:?}: {}\n{trace:#?}", scenario.describe());
        assert!(trace.outcome.starts_with(scenario.outcome), "expected {}: {what}", scenario.outcome);
        let seen: Vec<&str> = trace.seen.iter().map(|(_, entry)| entry.as_str()).collect();
        assert_eq!(seen, scenario.seen, "{what}");
        let waits: Vec<i64> = trace.seen.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        if !scenario.waits.is_empty() {
            assert_eq!(waits.len(), scenario.waits.len(), "{what}");
            for (wait, (least, most)) in waits.iter().zip(&scenario.waits) {
                assert!((least..=most).contains(&wait), "{wait} ms, not {least} to {most}: {what}");
            }
        }
        // A real timeout takes real time, which virtual time does not count. Everything else is equal to the millisecond.
        if transport != Transport::Memory && !scenario.faults.iter().any(|(_, fault)| *fault == Silence) {
            assert_eq!(trace, run(&scenario, Transport::Memory), "{what}");
        }
    }
}

#[test]
fn in_memory() {
    conforms(Transport::Memory);
}

#[test]
fn through_ureq() {
    conforms(Transport::Ureq);
}

#[test]
fn through_hyper() {
    conforms(Transport::Hyper);
}

#[test]
fn every_row_of_the_table_has_a_scenario() {
    // Two rows need more than one call, or another server. They have tests of their own below.
    let elsewhere = ["401, token since replaced", "TLS, bad address or header"];
    let all = scenarios();
    for row in ROWS {
        assert!(elsewhere.contains(&row) || all.iter().any(|scenario| scenario.row == row), "{row}");
    }
    assert!(all.iter().all(|scenario| ROWS.contains(&scenario.row)));
}

/// Tests `TLS, bad address or header`, and the part of `connection, DNS, reset, timeout` that a server cannot simulate.
#[test]
fn places_where_there_is_no_server() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let plain = FakeServer::start(Sandbox::new(7), Utc::now);
    let plain_as_tls = plain.url().replace("http://", "https://");

    for (place, kind, requests) in [
        (refused, TransportErrorKind::Connect, 6),
        // The first label of the name is one character too long, so that no resolver sends a query for it.
        (format!("http://{}.invalid", "x".repeat(64)), TransportErrorKind::Dns, 6),
        (plain_as_tls, TransportErrorKind::Tls, 1),
    ] {
        let base = BaseUrl::dangerously_without_tls(&place).unwrap();
        let environment = Environment::new(base.clone(), base);
        for transport in Transport::ALL {
            let mut sandbox = Sandbox::new(7);
            (0..6).for_each(|_| sandbox.inject(FaultTarget::Any, Transport(kind)));
            let token = Credentials::access_token("t").unwrap();
            let time = VirtualTime::at(start());
            let elsewhere = Some(environment.clone());
            let driven =
                transport.drive(sandbox, &time, token, Policy::default(), elsewhere, trustee_overview);
            let error = driven.result.unwrap_err();
            assert_eq!(error.kind(), &ErrorKind::Transport(kind), "{transport:?} {place}: {error}");
            assert_eq!(error.attempts(), requests, "{transport:?} {place}: {error}");
        }
    }
}

fn ureq_client(environment: Environment, credentials: Credentials, pacing: Pacing) -> billing_ureq::Client {
    billing_ureq::Client::builder(environment, credentials).no_proxy().pacing(pacing).build().unwrap()
}

fn hyper_client(environment: Environment, credentials: Credentials, pacing: Pacing) -> billing_hyper::Client {
    billing_hyper::Client::builder(environment, credentials).no_proxy().pacing(pacing).build().unwrap()
}

/// Tests `401, token since replaced`: the client repeats the request with the new token and does not log in again.
#[test]
fn a_token_that_was_replaced_while_the_request_was_out() {
    let other = Sandbox::new(7).sample_trustors().nth(1).unwrap().0;
    for transport in [Transport::Ureq, Transport::Hyper] {
        let server = Arc::new(FakeServer::start(Sandbox::new(7), Utc::now));
        let credentials = server.sandbox().credentials();
        let environment = server.environment().unwrap();
        let late = ORG_ID.parse().unwrap();
        let (quick, again) = (other.clone(), other.clone());
        let happen = {
            let server = Arc::clone(&server);
            move || {
                server.await_held();
                server.sandbox().inject(FaultTarget::Overview, ExpireToken);
            }
        };
        match transport {
            Transport::Ureq => {
                let client = ureq_client(environment, credentials, Pacing::default());
                client.trustee_overview(quick, None).unwrap();
                server.hold(ORG_ID);
                std::thread::scope(|scope| {
                    let slow = scope.spawn(|| client.trustee_overview(late, None));
                    happen();
                    client.trustee_overview(again, None).unwrap();
                    server.release();
                    slow.join().unwrap().unwrap();
                });
            }
            _ => {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async {
                    let client = hyper_client(environment, credentials, Pacing::default());
                    client.trustee_overview(quick, None).await.unwrap();
                    server.hold(ORG_ID);
                    let slow = tokio::spawn({
                        let client = client.clone();
                        async move { client.trustee_overview(late, None).await }
                    });
                    tokio::task::spawn_blocking(happen).await.unwrap();
                    client.trustee_overview(again, None).await.unwrap();
                    server.release();
                    slow.await.unwrap().unwrap();
                });
            }
        }
        let log: Vec<String> = server
            .sandbox()
            .log()
            .iter()
            .map(|e| format!("{} {}", seen(e), e.token_number.unwrap_or(0)))
            .collect();
        let expected = [
            "login 200 0",
            "overview 200 1",
            "overview 401 1",
            "login 200 0",
            "overview 200 2",
            "overview 401 1",
            "overview 200 2",
        ];
        assert_eq!(log, expected, "{transport:?}");
        // For the in-memory transport, the core tests this: `d06_one_login_for_all_and_a_401_invalidates_only_its_own_token`.
    }
}

/// Tests rule D6 under concurrency: many calls start at once without a token, and there is one login.
#[test]
fn one_login_for_all() {
    const CALLS: usize = 24;
    for transport in [Transport::Ureq, Transport::Hyper] {
        let server = FakeServer::start(Sandbox::new(7), Utc::now);
        let credentials = server.sandbox().credentials();
        let environment = server.environment().unwrap();
        let pacing = Pacing { min_interval: None };
        match transport {
            Transport::Ureq => {
                let client = ureq_client(environment, credentials, pacing);
                std::thread::scope(|scope| {
                    for _ in 0..CALLS {
                        scope.spawn(|| client.trustee_overview(ORG_ID.parse().unwrap(), None).unwrap());
                    }
                });
            }
            _ => tokio::runtime::Runtime::new().unwrap().block_on(async {
                let client = hyper_client(environment, credentials, pacing);
                let calls = (0..CALLS).map(|_| client.trustee_overview(ORG_ID.parse().unwrap(), None));
                for result in futures_util::future::join_all(calls).await {
                    result.unwrap();
                }
            }),
        }
        let log = server.sandbox().log().to_vec();
        assert_eq!(log.iter().filter(|entry| seen(entry).starts_with("login")).count(), 1, "{transport:?}");
        assert_eq!(log.len(), CALLS + 1, "{transport:?}");
    }
}
