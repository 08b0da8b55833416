//! The life of a restored machine, whatever it is.

use std::cell::RefCell;
use std::rc::Rc;

use billing_core::{Authorized, Credentials, Environment, Error, Machine, Reply, Request, Session, Step};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::Response;

use super::{Saved, Script, now};

/// A machine goes on from whatever it was restored as, under a session and with what a script answers, without a panic. What
/// carries credentials goes to the session's own hosts; nothing is sent and nothing waited for at the deadline that it names
/// or after it; every wait is in the future; it can be saved again; and its end is told in one line without a secret.
pub(super) fn run<M: Saved>(machine: M, script: &mut Script<'_>) {
    let credentials = Credentials::client("clientid", SECRET).expect("valid texts");
    let session = Rc::new(RefCell::new(Session::new(Environment::default(), credentials)));
    let tail = script.byte();
    let mut clock = begin(&machine, script.byte());
    let mut step = Authorized::new(machine, session.clone()).step(clock);
    for steps in 0..MOST_STEPS {
        step = match step {
            Step::Send(request, sent) => {
                stays_at_home(&request);
                if steps < LOOKED_AT {
                    let shown = format!("{request:?}");
                    assert!(!shown.contains(TOKEN) && !shown.contains(SECRET), "{shown}");
                }
                let deadline = sent.progress().deadline.expect("it has begun");
                assert!(clock < deadline, "sent at {clock}, after {deadline}");
                let timeout = TimeDelta::from_std(request.timeout(clock)).expect("less than the calendar");
                let reply = reply(&request, script, tail, clock);
                let took = TimeDelta::milliseconds(i64::from(script.byte()) * i64::from(script.byte()));
                clock += took.min(timeout);
                sent.receive(reply, clock)
            }
            Step::Wait(until, machine) => {
                let progress = machine.progress();
                let deadline = progress.deadline.expect("it has begun");
                assert!(until > clock && until <= deadline, "{until} is not after {clock} and by {deadline}");
                progress.explain();
                if steps < LOOKED_AT {
                    let saved = serde_json::to_string(machine.machine()).expect("what waits can be saved");
                    let restored: M = serde_json::from_str(&saved).expect("and restored");
                    assert_eq!(serde_json::to_string(&restored).expect("and saved again"), saved);
                }
                let late = TimeDelta::milliseconds(i64::from(script.byte()) * 100);
                clock = until.checked_add_signed(late).unwrap_or(until);
                machine.step(clock)
            }
            Step::Done(Ok(output)) => match M::rest(output) {
                Some(rest) => Authorized::new(rest, session.clone()).step(clock),
                None => return,
            },
            Step::Done(Err(error)) => return is_told(&error),
        };
    }
}

/// Returns the start time: when it is due, within its time, after it, or by a wrong clock.
fn begin(machine: &impl Saved, choice: u8) -> DateTime<Utc> {
    let due = machine.progress().wake_at.unwrap_or(now());
    match choice % 8 {
        0..=2 => due,
        3 => now(),
        4 => now() + TimeDelta::minutes(20),
        5 => now() - TimeDelta::days(365),
        6 => DateTime::<Utc>::MAX_UTC,
        _ => DateTime::<Utc>::MIN_UTC,
    }
}

fn stays_at_home(request: &Request) {
    let (http, home) = (request.http(), Environment::default());
    let authorization = http.headers()["authorization"].to_str().expect("visible characters");
    let uri = http.uri().to_string();
    match authorization.strip_prefix("Bearer ") {
        Some(token) => assert!(token == TOKEN && uri.starts_with(&format!("{}/", home.api())), "{uri}"),
        None => assert_eq!(uri, format!("{}/oauth/token", home.login())),
    }
}

fn reply(request: &Request, script: &mut Script<'_>, tail: u8, now: DateTime<Utc>) -> Reply {
    let of = |status: u16, body: &'static str| {
        Ok(Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).expect("valid parts"))
    };
    if request.http().uri().path() == "/oauth/token" {
        return match script.byte() % 8 {
            0..=4 => of(200, r#"{"access_token":"t0ken-t0ken","expires_in":86400}"#),
            5 => of(200, r#"{"access_token":"t0ken-t0ken","expires_in":0}"#),
            _ => script.reply(request, now),
        };
    }
    if !script.is_over() {
        return script.reply(request, now);
    }
    match tail % 8 {
        0 => of(503, ""),
        1 => of(429, ""),
        2 => of(200, r#"{"status":"InProgress"}"#),
        3 => of(200, r#"{"status":"Paused"}"#),
        4 => of(401, ""),
        5 => of(400, r#"{"code":"bad.request"}"#),
        // Whatever was asked for, these are whole answers to it.
        6 => of(200, OCTOBER),
        _ => of(200, LONG_AGO),
    }
}

fn is_told(error: &Error) {
    let line = error.to_string();
    assert!(!line.contains(char::is_control), "{line}");
    let shown = format!("{line} {error:?}");
    // The login service is not sent the token: what looks like one in its answer is text like any other.
    let told = shown.contains(TOKEN) && error.operation().id() != "post_oauth_token";
    assert!(!shown.contains(SECRET) && !told, "{shown}");
}

/// To look at each step of very many closely would take longer than to look at many machines.
const LOOKED_AT: usize = 8;
/// Only an edited schedule has so many.
const MOST_STEPS: usize = 2_000;
const OCTOBER: &str = r#"{"status":"Complete","entities":[],"billingPeriodStartDate":"2026-10-01T00:00:00Z","billingPeriodEndDate":"2026-10-31T23:59:59Z"}"#;
const LONG_AGO: &str = r#"{"status":"Complete","entities":[],"billingPeriodStartDate":"2020-10-01T00:00:00Z","billingPeriodEndDate":"2020-10-31T23:59:59Z"}"#;
const SECRET: &str = "s3cret-s3cret";
const TOKEN: &str = "t0ken-t0ken";
