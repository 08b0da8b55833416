use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::TransportErrorKind as Kind;
use crate::machine::retry_loop::{MAX_OWN_WAIT, MAX_SESSION_MARGIN};
use crate::testing::{
    IN_PROGRESS, exchange, poll, reply, run_in_virtual_time, run_script, start_time, transport_failure,
};
use crate::values::clock::{between, saturating_add};
use crate::{Authorized, Credentials, Environment, Session};
use crate::{Error, ErrorKind};

const OVERVIEW: &str = r#"{"currency":"EUR"}"#;

fn kind_after(replies: &[crate::Reply]) -> (Option<ErrorKind>, usize) {
    let run = run_script(exchange(Policy::default()), replies);
    (run.result.as_ref().err().map(|error| error.kind().clone()), run.sent_requests.len())
}

#[test]
fn a_good_answer_is_the_end() {
    let run = run_script(exchange(Policy::default()), &[reply(200, "", OVERVIEW)]);
    assert_eq!(run.result.unwrap().currency.as_deref(), Some("EUR"));
    assert_eq!(run.sent_requests.len(), 1);
}

#[test]
fn transient_failures_are_retried_five_times() {
    for status in [408, 425, 500, 502, 503, 504] {
        let failing = reply(status, "", "<html>");
        assert_eq!(kind_after(std::slice::from_ref(&failing)), (Some(ErrorKind::Server), 6), "{status}");
        assert_eq!(kind_after(&[failing, reply(200, "", OVERVIEW)]), (None, 2), "{status}");
    }
    for kind in [Kind::Dns, Kind::Connect, Kind::Timeout, Kind::Reset, Kind::Malformed] {
        assert_eq!(kind_after(&[transport_failure(kind)]), (Some(ErrorKind::Transport(kind)), 6), "{kind:?}");
    }
}

#[test]
fn d09_a_token_that_the_server_sends_back_is_in_no_error_of_a_good_answer_either() {
    let shown = |error: &Error| format!("{error} {error:?} {:?}", std::error::Error::source(error));
    let fail_with = |policy: Policy, replies: &[crate::Reply]| {
        let credentials = Credentials::access_token("t0kent0ken").unwrap();
        let session = Rc::new(RefCell::new(Session::new(Environment::default(), credentials)));
        let run = run_script(Authorized::new(poll(policy), session), replies);
        assert!(!shown(run.error()).contains("t0kent0ken"), "{}", run.error());
        run.error().clone()
    };
    let echoed = "inin-correlation-id: id of t0kent0ken";
    // The deadline of a poll whose last response was valid.
    let hurried = Policy { timeout: Duration::from_secs(5), ..Policy::default() };
    let error = fail_with(hurried, &[reply(200, echoed, IN_PROGRESS)]);
    assert!(matches!(error.kind(), ErrorKind::DeadlineExceeded(_)), "{error}");
    assert_eq!(error.correlation_id(), Some("id of [secret]"));
    // A response that cannot be parsed, and its location.
    for body in [r#"{"status":{"t0kent0ken":1}}"#, r#"{"usages":"t0kent0ken"}"#, r#"{"t0kent0ken":tru}"#] {
        let error = fail_with(Policy::default(), &[reply(200, echoed, body)]);
        assert!(matches!(error.kind(), ErrorKind::Decode(_)), "{error}");
    }
    // An unknown status.
    let paused = r#"{"status":"Paused for t0kent0ken"}"#;
    let error = fail_with(Policy::default(), &[reply(200, echoed, paused)]);
    assert_eq!(error.kind(), &ErrorKind::UnknownStatus("Paused for [secret]".into()));
    let cut = crate::TransportError::new(Kind::Truncated, "after t0kent0ken");
    fail_with(Policy::default(), &[Err(cut)]);
    fail_with(Policy::default(), &[Err(crate::TransportError::new(Kind::Reset, "after t0kent0ken"))]);
    // A login response that cannot be parsed: the client's secret.
    let credentials = Credentials::client("id", "s3cr3ts3cr3t").unwrap();
    let session = Rc::new(RefCell::new(Session::new(Environment::default(), credentials)));
    let echoed = "inin-correlation-id: s3cr3ts3cr3t";
    let run = run_script(Authorized::new(poll(Policy::default()), session), &[reply(200, echoed, "{}")]);
    assert!(!shown(run.error()).contains("s3cr3ts3cr3t"), "{}", run.error());
}

