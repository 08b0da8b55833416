use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::calls::LOGIN;
use crate::session::Pacing;
use crate::testing::{Run, exchange, poll, reply, run_in_virtual_time, start_time, transport_failure};
use crate::values::clock::{between, saturating_add, saturating_sub};
use crate::{Credentials, Environment, Error, ErrorKind, Exchange, Policy, Reply, TransportErrorKind};

type Shared = Rc<RefCell<Session>>;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn shared(credentials: Credentials) -> Shared {
    Rc::new(RefCell::new(Session::new(Environment::default(), credentials)))
}

fn without_pacing(credentials: Credentials) -> Shared {
    let pacing = Pacing { min_interval: None };
    Rc::new(RefCell::new(Session::with_pacing(Environment::default(), credentials, pacing, 1)))
}

fn client() -> Credentials {
    Credentials::client("id", "s3cret").unwrap()
}

fn is_login(request: &Request) -> bool {
    request.http().uri().path() == "/oauth/token"
}

fn bearer(request: &Request) -> &str {
    request.http().headers()[AUTHORIZATION].to_str().unwrap()
}

/// Builds a server whose logins return the tokens `t1`, `t2`, …, and which answers API requests by `api`,
/// called with the number of the request's token.
fn server(mut api: impl FnMut(u32, &Request) -> Reply) -> impl FnMut(&Request, DateTime<Utc>) -> Reply {
    let mut logins = 0;
    move |request, _| {
        if is_login(request) {
            logins += 1;
            return reply(200, "", &format!(r#"{{"access_token":"t{logins}","expires_in":3600}}"#));
        }
        api(bearer(request).trim_start_matches("Bearer t").parse().unwrap(), request)
    }
}

fn counts<T>(run: &Run<T>) -> (usize, usize) {
    let logins = run.sent_requests.iter().filter(|(_, request)| is_login(request)).count();
    (logins, run.sent_requests.len() - logins)
}

fn overview(session: &Shared) -> Authorized<Exchange<crate::calls::TrusteeOverviewCall>, Shared> {
    Authorized::new(exchange(Policy::default()), session.clone())
}

#[test]
fn it_logs_in_first_and_once() {
    let session = shared(client());
    let first = run_in_virtual_time(overview(&session), server(|_, _| reply(200, "", "{}")));
    assert_eq!(counts(&first), (1, 1));
    assert_eq!(bearer(&first.sent_requests[1].1), "Bearer t1");
    let second = run_in_virtual_time(overview(&session), |_, _| reply(200, "", "{}"));
    assert_eq!(counts(&second), (0, 1));
}

#[test]
fn a_401_logs_in_again_once_and_a_second_is_the_error() {
    let renewed = run_in_virtual_time(
        overview(&shared(client())),
        server(|token, _| reply(if token == 1 { 401 } else { 200 }, "", "{}")),
    );
    assert_eq!(counts(&renewed), (2, 2));
    assert!(renewed.result.is_ok());
    let refused = run_in_virtual_time(
        overview(&shared(client())),
        server(|_, _| reply(401, "", r#"{"code":"bad.credentials"}"#)),
    );
    assert_eq!(counts(&refused), (2, 2));
    assert_eq!(refused.error().kind(), &ErrorKind::Unauthorized);
    assert_eq!((refused.error().code(), refused.error().attempts()), (Some("bad.credentials"), 4));
}

#[test]
fn a_token_of_the_callers_is_not_renewed() {
    let session = shared(Credentials::access_token("mine").unwrap());
    let run = run_in_virtual_time(overview(&session), |request, _| {
        assert_eq!(bearer(request), "Bearer mine");
        reply(401, "", "mine is no good")
    });
    assert_eq!((counts(&run), run.error().kind()), ((0, 1), &ErrorKind::Unauthorized));
    assert!(!format!("{:?} {}", run.error(), run.error()).contains("mine"));
}

#[test]
fn d06_a_401_costs_no_poll_and_moves_no_schedule() {
    let waits = |mut stale: Vec<u32>| {
        let mut polls = 0;
        let run = run_in_virtual_time(
            Authorized::new(poll(Policy::default()), without_pacing(client())),
            server(move |_, _| {
                if stale.first() == Some(&polls) {
                    stale.remove(0);
                    return reply(401, "", "");
                }
                polls += 1;
                reply(
                    200,
                    "",
                    if polls < 8 { r#"{"status":"InProgress"}"# } else { r#"{"status":"Complete"}"# },
                )
            }),
        );
        assert!(run.result.is_ok());
        (run.end_millis / 100, counts(&run))
    };
    let (plain, disturbed) = (waits(vec![]), waits(vec![2, 5]));
    assert_eq!((plain.1, disturbed.1), ((1, 8), (3, 10)));
    assert_eq!(plain.0, disturbed.0);
}

#[test]
fn d06_one_login_for_all_and_a_401_invalidates_only_its_own_token() {
    let session = shared(client());
    let step = |machine: Authorized<_, Shared>| machine.step(start_time());
    let Step::Send(login, logging_in) = step(overview(&session)) else { panic!("a login") };
    assert!(is_login(&login));
    let Step::Wait(_, joined) = step(overview(&session)) else { panic!("a wait for the other's login") };
    assert!(joined.awaits_login() && joined.progress().wait_reason == WaitReason::Login);
    let revision = session.with(|s| s.revision());
    let Step::Send(a, sent_a) = logging_in.receive(reply(200, "", r#"{"access_token":"t1"}"#), start_time())
    else {
        panic!("the call")
    };
    assert_ne!(session.with(|s| s.revision()), revision);
    let later = saturating_add(start_time(), Duration::from_millis(200));
    let Step::Send(b, sent_b) = joined.step(later) else { panic!("the call") };
    assert_eq!((bearer(&a), bearer(&b)), ("Bearer t1", "Bearer t1"));

    // Both requests get a 401. The first causes one login; the second is sent again with its token.
    let Step::Send(login, logging_in) = sent_a.receive(reply(401, "", ""), later) else { panic!("a login") };
    assert!(is_login(&login));
    let later = saturating_add(later, Duration::from_secs(1));
    let Step::Send(_, _sent_a) = logging_in.receive(reply(200, "", r#"{"access_token":"t2"}"#), later) else {
        panic!("the call")
    };
    let later = saturating_add(later, Duration::from_secs(1));
    let Step::Send(b, sent_b) = sent_b.receive(reply(401, "", ""), later) else { panic!("the call again") };
    assert_eq!(bearer(&b), "Bearer t2");
    assert!(matches!(sent_b.receive(reply(200, "", "{}"), later), Step::Done(Ok(_))));
}

#[test]
fn a_dropped_login_is_taken_over() {
    let session = shared(client());
    let Step::Send(_, logging_in) = overview(&session).step(start_time()) else { panic!("a login") };
    let Step::Wait(_, joined) = overview(&session).step(start_time()) else { panic!("a wait") };
    let revision = session.with(|s| s.revision());
    drop(logging_in);
    assert_ne!(session.with(|s| s.revision()), revision);
    let Step::Send(login, _sent) = joined.step(start_time()) else { panic!("a login of its own") };
    assert!(is_login(&login));
}

#[test]
fn a_silent_login_is_taken_over_when_its_time_is_over() {
    let session = shared(client());
    let Step::Send(_, _forgotten) = overview(&session).step(start_time()) else { panic!("a login") };
    let Step::Wait(until, joined) = overview(&session).step(start_time()) else { panic!("a wait") };
    assert!(matches!(joined.step(until), Step::Send(login, _) if is_login(&login)));
}

/// Returns the time, in seconds after a clock that was set back by a day from `now`, until which a call
/// waits. Ten of these seconds are the session's clock tolerance.
fn seconds_waited_after_clock_set_back(session: &Shared, now: DateTime<Utc>) -> f64 {
    let yesterday = saturating_sub(now, DAY);
    match overview(session).step(yesterday) {
        Step::Wait(until, _) => between(yesterday, until).as_secs_f64(),
        other => panic!("a wait, not {other:?}"),
    }
}

#[test]
fn d07_a_429_parks_no_longer_on_a_clock_that_was_set_back() {
    let session = without_pacing(Credentials::access_token("t").unwrap());
    let Step::Send(_, sent) = overview(&session).step(start_time()) else { panic!("a call") };
    let Step::Wait(..) = sent.receive(reply(429, "retry-after: 90", ""), start_time()) else {
        panic!("a wait")
    };
    let waits = seconds_waited_after_clock_set_back(&session, start_time());
    assert!((100.0..=101.0).contains(&waits), "{waits}");
}

#[test]
fn a_window_that_is_used_up_is_awaited_no_longer_on_a_clock_that_was_set_back() {
    let session = without_pacing(Credentials::access_token("t").unwrap());
    let headers = "inin-ratelimit-allowed: 1\ninin-ratelimit-count: 1\ninin-ratelimit-reset: 60";
    run_in_virtual_time(overview(&session), |_, _| reply(200, headers, "{}"));
    let waits = seconds_waited_after_clock_set_back(&session, start_time());
    assert!((70.0..=71.0).contains(&waits), "{waits}");
}

#[test]
fn d06_a_silent_login_and_one_that_backs_off_are_awaited_no_longer_on_a_clock_that_was_set_back() {
    let session = shared(client());
    let Step::Send(_, _silent) = overview(&session).step(start_time()) else { panic!("a login") };
    assert_eq!(seconds_waited_after_clock_set_back(&session, start_time()), 41.0);
    let session = shared(client());
    let Step::Send(_, sent) = overview(&session).step(start_time()) else { panic!("a login") };
    let Step::Wait(..) = sent.receive(reply(503, "retry-after: 90", ""), start_time()) else {
        panic!("a wait")
    };
    assert_eq!(seconds_waited_after_clock_set_back(&session, start_time()), 100.0);
}

#[test]
fn d06_and_d07_what_comes_after_a_clock_was_set_back_holds_from_then() {
    let yesterday = saturating_sub(start_time(), DAY);
    let waits = |session: &Shared| match overview(session).step(yesterday) {
        Step::Wait(until, _) => between(yesterday, until).as_secs_f64(),
        other => panic!("a wait, not {other:?}"),
    };
    for (session, status) in
        [(without_pacing(Credentials::access_token("t").unwrap()), 429), (shared(client()), 503)]
    {
        let Step::Send(_, sent) = overview(&session).step(start_time()) else { panic!("a request") };
        let asked = reply(status, "retry-after: 90", "");
        let Step::Wait(..) = sent.receive(asked, yesterday) else { panic!("a wait") };
        assert!((90.0..=91.0).contains(&waits(&session)), "{status}: {}", waits(&session));
    }
}

#[test]
fn a_token_lasts_no_longer_on_a_clock_that_was_set_back() {
    let session = without_pacing(client());
    run_in_virtual_time(overview(&session), server(|_, _| reply(200, "", "{}")));
    let sends_login = |now| match overview(&session).step(now) {
        Step::Send(request, _) => is_login(&request),
        other => panic!("a request, not {other:?}"),
    };
    let yesterday = saturating_sub(start_time(), DAY);
    assert!(!sends_login(yesterday));
    assert!(!sends_login(saturating_add(yesterday, Duration::from_secs(3_549))));
    assert!(sends_login(saturating_add(yesterday, Duration::from_secs(3_551))));
}

#[test]
fn d07_threads_that_come_out_of_order_set_no_clock_back() {
    let session = without_pacing(Credentials::access_token("t").unwrap());
    let Step::Send(_, sent) = overview(&session).step(start_time()) else { panic!("a call") };
    let Step::Wait(until, _) = sent.receive(reply(429, "retry-after: 90", ""), start_time()) else {
        panic!("a wait")
    };
    for late in [1, 10, 5] {
        let now = saturating_sub(start_time(), Duration::from_secs(late));
        assert!(matches!(overview(&session).step(now), Step::Wait(same, _) if same == until), "{late}");
    }
}

#[test]
fn refused_credentials_fail_every_call() {
    let session = shared(client());
    let body = r#"{"error":"invalid_client","description":"client not found: invalid_client"}"#;
    let first = run_in_virtual_time(overview(&session), |_, _| reply(400, "", body));
    assert_eq!((counts(&first), first.error().kind()), ((1, 0), &ErrorKind::LoginRefused));
    assert_eq!((first.error().code(), first.error().attempts()), (Some("invalid_client"), 1));
    let second = run_in_virtual_time(overview(&session), |_, _| panic!("nothing may be sent"));
    assert_eq!((second.error().kind(), second.error().attempts()), (&ErrorKind::LoginRefused, 0));
}

#[test]
fn d05_a_lifetime_of_nothing_is_no_endless_login() {
    let run = run_in_virtual_time(overview(&shared(client())), |request, _| match is_login(request) {
        true => reply(200, "", r#"{"access_token":"t","expires_in":0}"#),
        false => reply(200, "", "{}"),
    });
    assert_eq!(counts(&run), (1, 1));
}

#[test]
fn gateway_4xx_on_login_does_not_end_the_session() {
    for status in [400, 403, 404] {
        let session = shared(client());
        let first = run_in_virtual_time(overview(&session), |_, _| reply(status, "", "<html>WAF</html>"));
        assert_eq!((counts(&first), first.error().kind()), ((1, 0), &ErrorKind::LoginRefused), "{status}");
        let second = run_in_virtual_time(overview(&session), server(|_, _| reply(200, "", "{}")));
        assert!(second.result.is_ok());
        // An OAuth error that is not about the credentials is not final either.
        let session = shared(client());
        let busy = run_in_virtual_time(overview(&session), |_, _| {
            reply(status, "", r#"{"error":"temporarily_unavailable"}"#)
        });
        assert_eq!(busy.error().kind(), &ErrorKind::LoginRefused);
        assert!(run_in_virtual_time(overview(&session), server(|_, _| reply(200, "", "{}"))).result.is_ok());
    }
}

#[test]
fn a_failing_login_backs_off_and_is_given_up_by_all_who_wait() {
    let session = shared(client());
    let failed = run_in_virtual_time(overview(&session), |_, _| reply(503, "", "<html>"));
    assert_eq!((counts(&failed), failed.error().kind()), ((6, 0), &ErrorKind::Server));
    assert_eq!(failed.error().operation(), crate::calls::LOGIN);
    let bounds = [500, 1000, 2000, 4000, 8000];
    assert!(failed.gaps().iter().zip(bounds).all(|(gap, bound)| *gap <= bound + 1), "{:?}", failed.gaps());
    assert!(failed.end_millis > 500, "{:?}", failed.gaps());

    let session = shared(client());
    let mut machines: Vec<_> = (0..5).map(|_| overview(&session).step(start_time())).collect();
    let (mut now, mut logins, mut ended) = (start_time(), 0, 0);
    while !machines.is_empty() {
        now = saturating_add(now, Duration::from_millis(50));
        machines = machines
            .into_iter()
            .filter_map(|step| match step {
                Step::Send(request, sent) => {
                    assert!(is_login(&request));
                    logins += 1;
                    Some(sent.receive(transport_failure(TransportErrorKind::Reset), now))
                }
                Step::Wait(_, machine) => Some(machine.step(now)),
                Step::Done(result) => {
                    assert!(result.is_err());
                    ended += 1;
                    None
                }
            })
            .collect();
    }
    assert_eq!((logins, ended), (6, 5));
}

#[test]
fn d05_the_last_429_of_a_burst_is_followed_by_a_second_too() {
    let session = without_pacing(Credentials::access_token("a").unwrap());
    let [first, last] =
        [overview(&session), overview(&session)].map(|machine| match machine.step(start_time()) {
            Step::Send(_, sent) => sent,
            other => panic!("{other:?}"),
        });
    let Step::Wait(until, _) = first.receive(reply(429, "", ""), start_time()) else { panic!("a wait") };
    let late = saturating_add(start_time(), Duration::from_millis(4990));
    let Step::Wait(until_late, _) = last.receive(reply(429, "", ""), late) else { panic!("a wait") };
    assert_eq!(until, saturating_add(start_time(), Duration::from_secs(5)));
    assert_eq!(until_late, saturating_add(late, Duration::from_secs(1)));
}

#[test]
fn giving_up_a_login_does_not_fail_requests_waiting_for_quota() {
    let session = shared(client());
    let login = |token: &str| reply(200, "", &format!(r#"{{"access_token":"{token}","expires_in":30}}"#));
    let Step::Send(_, sent) = overview(&session).step(start_time()) else { panic!("a login") };
    let Step::Send(_, sent) = sent.receive(login("t1"), start_time()) else { panic!("a call") };
    let Step::Wait(until, _) = sent.receive(reply(429, "retry-after: 60", ""), start_time()) else {
        panic!("a wait")
    };
    let Step::Wait(_, held) = overview(&session).step(start_time()) else { panic!("a wait") };
    // Meanwhile the token expires, and another caller's login fails for good.
    let later = saturating_add(start_time(), Duration::from_secs(40));
    let Step::Send(request, sent) = overview(&session).step(later) else { panic!("a login") };
    assert!(is_login(&request));
    assert!(matches!(sent.receive(reply(501, "", ""), later), Step::Done(Err(_))));
    assert!(matches!(held.step(until), Step::Send(request, _) if is_login(&request)));
}

#[test]
fn request_delayed_past_its_deadline_by_a_login_names_the_login() {
    let hurried = Policy { timeout: Duration::from_secs(60), ..Policy::default() };
    for (hint, patient) in [("retry-after: 180", true), ("", false)] {
        let run = run_in_virtual_time(
            Authorized::new(exchange(hurried.clone()), shared(client())),
            |request, _| {
                assert!(is_login(request));
                reply(429, hint, "")
            },
        );
        let error = run.error();
        assert_eq!((error.operation(), error.status().map(|s| s.as_u16())), (LOGIN, Some(429)), "{error}");
        assert_eq!(error.retry_at().is_some(), patient, "{error}");
        assert!(error.to_string().contains("login"), "{error}");
    }
    // The same applies to a caller that wakes up after the deadline.
    let Step::Send(_, sent) = Authorized::new(exchange(hurried), shared(client())).step(start_time()) else {
        panic!("a login")
    };
    let Step::Wait(_, held) = sent.receive(reply(429, "retry-after: 30", ""), start_time()) else {
        panic!("a wait")
    };
    let Step::Done(Err(error)) = held.step(saturating_add(start_time(), Duration::from_secs(60))) else {
        panic!("an error")
    };
    assert_eq!(error.operation(), LOGIN);
}

#[test]
fn a_login_that_fails_now_and_then_succeeds() {
    let mut n = 0;
    let run = run_in_virtual_time(overview(&shared(client())), |request, _| {
        n += 1;
        match n {
            1 => reply(429, "retry-after: 9", ""),
            2 => reply(200, "", "<html>"),
            3 => transport_failure(TransportErrorKind::Timeout),
            4 => reply(200, "", r#"{"access_token":"t"}"#),
            _ => {
                assert!(!is_login(request));
                reply(200, "", "{}")
            }
        }
    });
    assert!(run.result.is_ok() && run.gaps()[0] >= 9000, "{:?}", run.gaps());
}

#[test]
fn a_token_is_renewed_before_its_lifetime_ends() {
    let session = shared(client());
    let mut now = start_time();
    let mut logins = 0;
    for _ in 0..10 {
        let mut step = overview(&session).step(now);
        while let Step::Send(request, sent) = step {
            logins += u32::from(is_login(&request));
            let body = if is_login(&request) { r#"{"access_token":"t","expires_in":100}"# } else { "{}" };
            step = sent.receive(reply(200, "", body), now);
        }
        now = saturating_add(now, Duration::from_secs(30));
    }
    assert_eq!(logins, 4, "at 0 s, 90 s, 180 s and 270 s");
}

#[test]
fn d07_a_429_parks_all_of_the_token_and_no_other() {
    let session = shared(Credentials::access_token("a").unwrap());
    let Step::Send(_, sent) = overview(&session).step(start_time()) else { panic!("a call") };
    let Step::Wait(until, _) = sent.receive(reply(429, "retry-after: 30", ""), start_time()) else {
        panic!("a wait")
    };
    let Step::Wait(other, _) = overview(&session).step(start_time()) else { panic!("a wait") };
    assert_eq!(until, other);
    let elsewhere = shared(Credentials::access_token("b").unwrap());
    assert!(matches!(overview(&elsewhere).step(start_time()), Step::Send(..)));
    // A call whose deadline is before the end of the wait fails at once, with that end and the server's
    // response.
    let hurried = Policy { timeout: Duration::from_secs(5), ..Policy::default() };
    let Step::Done(Err(error)) = Authorized::new(exchange(hurried), session).step(start_time()) else {
        panic!("an error")
    };
    let asked = saturating_add(start_time(), Duration::from_secs(30));
    assert_eq!((error.retry_at(), error.status().map(|s| s.as_u16())), (Some(asked), Some(429)));
}

#[test]
fn d09_credentials_go_to_the_configured_origins_only() {
    let session = shared(client());
    for base in ["https://api.evil.example", "https://login.mypurecloud.com", "http://127.0.0.1:1"] {
        let call = crate::calls::TrusteeOverviewCall::new("org".parse().unwrap());
        let exchange = Exchange::new(call, base.parse().unwrap(), Policy::default());
        let run = run_in_virtual_time(Authorized::new(exchange, session.clone()), |_, _| {
            panic!("nothing may be sent")
        });
        assert!(matches!(run.error().kind(), ErrorKind::InvalidRequest(_)), "{:?}", run.error());
        assert!(run.error().to_string().contains("nothing was sent"));
    }
}

#[test]
fn d09_nothing_renders_a_secret() {
    let session = shared(client());
    let mut seen = String::new();
    let run = run_in_virtual_time(overview(&session), |request, _| {
        seen += &format!("{request:?}");
        match is_login(request) {
            true => reply(200, "", r#"{"access_token":"t0ken"}"#),
            false => reply(500, "inin-correlation-id: t0ken", r#"{"message":"you sent Bearer t0ken"}"#),
        }
    });
    seen += &format!("{:?} {} {:?} {:?}", run.error(), run.error(), session.borrow(), client());
    for secret in ["t0ken", "s3cret", "czNjcmV0"] {
        assert!(!seen.contains(secret), "{secret} in {seen}");
    }
}

#[test]
fn d09_a_login_service_that_repeats_the_request_without_its_padding_is_not_quoted() {
    let environment = Environment::default();
    for (secret, pair) in
        [("s3cret!", "aWQ6czNjcmV0IQ"), ("s3cret!!", "aWQ6czNjcmV0ISE"), ("s3cret", "aWQ6czNjcmV0")]
    {
        for padding in ["", "=", "=="] {
            let session = Session::new(environment.clone(), Credentials::client("id", secret).unwrap());
            let echo = format!("Authorization: Basic {pair}{padding}.");
            let run =
                run_in_virtual_time(overview(&Rc::new(RefCell::new(session))), |_, _| reply(400, "", &echo));
            let shown = format!("{} {:?}", run.error(), run.error());
            assert!(shown.contains("[secret]") && !shown.contains("aWQ6"), "{shown}");
        }
    }
}

#[test]
fn d09_a_login_service_that_repeats_the_request_is_not_quoted() {
    let echo = "<pre>POST /oauth/token Authorization: Basic aWQ6czNjcmV0 id:s3cret</pre>";
    let run = run_in_virtual_time(overview(&shared(client())), |_, _| reply(400, "", echo));
    let shown = format!("{} {:?}", run.error(), run.error());
    assert!(shown.contains("[secret]") && !shown.contains("s3cret") && !shown.contains("aWQ6"), "{shown}");
}

#[test]
fn d09_a_login_that_cannot_be_read_does_not_show_its_token() {
    for body in [
        r#"{"access_token":"t0ken","expires_in":86400"#,
        r#"{"access_token":"t0ken\n"}"#,
        r#"{"token":"t0ken"}"#,
        r#"{"access_token":["t0ken"]}"#,
        r#"["t0ken"]"#,
    ] {
        let run = run_in_virtual_time(overview(&shared(client())), |_, _| {
            reply(200, "inin-correlation-id: c", body)
        });
        let error = run.error();
        assert!(matches!(error.kind(), ErrorKind::Decode(_)), "{error}");
        assert_eq!(error.correlation_id(), Some("c"));
        let shown = format!("{error} {error:?} {:?}", error.body_start());
        assert!(!shown.contains("t0ken"), "{shown}");
    }
}

#[test]
fn the_deadline_holds_while_somebody_else_logs_in() {
    let session = shared(client());
    let Step::Send(_, _held) = overview(&session).step(start_time()) else { panic!("a login") };
    let hurried = Policy { timeout: Duration::from_secs(5), ..Policy::default() };
    let Step::Wait(until, joined) = Authorized::new(exchange(hurried), session).step(start_time()) else {
        panic!("a wait")
    };
    assert_eq!(until, saturating_add(start_time(), Duration::from_secs(5)));
    let Step::Done(Err(error)) = joined.step(until) else { panic!("an error") };
    assert!(matches!(error.kind(), ErrorKind::DeadlineExceeded(_)));
}

#[test]
fn d04_a_login_that_comes_after_the_deadline_is_followed_by_no_request() {
    let hurried = Policy { timeout: Duration::from_secs(5), ..Policy::default() };
    for (seconds, in_time) in [(4, true), (5, false), (6, false)] {
        let machine = Authorized::new(exchange(hurried.clone()), shared(client()));
        let Step::Send(request, login) = machine.step(start_time()) else { panic!("a request") };
        assert!(is_login(&request));
        let token = reply(200, "", r#"{"access_token":"t1","expires_in":3600}"#);
        match login.receive(token, saturating_add(start_time(), Duration::from_secs(seconds))) {
            Step::Send(request, _) => assert!(in_time && !is_login(&request), "after {seconds} s"),
            Step::Done(Err(error)) => {
                assert!(!in_time && matches!(error.kind(), ErrorKind::DeadlineExceeded(_)), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn our_own_deadline_is_not_the_login_services_failure() {
    let session = shared(client());
    let hurried = Policy { timeout: Duration::from_secs(1), ..Policy::default() };
    let Step::Send(login, sent) = Authorized::new(exchange(hurried), session.clone()).step(start_time())
    else {
        panic!("a login")
    };
    assert_eq!(login.timeout(start_time()), Duration::from_secs(1));
    let Step::Wait(_, joined) = overview(&session).step(start_time()) else { panic!("a wait") };
    let later = saturating_add(start_time(), Duration::from_secs(1));
    let ended: Result<_, Error> = match sent.receive(transport_failure(TransportErrorKind::Timeout), later) {
        Step::Done(result) => result,
        other => panic!("{other:?}"),
    };
    assert!(matches!(ended.unwrap_err().kind(), ErrorKind::DeadlineExceeded(_)));
    assert!(matches!(joined.step(later), Step::Send(request, _) if is_login(&request)));
}

#[test]
fn a_dropped_call_frees_its_place_in_the_quota() {
    let session = without_pacing(Credentials::access_token("a").unwrap());
    for _ in 0..3 {
        let Step::Send(_, sent) = overview(&session).step(start_time()) else { panic!("a call") };
        drop(sent);
    }
    let Step::Send(_, sent) = overview(&session).step(start_time()) else { panic!("a call") };
    // The server has counted two of the four requests. If the dropped ones counted as in flight, one request
    // would be free and not three.
    let headers = "inin-ratelimit-allowed: 5\ninin-ratelimit-count: 2\ninin-ratelimit-reset: 60";
    let Step::Done(Ok(_)) = sent.receive(reply(200, headers, "{}"), start_time()) else { panic!("the end") };
    let sent: Vec<_> = (0..5).map(|_| overview(&session).step(start_time())).collect();
    assert_eq!(sent.iter().filter(|step| matches!(step, Step::Send(..))).count(), 3);
}

#[test]
fn a_late_answer_to_a_login_that_was_taken_over_is_not_taken() {
    let session = shared(client());
    let Step::Send(_, late) = overview(&session).step(start_time()) else { panic!("a login") };
    let Step::Wait(until, joined) = overview(&session).step(start_time()) else { panic!("a wait") };
    let Step::Send(_, _taken_over) = joined.step(until) else { panic!("a login of its own") };
    let body = r#"{"access_token":"late"}"#;
    let Step::Wait(_, waiting) = late.receive(reply(200, "", body), until) else {
        panic!("a wait for the other")
    };
    assert!(waiting.awaits_login());
}

#[test]
fn d02_what_is_saved_while_waiting_for_a_login_is_the_poll_itself() {
    let session = shared(client());
    let Step::Send(_, _login) = overview(&session).step(start_time()) else { panic!("a login") };
    let Step::Wait(_, joined) = Authorized::new(poll(Policy::default()), session).step(start_time()) else {
        panic!("a wait")
    };
    let saved = serde_json::to_string(joined.machine()).unwrap();
    assert_eq!(serde_json::to_string(&joined.into_machine()).unwrap(), saved);
}

#[test]
fn progress_tells_of_the_login_that_is_waited_for_and_counts_it() {
    let session = without_pacing(client());
    let Step::Send(_, logging_in) = overview(&session).step(start_time()) else { panic!("a login") };
    let Step::Wait(until, joined) = overview(&session).step(start_time()) else { panic!("a wait") };
    let progress = joined.progress();
    assert_eq!((progress.wait_reason, progress.wake_at), (WaitReason::Login, Some(until)));
    assert_eq!(progress.wake_reason, WakeReason::Session);
    assert!(joined.awaits_login() && !overview(&session).awaits_login());
    let Step::Send(_, calling) = logging_in.receive(reply(200, "", r#"{"access_token":"t1"}"#), start_time())
    else {
        panic!("the call")
    };
    let Step::Send(_, logging_in) = calling.receive(reply(401, "", ""), start_time()) else {
        panic!("a login")
    };
    let Step::Send(_, calling) = logging_in.receive(reply(200, "", r#"{"access_token":"t2"}"#), start_time())
    else {
        panic!("the call")
    };
    let Step::Wait(_, failed) = calling.receive(reply(503, "", ""), start_time()) else { panic!("a wait") };
    assert_eq!(failed.progress().requests, 4, "two logins and two calls");
    assert!(!failed.awaits_login());
}

#[test]
fn progress_counts_a_request_that_a_401_has_cost_while_its_repeat_waits() {
    let session = without_pacing(client());
    let Step::Send(_, logging_in) = overview(&session).step(start_time()) else { panic!("a login") };
    let token = reply(200, "", r#"{"access_token":"t1"}"#);
    let Step::Send(_, first) = logging_in.receive(token, start_time()) else { panic!("the call") };
    let Step::Send(_, second) = overview(&session).step(start_time()) else { panic!("another call") };
    let Step::Send(_, _logging_in) = first.receive(reply(401, "", ""), start_time()) else {
        panic!("a login")
    };
    let Step::Wait(_, joined) = second.receive(reply(401, "", ""), start_time()) else { panic!("a wait") };
    assert!(joined.awaits_login());
    assert_eq!(joined.progress().requests, joined.machine().progress().requests + 1);
}

#[test]
fn d05_a_token_that_is_replaced_again_and_again_is_followed_three_times() {
    let session = without_pacing(client());
    let again = |machine: Authorized<_, Shared>| machine.step(start_time());
    let Step::Send(_, logging_in) = again(overview(&session)) else { panic!("a login") };
    let Step::Send(_, mut slow) =
        logging_in.receive(reply(200, "", r#"{"access_token":"t0"}"#), start_time())
    else {
        panic!("the call")
    };
    for n in 1..=4 {
        // Meanwhile another call has got a 401 for the token and a new token.
        let Step::Send(_, other) = again(overview(&session)) else { panic!("another call") };
        let Step::Send(login, logging_in) = other.receive(reply(401, "", ""), start_time()) else {
            panic!("a login")
        };
        assert!(is_login(&login));
        let token = format!(r#"{{"access_token":"t{n}"}}"#);
        let Step::Send(..) = logging_in.receive(reply(200, "", &token), start_time()) else {
            panic!("the call")
        };
        match slow.receive(reply(401, "", ""), start_time()) {
            Step::Send(request, sent) if n < 4 => {
                assert_eq!(bearer(&request), format!("Bearer t{n}"));
                slow = sent;
            }
            Step::Done(Err(error)) if n == 4 => {
                assert_eq!(error.kind(), &ErrorKind::Unauthorized);
                assert_eq!(error.attempts(), 5, "a login and four calls");
                return;
            }
            other => panic!("{n}: {other:?}"),
        }
    }
}
