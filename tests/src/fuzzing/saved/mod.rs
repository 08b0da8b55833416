//! Saved machines: foreign, edited, broken.

mod edits;
mod run;

use std::any::TypeId;
use std::fmt::Debug;
use std::sync::OnceLock;
use std::time::Duration;

use billing_core::calls::{
    BillableUsageCall, ContractsCall, InvoiceLinesCall, InvoicesCall, OrganizationCall, TrusteeOverviewCall,
    TrustorsCall,
};
use billing_core::poll::{PollSchedule, PollTiming, PollTimings};
use billing_core::{Environment, Exchange, History, Machine, Pages, PeriodSelection, Policy, Poll, Step};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::period;
use super::script::Script;

/// A saved machine into which somebody has written is refused, unless what was changed is layout alone: a restored one is
/// the one that was saved. And no text at all makes one out of nothing. But one that is edited by somebody who can compute a
/// checksum may be anything that its type can be: it is run to its end, see `run`. No saved text is taken for
/// something else than it is.
///
/// The first byte says which machine it is, and from 128 on that the rest are edits that are sealed again, and then a script.
/// Below, the next two say where the rest is written, over what stands there; if they are 255, the rest is the whole file.
pub fn checkpoint(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    // To learn a schedule takes a thousand times as long as to restore it.
    static SAVED: OnceLock<[String; 5]> = OnceLock::new();
    let [usual, taught, call, pages, months] = SAVED.get_or_init(|| {
        [
            saved(&poll(PollSchedule::default())),
            saved(&poll(learned())),
            saved(&exchange()),
            saved(&list()),
            saved(&walk()),
        ]
    });
    let sealed = *which >= 128;
    match which % 5 {
        0 => changed::<Poll<BillableUsageCall>>(usual, sealed, data),
        1 => changed::<Poll<BillableUsageCall>>(taught, sealed, data),
        2 => changed::<Exchange<TrusteeOverviewCall>>(call, sealed, data),
        3 => changed::<Pages<ContractsCall>>(pages, sealed, data),
        _ => changed::<History>(months, sealed, data),
    }
}

fn saved(machine: &impl Serialize) -> String {
    serde_json::to_string(machine).expect("a parked machine can be saved")
}

/// A machine that can be saved, of which there may be more after its end.
trait Saved: Machine<Output: Debug> + Debug + Serialize + DeserializeOwned + 'static {
    fn rest(_output: Self::Output) -> Option<Self> {
        None
    }
}

impl Saved for Poll<BillableUsageCall> {}
impl Saved for Exchange<TrusteeOverviewCall> {}

impl Saved for Pages<ContractsCall> {
    fn rest(turn: Self::Output) -> Option<Self> {
        turn.rest
    }
}

impl Saved for History {
    fn rest(visit: Self::Output) -> Option<Self> {
        visit.rest
    }
}

fn changed<M: Saved>(saved: &str, sealed: bool, data: &[u8]) {
    match sealed {
        true => sealed_again::<M>(saved, data),
        false => written_into::<M>(saved, data),
    }
}

fn written_into<M: Saved>(saved: &str, data: &[u8]) {
    let edited = match data {
        [255, 255, rest @ ..] => rest.to_vec(),
        [high, low, rest @ ..] => {
            let mut edited = saved.to_owned().into_bytes();
            let place = usize::from(u16::from_be_bytes([*high, *low])) % edited.len();
            let end = (place + rest.len()).min(edited.len());
            edited.splice(place..end, rest.iter().copied());
            edited
        }
        _ => return,
    };
    if let Ok(restored) = serde_json::from_slice::<M>(&edited) {
        let again = self::saved(&restored);
        if !data.starts_with(&[255, 255]) {
            assert_eq!(again, saved, "only layout may differ");
        }
        run::run(restored, &mut Script(&[]));
    }
}

fn sealed_again<M: Saved>(saved: &str, data: &[u8]) {
    let mut script = Script(data);
    let edited = edits::sealed(saved, &mut script);
    others_refuse::<M>(&edited);
    if let Ok(restored) = serde_json::from_str::<M>(&edited) {
        let again = self::saved(&restored);
        assert_eq!(again, edited, "it is what was saved");
        run::run(restored, &mut script);
    }
}

/// Checks that the saved text of one type is refused by all others: other machines or operations, and poll
/// histories.
fn others_refuse<M: Saved>(saved: &str) {
    type Reads = fn(&str) -> bool;
    fn reader<T: DeserializeOwned + 'static>() -> (TypeId, Reads) {
        (TypeId::of::<T>(), |text| serde_json::from_str::<T>(text).is_ok())
    }
    let all = [
        reader::<Poll<BillableUsageCall>>(),
        reader::<Exchange<BillableUsageCall>>(),
        reader::<Exchange<TrusteeOverviewCall>>(),
        reader::<Exchange<OrganizationCall>>(),
        reader::<Exchange<ContractsCall>>(),
        reader::<Pages<ContractsCall>>(),
        reader::<Pages<TrustorsCall>>(),
        reader::<Pages<InvoicesCall>>(),
        reader::<Pages<InvoiceLinesCall>>(),
        reader::<History>(),
        reader::<PollTimings>(),
    ];
    for (other, reads) in all {
        assert!(other == TypeId::of::<M>() || !reads(saved), "taken for something else: {saved}");
    }
}

fn poll(polls: PollSchedule) -> Poll<BillableUsageCall> {
    let api = Environment::default().api().clone();
    let policy = Policy { poll: polls, ..Policy::default() };
    parked(Poll::new(BillableUsageCall::new(period()), api, policy), 200, r#"{"status":"InProgress"}"#)
}

fn learned() -> PollSchedule {
    let mut seen = PollTimings::default();
    seen.extend(PollTiming::new(now(), Duration::from_secs(40), Duration::from_secs(43)));
    PollSchedule::default().adapted_to(&seen)
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
    let year = PeriodSelection::year(2026).expect("a year");
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
