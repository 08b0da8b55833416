//! The poll machine under arbitrary replies.

use billing_core::calls::BillableUsage;
use billing_core::model::{ReportStatus, UsageReport};
use billing_core::{
    Environment, Machine, Policy, Poll, Reply, Report, Request, Step, TransportError, TransportErrorKind,
};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::Response;

use super::period;

/// Whatever a server answers, and however long it takes: a poll ends, once, by its deadline, within its bound of requests;
/// it sends the same request each time, at least 2 s apart; it is done only by a body that says `Complete`; and saved and
/// restored at every wait it goes on as if it had not been.
pub fn poll(data: &[u8]) {
    let mut script = Script(data);
    let policy = Policy { seed: u64::from(script.byte()), ..Policy::default() };
    let begin = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let deadline = begin + TimeDelta::from_std(policy.overall).expect("a quarter of an hour");
    let api = Environment::default().api().clone();

    let mut now = begin;
    let mut first: Option<http::Request<Bytes>> = None;
    let mut last_reply: Option<DateTime<Utc>> = None;
    let mut last_body = Bytes::new();
    let mut step = Poll::new(BillableUsage::new(period()), api, policy).step(now);
    for requests in 1.. {
        step = match step {
            Step::Send(request, sent) => {
                assert!(requests <= 2 * 451 && now < deadline);
                assert_same(first.get_or_insert_with(|| request.http().clone()), request.http());
                assert!(last_reply.is_none_or(|last| now - last >= TimeDelta::seconds(2)));
                let reply = script.reply(&request, now);
                now += TimeDelta::milliseconds(i64::from(script.byte()) * i64::from(script.byte()));
                last_body = reply.as_ref().map(|r| r.body().clone()).unwrap_or_default();
                last_reply = Some(now);
                sent.receive(reply, now)
            }
            Step::Wait(until, poll) => {
                assert!(until > now && until <= deadline);
                let saved = serde_json::to_string(&poll).expect("a parked poll can be saved");
                let restored: Poll<BillableUsage> = serde_json::from_str(&saved).expect("and restored");
                assert_eq!(serde_json::to_string(&restored).expect("and saved again"), saved);
                now = until;
                restored.step(now)
            }
            Step::Done(result) => {
                if let Ok(report) = result {
                    assert_eq!(report.status(), Some(&ReportStatus::Complete));
                    let said: UsageReport =
                        serde_json::from_slice(&last_body).expect("the last body was a report");
                    assert_eq!(said.status(), Some(&ReportStatus::Complete));
                }
                return;
            }
        };
    }
}

fn assert_same(a: &http::Request<Bytes>, b: &http::Request<Bytes>) {
    assert_eq!((a.method(), a.uri(), a.headers(), a.body()), (b.method(), b.uri(), b.headers(), b.body()));
}

/// Bytes read as a program of replies. When they are used up, the report is complete.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn bytes(&mut self) -> Bytes {
        let n = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(n);
        self.0 = rest;
        Bytes::copy_from_slice(taken)
    }

    fn reply(&mut self, request: &Request, now: DateTime<Utc>) -> Reply {
        if self.0.is_empty() {
            return Ok(Response::new(Bytes::from_static(br#"{"status":"Complete"}"#)));
        }
        let lost = |kind| Err(TransportError::new(kind, "by the script"));
        match self.byte() % 16 {
            0 => lost(TransportErrorKind::Reset),
            1 => lost(TransportErrorKind::Truncated),
            2 => lost(TransportErrorKind::Timeout),
            3 => lost(TransportErrorKind::Tls),
            4 => lost(TransportErrorKind::TooLarge { limit: request.max_body() }),
            5..=8 => Ok(Response::new(Bytes::from_static(br#"{"status":"InProgress"}"#))),
            9 => Ok(Response::new(Bytes::from_static(br#"{"status":"Paused"}"#))),
            _ => self.response(now),
        }
    }

    fn response(&mut self, now: DateTime<Utc>) -> Reply {
        const STATUSES: [u16; 16] =
            [200, 200, 202, 204, 301, 400, 401, 403, 404, 408, 429, 429, 500, 501, 503, 599];
        let status = STATUSES[usize::from(self.byte() % 16)];
        let mut response = Response::builder().status(status);
        match self.byte() % 8 {
            0..=3 => {}
            4 => response = response.header("retry-after", self.byte().to_string()),
            5 => {
                let date = now + TimeDelta::seconds(i64::from(self.byte()));
                let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
                response = response.header("retry-after", date);
            }
            _ => {
                if let Ok(value) = http::HeaderValue::from_bytes(&self.bytes()) {
                    response = response.header("retry-after", value);
                }
            }
        }
        Ok(response.body(self.bytes()).expect("valid parts"))
    }
}
