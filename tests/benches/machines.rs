//! The cost of a call except for parsing: building requests, one step of each machine, the statement.
//!
//! `cargo bench -p billing-tests --bench machines`.

use std::cell::RefCell;
use std::rc::Rc;

use billing_core::calls::{BillableUsageCall, Call, InvoiceDocumentCall, TrusteeOverviewCall, TrustorsCall};
use billing_core::fleet::FleetPlan;
use billing_core::fleet::FleetStep;
use billing_core::model::TrusteeOverview;
use billing_core::poll::{PollSchedule, PollTiming, PollTimings};
use billing_core::{
    Authorized, BaseUrl, Credentials, Download, Environment, Exchange, Fleet, History, Machine, OrgId, Pages,
    Period, PeriodSelection, Policy, Poll, Reply, Session, Statement, Step,
};
use billing_tests::bodies;
use chrono::{DateTime, TimeDelta, Utc};
use divan::{AllocProfiler, Bencher, black_box};
use http::Response;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench_group]
mod request {
    use super::*;

    #[divan::bench]
    fn billable_usage(bencher: Bencher<'_, '_>) {
        let (call, api) = (usage(), api());
        bencher.bench(|| black_box(&call).request(&api).unwrap());
    }

    #[divan::bench]
    fn trustee_overview(bencher: Bencher<'_, '_>) {
        let (call, api) = (overview(), api());
        bencher.bench(|| black_box(&call).request(&api).unwrap());
    }
}

#[divan::bench_group]
mod step {
    use super::*;

    /// Measures the step from a new exchange to its request.
    #[divan::bench]
    fn exchange_sends(bencher: Bencher<'_, '_>) {
        bencher
            .with_inputs(|| Exchange::new(overview(), api(), Policy::default()))
            .bench_values(|exchange| exchange.step(now()));
    }

    /// Measures the step from the answer to the result.
    #[divan::bench]
    fn exchange_ends(bencher: Bencher<'_, '_>) {
        receives(bencher, || Exchange::new(overview(), api(), Policy::default()), || reply(200, "{}"));
    }

    #[divan::bench]
    fn exchange_backs_off(bencher: Bencher<'_, '_>) {
        receives(bencher, || Exchange::new(overview(), api(), Policy::default()), || reply(503, "<html>"));
    }

    #[divan::bench]
    fn poll_waits(bencher: Bencher<'_, '_>) {
        let body = r#"{"status":"InProgress"}"#;
        receives(bencher, || Poll::new(usage(), api(), Policy::default()), || reply(200, body));
    }

    #[divan::bench]
    fn pages_turn(bencher: Bencher<'_, '_>) {
        let body = r#"{"entities":[],"nextUri":"/api/v2/orgauthorization/trustors?pageNumber=2"}"#;
        receives(bencher, || Pages::new(TrustorsCall::new(), api(), Policy::default()), || reply(200, body));
    }

    #[divan::bench]
    fn history_turns(bencher: Bencher<'_, '_>) {
        receives(
            bencher,
            || History::new(org(), PeriodSelection::Latest(2.try_into().unwrap()), api(), Policy::default()),
            || reply(200, "{}"),
        );
    }

    /// Measures the step from the address of a document to the request for it.
    #[divan::bench]
    fn download_finds(bencher: Bencher<'_, '_>) {
        let body = r#"{"url":"https://documents.example.com/invoice.pdf?signature=abc"}"#;
        receives(bencher, download, || reply(200, body));
    }

    /// Measures the step from the document to the result.
    #[divan::bench]
    fn download_ends(bencher: Bencher<'_, '_>) {
        bencher
            .with_inputs(|| {
                let Step::Send(_, sent) = download().step(now()) else {
                    unreachable!("the address is asked for at once")
                };
                let body = r#"{"url":"https://documents.example.com/invoice.pdf?signature=abc"}"#;
                match sent.receive(reply(200, body), now()) {
                    Step::Send(_, sent) => (sent, reply(200, "%PDF-1.7")),
                    _ => unreachable!("then the document"),
                }
            })
            .bench_local_values(|(sent, reply)| sent.receive(reply, now()));
    }

    /// Measures a request, its answer and its result in a fleet of this number of organisations.
    #[divan::bench(args = [10, 1_000])]
    fn fleet_turns(bencher: Bencher<'_, '_>, organizations: usize) {
        let ids = (0..organizations).map(|n| format!("org-{n}").parse::<OrgId>().unwrap());
        let assignment = FleetPlan::new(ids, PeriodSelection::Latest(2.try_into().unwrap()), api(), now());
        bencher.with_inputs(|| Fleet::new(&assignment, Policy::default(), with_token())).bench_local_values(
            |mut fleet| {
                let FleetStep::Send(_, flight) = fleet.step(later()) else {
                    unreachable!("the session has a token and nothing under way")
                };
                fleet.receive(flight, reply(200, "{}"), later());
                fleet
            },
        );
    }

