//! The poll machine under arbitrary replies.

use billing_core::calls::BillableUsageCall;
use billing_core::model::{ReportStatus, UsageReport};
use billing_core::poll::Report;
use billing_core::{Environment, Error, Machine, Policy, Poll, Step};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use super::period;
use super::script::Script;

/// Checks that a poll ends once, by its deadline and within its bound of requests, whatever the server
/// answers and however long it takes. It sends the same request each time, at least 2 s apart, and succeeds
/// only on a body that says `Complete`. A copy that is saved and restored at every wait behaves like one
/// that is not.
pub fn poll(data: &[u8]) {
    let mut script = Script(data);
    let policy = Policy { seed: u64::from(script.byte()), ..Policy::default() };
    let begin = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let deadline = begin + TimeDelta::from_std(policy.timeout).expect("a quarter of an hour");
    let api = Environment::default().api().clone();

    let mut now = begin;
    let mut first: Option<http::Request<Bytes>> = None;
    let mut last_reply: Option<DateTime<Utc>> = None;
    let mut last_body = Bytes::new();
    let poll = Poll::new(BillableUsageCall::new(period()), api, policy);
    let mut steps = (poll.clone().step(now), poll.step(now));
    for requests in 1.. {
        steps = match steps {
            (Step::Send(request, sent), Step::Send(of_twin, twin)) => {
                assert!(requests <= 2 * 451 && now < deadline);
                assert_same(first.get_or_insert_with(|| request.http().clone()), request.http());
                assert_same(request.http(), of_twin.http());
                assert!(last_reply.is_none_or(|last| now - last >= TimeDelta::seconds(2)));
                let timeout = TimeDelta::from_std(request.timeout(now)).expect("less than the calendar");
                assert_eq!(request.timeout(now), of_twin.timeout(now));
                let reply = script.reply(&request, now);
                let took = TimeDelta::milliseconds(i64::from(script.byte()) * i64::from(script.byte()));
                now += took.min(timeout);
                last_body = reply.as_ref().map(|r| r.body().clone()).unwrap_or_default();
                last_reply = Some(now);
                (sent.receive(reply.clone(), now), twin.receive(reply, now))
            }
            (Step::Wait(until, poll), Step::Wait(of_twin, twin)) => {
                assert!(until == of_twin && until > now && until < deadline);
                let saved = serde_json::to_string(&poll).expect("a parked poll can be saved");
                let restored: Poll<BillableUsageCall> = serde_json::from_str(&saved).expect("and restored");
                assert_eq!(serde_json::to_string(&restored).expect("and saved again"), saved);
                now = until;
                (restored.step(now), twin.step(now))
            }
            (Step::Done(result), Step::Done(of_twin)) => {
                assert!(now <= deadline);
                if let Ok(report) = &result {
                    assert_eq!(report.status(), Some(&ReportStatus::Complete));
                    let said: UsageReport =
                        serde_json::from_slice(&last_body).expect("the last body was a report");
                    assert_eq!(said.status(), Some(&ReportStatus::Complete));
                }
                let told = |error: Error| format!("{error} {error:?}");
                return assert_eq!(result.map_err(told), of_twin.map_err(told));
            }
            (step, of_twin) => panic!("{step:?}, but of its twin {of_twin:?}"),
        };
    }
}

fn assert_same(a: &http::Request<Bytes>, b: &http::Request<Bytes>) {
    assert_eq!((a.method(), a.uri(), a.headers(), a.body()), (b.method(), b.uri(), b.headers(), b.body()));
}
