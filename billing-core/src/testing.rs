//! Test support for the machines: scripts of replies, and a driver in virtual time.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Response;

use crate::calls::{BillableUsageCall, TrusteeOverviewCall};
use crate::values::clock::{between, saturating_add};
use crate::{
    Environment, Error, Exchange, Machine, Period, Policy, Poll, Reply, Request, Step, TransportError,
    TransportErrorKind,
};

pub(crate) fn start_time() -> DateTime<Utc> {
    saturating_add(DateTime::UNIX_EPOCH, Duration::from_secs(1_793_000_000))
}

pub(crate) fn poll(policy: Policy) -> Poll<BillableUsageCall> {
    let period = Period::from_user("2026-10-01", "2026-11-01").unwrap();
    Poll::new(BillableUsageCall::new(period), Environment::default().api().clone(), policy)
}

pub(crate) fn exchange(policy: Policy) -> Exchange<TrusteeOverviewCall> {
    Exchange::new(
        TrusteeOverviewCall::new("org".parse().unwrap()),
        Environment::default().api().clone(),
        policy,
    )
}

/// Builds a response; `headers` has one `name: value` per line.
pub(crate) fn reply(status: u16, headers: &str, body: &str) -> Reply {
    let mut response = Response::builder().status(status);
    for (name, value) in headers.lines().filter_map(|line| line.split_once(": ")) {
        response = response.header(name, value);
    }
    Ok(response.body(Bytes::copy_from_slice(body.as_bytes())).unwrap())
}

pub(crate) fn transport_failure(kind: TransportErrorKind) -> Reply {
    Err(TransportError::new(kind, "in a test"))
}

pub(crate) const IN_PROGRESS: &str = r#"{"status":"InProgress"}"#;
pub(crate) const COMPLETE: &str = r#"{"status":"Complete","usages":[]}"#;

/// The result of a run of a machine.
#[derive(Debug)]
pub(crate) struct Run<T> {
    pub(crate) result: Result<T, Error>,
    /// Each request with the time at which it was sent, in milliseconds since the start.
    pub(crate) sent_requests: Vec<(u128, Request)>,
    /// The time at which the run ended, in milliseconds since the start.
    pub(crate) end_millis: u128,
}

impl<T> Run<T> {
    pub(crate) fn error(&self) -> &Error {
        self.result.as_ref().err().expect("an error")
    }

    /// Returns the times between consecutive requests, in milliseconds.
    pub(crate) fn gaps(&self) -> Vec<u128> {
        self.sent_requests.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
    }
}

/// Runs a machine in virtual time; each answer takes a millisecond.
pub(crate) fn run_in_virtual_time<M: Machine>(
    machine: M,
    mut server: impl FnMut(&Request, DateTime<Utc>) -> Reply,
) -> Run<M::Output> {
    let mut now = start_time();
    let mut sent_requests = Vec::new();
    let since_start = |now| between(start_time(), now).as_millis();
    let mut step = machine.step(now);
    for _ in 0..10_000 {
        step = match step {
            Step::Send(request, sent) => {
                sent_requests.push((since_start(now), (*request).clone()));
                let reply = server(&request, now);
                now = saturating_add(now, Duration::from_millis(1));
                sent.receive(reply, now)
            }
            Step::Wait(until, machine) => {
                assert!(until > now, "a wait that is over is no wait");
                now = until;
                machine.step(now)
            }
            Step::Done(result) => {
                return Run { result, sent_requests, end_millis: since_start(now) };
            }
        };
    }
    panic!("no end after 10,000 steps");
}

/// Runs a machine against a script; the last reply is repeated.
pub(crate) fn run_script<M: Machine>(machine: M, replies: &[Reply]) -> Run<M::Output> {
    let mut next = 0;
    run_in_virtual_time(machine, |_, _| {
        let reply = replies[next.min(replies.len() - 1)].clone();
        next += 1;
        reply
    })
}
