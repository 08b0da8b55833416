//! Saved polls: foreign, edited, broken.

use billing_core::calls::BillableUsage;
use billing_core::{Environment, Machine, Policy, Poll, Step};
use chrono::{DateTime, TimeDelta};
use http::Response;

use super::period;

/// A saved poll into which somebody has written is refused, unless what was changed is layout alone: a restored poll is
/// the one that was saved. And no text at all makes a poll out of nothing.
///
/// The first two bytes say where the rest is written, over what stands there; if they are 255, the rest is the whole file.
pub fn checkpoint(data: &[u8]) {
    let saved = serde_json::to_string(&parked()).expect("a parked poll can be saved");
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
    if let Ok(poll) = serde_json::from_slice::<Poll<BillableUsage>>(&edited) {
        let again = serde_json::to_string(&poll).expect("a restored poll can be saved");
        if !data.starts_with(&[255, 255]) {
            assert_eq!(again, saved, "only layout may differ");
        }
        // Whatever it is, stepping it is safe.
        let _ = poll.step(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    }
}

fn parked() -> Poll<BillableUsage> {
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let api = Environment::default().api().clone();
    let reply = Response::new(r#"{"status":"InProgress"}"#.into());
    match Poll::new(BillableUsage::new(period()), api, Policy::default()).step(now) {
        Step::Send(_, sent) => match sent.receive(Ok(reply), now) {
            Step::Wait(_, poll) => poll,
            other => panic!("a wait, not {other:?}"),
        },
        other => panic!("a request, not {other:?}"),
    }
}