    /// Measures an exchange under a session that has a token.
    #[divan::bench]
    fn authorized_sends(bencher: Bencher<'_, '_>) {
        bencher.with_inputs(logged_in).bench_local_values(|exchange| exchange.step(later()));
    }

    #[divan::bench]
    fn authorized_ends(bencher: Bencher<'_, '_>) {
        bencher
            .with_inputs(|| match logged_in().step(later()) {
                Step::Send(_, sent) => (sent, reply(200, "{}")),
                _ => unreachable!("the session has a token and nothing under way"),
            })
            .bench_local_values(|(sent, reply)| sent.receive(reply, later()));
    }

    #[divan::bench]
    fn poll_is_saved_and_restored(bencher: Bencher<'_, '_>) {
        let Step::Send(_, sent) = Poll::new(usage(), api(), Policy::default()).step(now()) else {
            unreachable!("the first request goes out at once")
        };
        let Step::Wait(_, poll) = sent.receive(reply(200, r#"{"status":"InProgress"}"#), now()) else {
            unreachable!("a report in progress is waited for")
        };
        bencher.bench_local(|| {
            let saved = serde_json::to_string(&poll).unwrap();
            serde_json::from_str::<Poll<BillableUsageCall>>(&saved).unwrap()
        });
    }
}

/// Measures the adaptation of a schedule to the maximum number of timings.
#[divan::bench]
fn schedule_learned(bencher: Bencher<'_, '_>) {
    let mut seen = PollTimings::default();
    for second in 1..=32 {
        let by = std::time::Duration::from_secs(5 + second);
        seen.extend(PollTiming::new(now() + by, by / 2, by));
    }
    bencher.bench(|| PollSchedule::default().adapted_to(black_box(&seen)));
}

/// Measures the statement of an overview of 140 rows.
#[divan::bench]
fn statement(bencher: Bencher<'_, '_>) {
    let overview: TrusteeOverview = serde_json::from_str(&bodies::overview(140)).unwrap();
    bencher.bench(|| Statement::new(black_box(&overview)));
}

/// Measures the step of a machine with the answer to its first request.
fn receives<M: Machine>(
    bencher: Bencher<'_, '_>,
    machine: impl Fn() -> M + Sync,
    reply: impl Fn() -> Reply + Sync,
) {
    bencher
        .with_inputs(|| match machine().step(now()) {
            Step::Send(_, sent) => (sent, reply()),
            _ => unreachable!("the first request goes out at once"),
        })
        .bench_local_values(|(sent, reply)| sent.receive(reply, now()));
}

/// Builds an exchange under a session that has logged in.
fn logged_in() -> Authorized<Exchange<TrusteeOverviewCall>, Rc<RefCell<Session>>> {
    Authorized::new(Exchange::new(overview(), api(), Policy::default()), with_token())
}

/// Builds a session that has logged in.
fn with_token() -> Rc<RefCell<Session>> {
    let credentials = Credentials::client("client-id", "client-secret").unwrap();
    let session = Rc::new(RefCell::new(Session::new(Environment::default(), credentials)));
    let exchange = Authorized::new(Exchange::new(overview(), api(), Policy::default()), session.clone());
    let Step::Send(_, login) = exchange.step(now()) else { unreachable!("the login goes first") };
    let token = r#"{"access_token":"a token","token_type":"bearer","expires_in":86400}"#;
    drop(login.receive(reply(200, token), now()));
    session
}

fn download() -> Download<InvoiceDocumentCall> {
    Download::new(InvoiceDocumentCall::new("4224".parse().unwrap()), api(), Policy::default())
}

fn usage() -> BillableUsageCall {
    BillableUsageCall::new(Period::from_user("2026-10-01", "2026-11-01").unwrap())
}

fn overview() -> TrusteeOverviewCall {
    TrusteeOverviewCall::new(org())
}

fn org() -> OrgId {
    "9d750d63-95ae-4df7-8955-2bca7152ca19".parse().unwrap()
}

fn api() -> BaseUrl {
    Environment::default().api().clone()
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(1_793_610_000_000_000_000)
}

/// Returns the time at which a session that has just logged in may send a request.
fn later() -> DateTime<Utc> {
    now() + TimeDelta::seconds(1)
}

fn reply(status: u16, body: &'static str) -> Reply {
    Ok(Response::builder().status(status).body(body.into()).unwrap())
}
