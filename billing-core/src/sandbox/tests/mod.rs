//! Tests of the sandbox, and their shared helpers.

mod contracts;
mod data;
mod faults;
mod life;
mod server;

use std::cell::RefCell;
use std::rc::Rc;

use http::{Method, Response};
use serde_json::Value;

use super::*;
use crate::calls::{BillableUsageCall, Call, OrganizationCall, TrusteeOverviewCall, TrustorsCall};
use crate::machine::Page;
use crate::model::{TrusteeOverview, UsageReport};
use crate::{Authorized, ErrorKind, Exchange, Pages, Period, PeriodIndex, Policy, Poll, Session};

const USAGE: &str = "/api/v2/billing/reports/billableusage";
const OCTOBER: &str = "?startDate=2026-10-01T00%3A00%3A00.000Z&endDate=2026-11-01T00%3A00%3A00.000Z";

fn start() -> DateTime<Utc> {
    "2026-11-02T09:00:00Z".parse().unwrap()
}

fn later(seconds: u64) -> DateTime<Utc> {
    saturating_add(start(), Duration::from_secs(seconds))
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &'static str) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

fn get(path: &str, token: &str) -> Request<Bytes> {
    request(Method::GET, path, &[("authorization", &format!("Bearer {token}"))], "")
}

fn login() -> Request<Bytes> {
    let headers = [
        ("authorization", "Basic c2FuZGJveC1jbGllbnQ6b3Blbi1zZXNhbWUtNGYxZA=="),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    request(Method::POST, "/oauth/token", &headers, "grant_type=client_credentials")
}

fn whole(answer: SimulatedResponse) -> Response<Bytes> {
    match answer {
        SimulatedResponse::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

fn json_of(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

fn token(sandbox: &mut Sandbox, now: DateTime<Utc>) -> String {
    let body = json_of(&whole(sandbox.respond(&login(), now)));
    body["access_token"].as_str().unwrap().to_owned()
}

/// Returns the HTTP status of the answer to a request, and the `code`, `error` or `status` in its body.
fn verdict(sandbox: &mut Sandbox, request: &Request<Bytes>, now: DateTime<Utc>) -> (u16, String) {
    let response = whole(sandbox.respond(request, now));
    let body = json_of(&response);
    let code = body.get("code").or(body.get("error")).or(body.get("status"));
    let code = code.and_then(Value::as_str).unwrap_or_default().to_owned();
    (response.status().as_u16(), code)
}

fn october() -> Period {
    Period::from_user("2026-10-01", "2026-11-01").unwrap()
}

fn session(sandbox: &Sandbox) -> Rc<RefCell<Session>> {
    Rc::new(RefCell::new(Session::new(sandbox.environment(), sandbox.credentials())))
}

fn poll(sandbox: &Sandbox, policy: Policy) -> Authorized<Poll<BillableUsageCall>, Rc<RefCell<Session>>> {
    let poll = Poll::new(BillableUsageCall::new(october()), sandbox.environment().api().clone(), policy);
    Authorized::new(poll, session(sandbox))
}

fn run_poll(sandbox: &mut Sandbox) -> Result<UsageReport, Error> {
    let machine = poll(sandbox, Policy::default());
    sandbox.run(machine, &mut start(), |_| {})
}

/// Performs a call with a session of its own.
fn call<C: Call>(sandbox: &mut Sandbox, call: C) -> Result<C::Output, Error> {
    let exchange = Exchange::new(call, sandbox.environment().api().clone(), Policy::default());
    let machine = Authorized::new(exchange, session(sandbox));
    sandbox.run(machine, &mut start(), |_| {})
}

type Entities<C> = Vec<<<C as Call>::Output as Page>::Entity>;

/// Reads a list to its end, and returns the number of its pages as well.
fn list<C>(sandbox: &mut Sandbox, call: C) -> Result<(Entities<C>, usize), Error>
where
    C: Call<Output: Page> + Clone,
{
    let (mut entities, mut turns) = (Vec::new(), 0);
    let session = session(sandbox);
    let mut rest = Some(Pages::new(call, sandbox.environment().api().clone(), Policy::default()));
    while let Some(pages) = rest {
        let turn = sandbox.run(Authorized::new(pages, session.clone()), &mut start(), |_| {})?;
        entities.extend(turn.page.into_entities());
        rest = turn.rest;
        turns += 1;
    }
    Ok((entities, turns))
}

fn overview(sandbox: &mut Sandbox, org: OrgId, index: u32) -> Result<TrusteeOverview, Error> {
    let call = TrusteeOverviewCall::new(org).period_index(PeriodIndex::new(index));
    let exchange = Exchange::new(call, sandbox.environment().api().clone(), Policy::default());
    let machine = Authorized::new(exchange, session(sandbox));
    sandbox.run(machine, &mut start(), |_| {})
}