#[test]
fn undecodable_answers_are_retried_twice() {
    for unreadable in [
        reply(200, "", "<html>"),
        reply(200, "", r#"{"usages":[{"#),
        reply(200, "", r#"{"currency":7}"#),
        transport_failure(Kind::Truncated),
    ] {
        let (error, requests) = kind_after(std::slice::from_ref(&unreadable));
        assert!(matches!(error, Some(ErrorKind::Decode(_))) && requests == 3, "{error:?}");
        assert_eq!(kind_after(&[unreadable, reply(200, "", OVERVIEW)]), (None, 2));
    }
}

#[test]
fn permanent_failures_are_errors_at_once() {
    for (status, kind) in [
        (401, ErrorKind::Unauthorized),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (400, ErrorKind::Rejected),
        (409, ErrorKind::Rejected),
        (413, ErrorKind::Rejected),
        (501, ErrorKind::Server),
        (505, ErrorKind::Server),
        (599, ErrorKind::Server),
        (201, ErrorKind::UnexpectedStatus),
        (202, ErrorKind::UnexpectedStatus),
        (204, ErrorKind::UnexpectedStatus),
        (301, ErrorKind::UnexpectedStatus),
        (307, ErrorKind::UnexpectedStatus),
    ] {
        assert_eq!(
            kind_after(&[reply(status, "location: https://evil.test/", "{}")]),
            (Some(kind), 1),
            "{status}"
        );
    }
    for kind in [Kind::Tls, Kind::InvalidRequest, Kind::TooLarge { limit: 1 }] {
        assert_eq!(kind_after(&[transport_failure(kind)]), (Some(ErrorKind::Transport(kind)), 1));
    }
}

#[test]
fn retry_after_is_honoured() {
    let busy = reply(503, "retry-after: 7", "");
    let run = run_script(exchange(Policy::default()), &[busy, reply(200, "", OVERVIEW)]);
    assert!((7000..7100).contains(&run.gaps()[0]), "{:?}", run.gaps());
}

#[test]
fn a_429_costs_no_attempt() {
    let throttled = reply(429, "retry-after: 3", "");
    let mut replies = vec![throttled; 10];
    replies.push(reply(200, "", OVERVIEW));
    let run = run_script(exchange(Policy::default()), &replies);
    assert_eq!(run.sent_requests.len(), 11);
    assert!(run.result.is_ok() && run.gaps().iter().all(|gap| (3000..4000).contains(gap)));
}

#[test]
fn a_429_without_headers_doubles_and_the_deadline_holds() {
    let run = run_script(exchange(Policy::default()), &[reply(429, "", "")]);
    assert_eq!(run.gaps()[..6], [5001, 10001, 20001, 40001, 60001, 60001]);
    assert!(matches!(run.error().kind(), ErrorKind::DeadlineExceeded(_)));
    assert_eq!(run.error().status().map(|s| s.as_u16()), Some(429));
    assert!(run.end_millis < 900_000);
}

#[test]
fn a_long_hint_defers_and_names_the_time() {
    for status in [429, 503] {
        let run = run_script(exchange(Policy::default()), &[reply(status, "retry-after: 7200", "")]);
        let until = run.error().retry_at().unwrap();
        assert!((7200..7202).contains(&between(start_time(), until).as_secs()));
        assert_eq!(run.sent_requests.len(), 1);
    }
    let hurried = Policy { timeout: Duration::from_secs(10), ..Policy::default() };
    let run = run_script(exchange(hurried), &[reply(503, "retry-after: 30", "")]);
    assert!(matches!(run.error().kind(), ErrorKind::Deferred(_)));
    let edge = run_script(
        exchange(Policy::default()),
        &[reply(503, "retry-after: 120", ""), reply(200, "", OVERVIEW)],
    );
    assert!(edge.result.is_ok());
}

#[test]
fn d04_a_wake_past_the_deadline_is_an_error_now() {
    let policy = Policy { timeout: Duration::from_secs(4), ..Policy::default() };
    let run = run_script(exchange(policy), &[reply(429, "", "")]);
    assert!(matches!(run.error().kind(), ErrorKind::DeadlineExceeded(_)));
    assert_eq!(run.end_millis, 1, "ends at once");
}

#[test]
fn d04_nothing_is_scheduled_for_the_deadline_itself() {
    // The response arrives 1 ms after the start, and the wait is 5 s.
    let policy = |millis| Policy { timeout: Duration::from_millis(millis), ..Policy::default() };
    for (timeout, requests) in [(5_001, 1), (5_002, 2)] {
        let run = run_script(exchange(policy(timeout)), &[reply(429, "", ""), reply(200, "", "{}")]);
        assert_eq!((run.sent_requests.len(), run.result.is_ok()), (requests, requests == 2), "{timeout}");
        assert!(run.end_millis == 1 || requests == 2, "ends at once");
    }
    for (timeout, deferred) in [(60_001, true), (60_002, false)] {
        let replies = [reply(503, "retry-after: 60", ""), reply(200, "", "{}")];
        let run = run_script(exchange(policy(timeout)), &replies);
        let is_deferred = matches!(&run.result, Err(error) if matches!(error.kind(), ErrorKind::Deferred(_)));
        assert_eq!((is_deferred, run.result.is_ok()), (deferred, !deferred), "{timeout}");
    }
    // The hint is still within `max_server_wait`.
    let long = Policy { timeout: Duration::from_secs(1000), ..Policy::default() };
    let succeeds = |seconds| {
        let hint = format!("retry-after: {seconds}");
        run_script(exchange(long.clone()), &[reply(503, &hint, ""), reply(200, "", "{}")]).result.is_ok()
    };
    assert_eq!((succeeds(120), succeeds(121)), (true, false));
}

#[test]
fn d05_the_documented_bound_is_reached_and_not_passed() {
    // The worst case of the decision table: two undecodable responses after each transient failure.
    let mut n = 0;
    let run = run_in_virtual_time(exchange(Policy::default()), |_, _| {
        n += 1;
        if n % 3 == 1 {
            reply(200, "", "x")
        } else if n % 3 == 2 {
            reply(200, "", "y")
        } else {
            transport_failure(Kind::Reset)
        }
    });
    assert_eq!(run.sent_requests.len(), 18);
}

#[test]
fn d08_the_same_seed_gives_the_same_waits() {
    let gaps =
        |seed| run_script(exchange(Policy { seed, ..Policy::default() }), &[reply(500, "", "")]).gaps();
    assert_eq!(gaps(7), gaps(7));
    assert_ne!(gaps(7), gaps(8));
}

#[test]
fn the_time_for_an_attempt_ends_with_the_deadline() {
    let policy = Policy { timeout: Duration::from_secs(10), ..Policy::default() };
    let Step::Send(request, _) = exchange(policy).step(start_time()) else { panic!("a request") };
    assert_eq!(request.timeout(start_time()), Duration::from_secs(10));
    assert_eq!(request.timeout(saturating_add(start_time(), Duration::from_secs(9))), Duration::from_secs(1));
    assert_eq!(request.timeout(saturating_add(start_time(), Duration::from_secs(99))), Duration::ZERO);
    let Step::Send(request, _) = exchange(Policy::default()).step(start_time()) else { panic!("a request") };
    assert_eq!(request.timeout(start_time()), Duration::from_secs(60));
}

#[test]
fn long_configured_waits_are_not_taken_for_a_clock_set_back() {
    let retries = crate::machine::RetrySchedule {
        initial_delay: Duration::from_secs(1000),
        max_delay: Duration::MAX,
        ..Default::default()
    };
    let run = run_script(
        exchange(Policy { retry: retries, ..Policy::default() }),
        &[reply(500, "", ""), reply(200, "", OVERVIEW)],
    );
    assert!(run.result.is_ok() && run.gaps()[0] > 121_000, "{:?}", run.gaps());
    let polls = crate::poll::PollSchedule {
        min_wait: Duration::from_secs(300),
        max_wait: Duration::MAX,
        ..Default::default()
    };
    let policy = Policy { poll: polls, ..Policy::default() };
    let replies = [reply(200, "", crate::testing::IN_PROGRESS), reply(200, "", crate::testing::COMPLETE)];
    let run = run_script(crate::testing::poll(policy), &replies);
    assert!(run.result.is_ok() && run.gaps()[0] >= 270_000, "{:?}", run.gaps());
}

#[test]
fn a_clock_set_back_while_parked_moves_the_times_with_it() {
    let step = exchange(Policy::default()).step(start_time());
    let Step::Send(_, sent) = step else { panic!("a request") };
    let Step::Wait(_, parked) = sent.receive(reply(503, "retry-after: 5", ""), start_time()) else {
        panic!("a wait")
    };
    let yesterday = start_time() - chrono::TimeDelta::days(1);
    let Step::Wait(until, parked) = parked.step(yesterday) else { panic!("a wait") };
    assert!(between(yesterday, until) <= MAX_OWN_WAIT + MAX_SESSION_MARGIN);
    assert!(parked.progress().deadline.unwrap() < saturating_add(yesterday, Duration::from_secs(1200)));
    assert!(matches!(parked.step(until), Step::Send(..)));
}
