//! Saved machines: foreign, edited, broken.

use std::fmt::Debug;
use std::time::Duration;

use billing_core::calls::{BillableUsage, ContractsCall, TrusteeOverviewCall};
use billing_core::{
    Completion, Completions, Environment, Exchange, History, Machine, Pages, Policy, Poll, PollSchedule,
    Reach, Step,
};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::period;

/// A saved machine into which somebody has written is refused, unless what was changed is layout alone: a restored one is
/// the one that was saved. And no text at all makes one out of nothing.
///
/// The first byte says which machine it is. The next two say where the rest is written, over what stands there; if they are
/// 255, the rest is the whole file.
pub fn checkpoint(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    match which % 5 {
        0 => written_into(&poll(PollSchedule::default()), data),
        1 => written_into(&poll(learned()), data),
        2 => written_into(&exchange(), data),
        3 => written_into(&list(), data),
        _ => written_into(&walk(), data),
    }
}

fn written_into<M: Machine + Serialize + DeserializeOwned>(machine: &M, data: &[u8]) {
    let saved = serde_json::to_string(machine).expect("a parked machine can be saved");
    let edited = match data {
        [255, 255, rest @ ..] => rest.to_vec(),
        [high, low, rest @ ..] => {
            let mut edited = saved.clone().into_bytes();
            let place = usize::from(u16::from_be_bytes([*high, *low])) % edited.len();
            let end = (place + rest.len()).min(edited.len());
            edited.splice(place..end, rest.iter().copied());
            edited
        }
        _ => return,
    };
    if let Ok(restored) = serde_json::from_slice::<M>(&edited) {
        let again = serde_json::to_string(&restored).expect("a restored machine can be saved");
        if !data.starts_with(&[255, 255]) {
            assert_eq!(again, saved, "only layout may differ");
        }
        // Whatever it is, stepping it is safe.
        let _ = restored.step(now());
    }
}

fn poll(polls: PollSchedule) -> Poll<BillableUsage> {
    let api = Environment::default().api().clone();
    let policy = Policy { polls, ..Policy::default() };
    parked(Poll::new(BillableUsage::new(period()), api, policy), 200, r#"{"status":"InProgress"}"#)
}

fn learned() -> PollSchedule {
    let mut seen = Completions::default();
    seen.extend(Completion::new(now(), Duration::from_secs(40), Duration::from_secs(43)));
    PollSchedule::default().learned(&seen)
}

fn exchange() -> Exchange<TrusteeOverviewCall> {
    let call = TrusteeOverviewCall::new("org".parse().expect("a valid id"));
    parked(Exchange::new(call, Environment::default().api().clone(), Policy::default()), 503, "")
}

/// A list after its first page.
fn list() -> Pages<ContractsCall> {
    let pages = Pages::new(ContractsCall::new(), Environment::default().api().clone(), Policy::default());
    let page = r#"{"entities":[],"nextUri":"/api/v2/billing/contracts?after=c2"}"#;
    let turn = match answered(pages, 200, page) {
        Step::Done(Ok(turn)) => turn,
        other => panic!("a page, not {other:?}"),
    };
    parked(turn.rest.expect("it goes on"), 503, "")
}

/// A walk after its first period.
fn walk() -> History {
    let year = Reach::year(2026).expect("a year");
    let organization = "org".parse().expect("a valid id");
    let walk = History::new(organization, year, Environment::default().api().clone(), Policy::default());
    let overview =
        r#"{"billingPeriodStartDate":"2026-10-01T00:00:00Z","billingPeriodEndDate":"2026-10-31T23:59:59Z"}"#;
    let visit = match answered(walk, 200, overview) {
        Step::Done(Ok(visit)) => visit,
        other => panic!("a period, not {other:?}"),
    };
    parked(visit.rest.expect("it goes on"), 503, "")
}

fn parked<M: Machine<Output: Debug> + Debug>(machine: M, status: u16, body: &'static str) -> M {
    match answered(machine, status, body) {
        Step::Wait(_, machine) => machine,
        other => panic!("a wait, not {other:?}"),
    }
}

fn answered<M: Machine<Output: Debug> + Debug>(machine: M, status: u16, body: &'static str) -> Step<M> {
    let reply = Response::builder().status(status).body(Bytes::from_static(body.as_bytes()));
    match machine.step(now()) {
        Step::Send(_, sent) => sent.receive(Ok(reply.expect("a response")), now()),
        other => panic!("a request, not {other:?}"),
    }
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}
