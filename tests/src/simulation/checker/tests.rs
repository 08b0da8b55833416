//! Tests that the checker detects faults: each trace is correct except for one event, and names the rule
//! that must fail.

use billing_core::machine::RetryCause;

use super::super::trace::{Next, Says};
use super::*;

/// A trace under construction.
struct Script {
    checker: Checker,
    at: i64,
}

/// The result of the event that makes a correct trace wrong.
type Wrong = Result<(), Violation>;

impl Script {
    fn on(terms: Terms) -> Self {
        Self { checker: Checker::new(Terms { secrets: vec!["s3cret".into()], ..terms }), at: 0 }
    }

    /// Starts a trace with one session that can log in.
    fn new() -> Self {
        Self::on(Terms { renewable: vec![true, true], ..Terms::default() })
    }

    fn see(&mut self, operation: usize, what: What) -> Wrong {
        self.checker.see(&Event { at: self.at, operation, what })
    }

    fn right(&mut self, operation: usize, what: What) -> &mut Self {
        self.see(operation, what)
            .unwrap_or_else(|violation| panic!("the trace is right up to here: {violation}"));
        self
    }

    fn after(&mut self, millis: i64) -> &mut Self {
        self.at += millis;
        self
    }

    /// Starts an operation that has logged in with token `t1`, in the checker's first login.
    fn logged_in(kind: Kind) -> Self {
        let mut script = Self::new();
        script.right(0, begins(kind)).right(0, login()).right(0, token("t1"));
        script
    }

    /// Starts an operation whose call is in flight.
    fn calling(kind: Kind) -> Self {
        let mut script = Self::logged_in(kind);
        script.right(0, call("t1"));
        script
    }

    /// Starts an operation that has received this answer.
    fn answered(kind: Kind, reply: Reply) -> Self {
        let mut script = Self::calling(kind);
        script.right(0, What::Receives(reply));
        script
    }
}

#[track_caller]
fn bites(rule: &str, wrong: Wrong) {
    assert_eq!(wrong.map_err(|violation| violation.rule), Err(rule));
}

fn begins(kind: Kind) -> What {
    What::Begins { kind, session: Some(0), policy: Rc::new(Policy::default()), deadline: 900_000 }
}

fn request(to: Origin, authorization: &str) -> What {
    let authorization = Some(authorization.into());
    What::Sends(Request { to, digest: 7, authorization, timeout: 30_000, fits: true })
}

fn login() -> What {
    request(Origin::Login, "Basic x")
}

fn call(token: &str) -> What {
    request(Origin::Api, &format!("Bearer {token}"))
}

fn status(status: u16) -> Reply {
    Reply { status: Some(status), ..Reply::default() }
}

fn body(says: Says) -> Reply {
    Reply { says, ..status(200) }
}

fn token(text: &str) -> What {
    What::Receives(body(Says::Token(text.into(), None)))
}

fn waits(until: i64, why: WaitReason) -> What {
    What::Waits { until, why, polls: 0 }
}

fn polled(until: i64) -> What {
    What::Waits { until, why: WaitReason::ReportPending(None), polls: 1 }
}

fn good() -> What {
    What::Ends(Outcome::Good { complete: true, more: false, kept: true })
}

fn fails(kind: ErrorKind) -> What {
    failed(kind, 2, None, None)
}

fn failed(kind: ErrorKind, attempts: u32, status: Option<u16>, correlation: Option<&str>) -> What {
    let correlation = correlation.map(Rc::from);
    What::Ends(Failure { attempts, status, correlation, ..Failure::of(kind) }.into())
}

fn deferred(until: i64, attempts: u32) -> What {
    let retry_at = Some(until);
    What::Ends(Failure { attempts, retry_at, ..Failure::of(ErrorKind::Deferred(epoch())) }.into())
}

/// A failure. Its message is built from its fields unless it is given.
struct Failure {
    kind: ErrorKind,
    login: bool,
    status: Option<u16>,
    code: Option<Rc<str>>,
    message: Option<Rc<str>>,
    correlation: Option<Rc<str>>,
    text: Option<Rc<str>>,
    attempts: u32,
    retry_at: Option<i64>,
}

impl Failure {
    fn of(kind: ErrorKind) -> Self {
        let (status, code, message, correlation, text, retry_at) = (None, None, None, None, None, None);
        Self { kind, login: false, status, code, message, correlation, text, attempts: 0, retry_at }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        let Failure { kind, login, status, code, message, correlation, text, attempts, retry_at } = failure;
        let title = if login { billing_core::calls::LOGIN.title() } else { "billable usage report" };
        let parts =
            || format!("{title}: ({} {code:?} {message:?} {correlation:?})", status.unwrap_or_default());
        let text = text.unwrap_or_else(|| parts().into());
        Self::Failed { kind, login, status, code, message, correlation, text, attempts, retry_at }
    }
}

#[test]
fn a_right_life_is_let_through() {
    let mut script = Script::answered(Kind::Report, body(Says::InProgress));
    script.right(0, polled(2_000)).after(2_000).right(0, call("t1"));
    script.right(0, What::Receives(status(401))).right(0, login()).right(0, token("t2")).right(0, call("t2"));
    script.right(0, What::Receives(body(Says::Complete))).right(0, good());
    assert_eq!(script.checker.finish(), Ok(()));
}

#[test]
fn d01_another_request() {
    let mut script = Script::answered(Kind::Report, body(Says::InProgress));
    script.right(0, polled(2_000)).after(2_000);
    let What::Sends(request) = call("t1") else { return };
    bites("D1", script.see(0, What::Sends(Request { digest: 8, ..request })));
}

#[test]
fn d02_two_requests_two_ends_or_none() {
    bites("D2", Script::calling(Kind::Report).see(0, call("t1")));
    bites("D2", Script::calling(Kind::Report).see(0, waits(9, WaitReason::Login)));
    bites("D2", Script::calling(Kind::Report).see(0, good()));
    bites("D2", Script::logged_in(Kind::Report).see(0, token("t1")));
    bites("D2", Script::logged_in(Kind::Report).see(3, good()));
    let mut ended = Script::answered(Kind::Report, body(Says::Complete));
    ended.right(0, good());
    bites("D2", ended.see(0, good()));
    bites("D2", ended.see(0, call("t1")));
    bites("D2", Script::calling(Kind::Report).checker.finish());
}

#[test]
fn d03_a_good_end_of_an_answer_that_is_not_complete() {
    for says in [Says::InProgress, Says::Odd, Says::Nothing, Says::Object] {
        bites("D3", Script::answered(Kind::Report, body(says)).see(0, good()));
    }
    let unsaid = What::Ends(Outcome::Good { complete: false, more: false, kept: true });
    bites("D3", Script::answered(Kind::Report, body(Says::Complete)).see(0, unsaid));
    let doubtful = Reply { corrupted: true, ..body(Says::Nothing) };
    bites("D3", Script::answered(Kind::Report, doubtful).see(0, good()));
}

#[test]
fn d04_polls_that_come_too_early_and_waits_beyond_the_deadline() {
    let mut script = Script::answered(Kind::Report, body(Says::InProgress));
    script.right(0, polled(1_999)).after(1_999);
    bites("D4", script.see(0, call("t1")));
    let mut hinted = Script::answered(Kind::Overview, Reply { hint: Some(9_000), ..status(503) });
    hinted.after(8_999);
    bites("D4", hinted.see(0, call("t1")));
    bites("D4", Script::answered(Kind::Report, body(Says::InProgress)).see(0, polled(900_001)));
    bites("wait", Script::answered(Kind::Report, body(Says::InProgress)).see(0, polled(0)));
}

#[test]
fn d05_more_requests_than_the_bound() {
    let mut script = Script::logged_in(Kind::Overview);
    let result = (0..).find_map(|_| {
        script.after(1);
        script.checker.operations[0].expect = Expect::Goes;
        let sent = script.see(0, call("t1"));
        sent.and_then(|()| script.see(0, What::Receives(status(200)))).err()
    });
    bites("D5", Err(result.unwrap_or_else(|| panic!("the bound is reached"))));
    let mut throttled = Script::logged_in(Kind::Overview);
    let result = (0..).find_map(|_| {
        throttled.right(0, call("t1"));
        let received = throttled.see(0, What::Receives(Reply { hint: Some(0), ..status(429) }));
        // With a clock that does not advance.
        throttled.checker.sessions[0].parked = 0;
        throttled.checker.operations[0].not_before = 0;
        received.err()
    });
    bites("D5", Err(result.unwrap_or_else(|| panic!("the bound is reached"))));
}

#[test]
fn d06_logins_that_need_not_be_and_tokens_that_are_old() {
    bites("D6", Script::logged_in(Kind::Report).see(0, login()));
    bites("D6", Script::logged_in(Kind::Report).see(0, call("t0")));
    let mut two = Script::new();
    two.right(0, begins(Kind::Report))
        .right(1, begins(Kind::Report))
        .right(2, begins(Kind::Report))
        .right(0, login());
    bites("D6", two.see(1, login()));
    bites("D6", two.see(2, call("t1")));
    let mut refused = Script::answered(Kind::Report, status(401));
    bites("D6", refused.see(0, call("t1")));
    let mut moved = Script::answered(Kind::Report, status(401));
    bites("D6", moved.see(0, waits(2_000, WaitReason::ReportPending(None))));
    let mut counted = Script::answered(Kind::Report, status(401));
    bites("D6", counted.see(0, What::Waits { until: 9, why: WaitReason::Login, polls: 1 }));
    let mut hasty = Script::new();
    let busy = Reply { hint: Some(5_000), ..status(503) };
    hasty.right(0, begins(Kind::Report)).right(0, login()).right(0, What::Receives(busy)).after(4_999);
    bites("D6", hasty.see(0, login()));
    let mut given = Script::on(Terms { renewable: vec![false], ..Terms::default() });
    given.right(0, begins(Kind::Report));
    bites("D6", given.see(0, login()));
}

#[test]
fn d07_a_429_that_does_not_hold_and_one_that_holds_others() {
    let mut script = Script::answered(Kind::Overview, Reply { hint: Some(30_000), ..status(429) });
    script.right(1, begins(Kind::Overview)).after(29_999);
    bites("D7", script.see(1, call("t1")));
    let mut bare = Script::answered(Kind::Overview, status(429));
    bare.right(1, begins(Kind::Overview)).after(4_999);
    bites("D7", bare.see(1, call("t1")));
    let mut elsewhere = Script::answered(Kind::Overview, Reply { hint: Some(30_000), ..status(429) });
    let What::Begins { kind, policy, deadline, .. } = begins(Kind::Overview) else { return };
    elsewhere.right(1, What::Begins { kind, session: Some(1), policy, deadline });
    bites("D7", elsewhere.see(1, waits(30_000, WaitReason::Throttled)));
}

#[test]
fn d08_other_traces_have_other_digests() {
    let digest = |at: i64, what: What| {
        let mut digest = super::super::Digest::default();
        digest.take(&Event { at, operation: 0, what });
        digest
    };
    assert_eq!(digest(1, call("t")), digest(1, call("t")));
    assert_ne!(digest(1, call("t")), digest(2, call("t")));
    assert_ne!(digest(1, call("t")), digest(1, call("u")));
    assert_ne!(digest(1, polled(5)), digest(1, polled(6)));
    assert_ne!(digest(1, good()), digest(1, fails(ErrorKind::Server)));
}

#[test]
fn d09_secrets_that_show_and_credentials_that_go_astray() {
    let shows = |text: &str| What::Shows("an error", text.to_owned());
    bites("D9", Script::new().see(0, shows("it was s3cret")));
    let mut learned = Script::new();
    learned.checker.secret("t1");
    bites("D9", learned.see(0, shows("Bearer t1")));
    bites("D9", Script::logged_in(Kind::Report).see(0, request(Origin::Elsewhere, "Bearer t1")));
    bites("D9", Script::logged_in(Kind::Report).see(0, request(Origin::Api, "Basic x")));
    bites("D9", Script::new().right(0, begins(Kind::Report)).see(0, request(Origin::Login, "Bearer t1")));
}

#[test]
fn d10_a_list_that_ends_too_early_or_goes_astray() {
    let ends = |more| What::Ends(Outcome::Good { complete: false, more, kept: true });
    bites("D10", Script::answered(Kind::List, body(Says::Page(Next::On))).see(0, ends(false)));
    bites("D10", Script::answered(Kind::List, body(Says::Page(Next::End))).see(0, ends(true)));
    bites("D3", Script::answered(Kind::List, body(Says::Page(Next::Astray))).see(0, ends(true)));
}

#[test]
fn d11_errors_that_do_not_tell() {
    let answered = || {
        let correlation = Some("c-1".into());
        Script::answered(Kind::Report, Reply { correlation, code: Some("x".into()), ..status(404) })
    };
    let gone = ErrorKind::NotFound;
    bites("D11", answered().see(0, failed(gone.clone(), 2, None, Some("c-1"))));
    bites("D11", answered().see(0, failed(gone.clone(), 2, Some(404), None)));
    bites("D11", answered().see(0, failed(gone, 2, Some(404), Some("c-1"))));
    let tells = || Failure {
        status: Some(404),
        code: Some("x".into()),
        correlation: Some("c-1".into()),
        attempts: 2,
        ..Failure::of(ErrorKind::NotFound)
    };
    let ends = |failure: Failure| answered().see(0, What::Ends(failure.into()));
    assert_eq!(ends(tells()), Ok(()));
    bites("D11", ends(Failure { attempts: 1, ..tells() }));
    bites("D11", ends(Failure { code: None, ..tells() }));
    bites("D11", ends(Failure { message: Some("y".into()), ..tells() }));
    for text in [
        "x",
        "another operation: (404 x; c-1)",
        "billable usage report: (404 x)",
        "billable usage report: x; c-1",
    ] {
        bites("D11", ends(Failure { text: Some(text.into()), ..tells() }));
    }
    // Without a session, the deadline does not excuse missing details.
    let mut bare = Script::new();
    let What::Begins { kind, policy, .. } = begins(Kind::Report) else { return };
    bare.right(0, What::Begins { kind, session: None, policy, deadline: 30_000 }).right(0, call("t1"));
    bare.after(29_000)
        .right(0, What::Receives(Reply { correlation: Some("c-1".into()), ..body(Says::InProgress) }));
    bites("D11", bare.see(0, failed(ErrorKind::DeadlineExceeded(epoch()), 1, Some(200), None)));
}

#[test]
fn d12_what_no_schema_has_and_is_lost() {
    let odd = |corrupted| Reply { odd: true, corrupted, ..body(Says::Complete) };
    let lost = || What::Ends(Outcome::Good { complete: true, more: false, kept: false });
    bites("D12", Script::answered(Kind::Report, odd(false)).see(0, lost()));
    assert_eq!(Script::answered(Kind::Report, odd(true)).see(0, lost()), Ok(()));
}

#[test]
fn d13_a_request_that_asks_for_something_else() {
    let What::Sends(request) = call("t1") else { return };
    bites("D13", Script::logged_in(Kind::Overview).see(0, What::Sends(Request { fits: false, ..request })));
}

#[test]
fn d14_a_body_over_its_bound() {
    let mut script = Script::calling(Kind::Overview);
    bites("D14", script.see(0, What::Receives(Reply { length: (64 << 20) + 1, ..status(200) })));
}

#[test]
fn the_table_what_goes_on_and_what_ends() {
    let goes_on =
        [body(Says::InProgress), body(Says::Odd), body(Says::Nothing), status(503), status(429), status(401)];
    for reply in goes_on {
        for kind in [ErrorKind::Server, ErrorKind::Unauthorized, ErrorKind::Forbidden] {
            bites("table", Script::answered(Kind::Report, reply.clone()).see(0, fails(kind)));
        }
    }
    for reply in [body(Says::Complete), status(404), status(302), status(501), status(204)] {
        bites("table", Script::answered(Kind::Report, reply.clone()).see(0, waits(5_000, WaitReason::Login)));
        bites("table", Script::answered(Kind::Report, reply.clone()).see(0, call("t1")));
        bites(
            "table",
            Script::answered(Kind::Report, reply).see(0, fails(ErrorKind::DeadlineExceeded(epoch()))),
        );
    }
    // The sixth failure in a row, the third undecodable answer, the third unknown status.
    for (reply, n) in [(status(500), 6), (body(Says::Nothing), 3), (body(Says::Odd), 3)] {
        let mut script = Script::logged_in(Kind::Overview);
        script.checker.operations[0].kind = Kind::Report;
        for _ in 0..n {
            script.right(0, call("t1")).right(0, What::Receives(reply.clone())).after(20_000);
        }
        bites("table", script.see(0, call("t1")));
    }
    // A second 401, for a new token.
    let mut script = Script::answered(Kind::Report, status(401));
    script.right(0, login()).right(0, token("t2")).right(0, call("t2")).right(0, What::Receives(status(401)));
    bites("table", script.see(0, login()));
    // A refused login, and a login that did not fail.
    let mut script = Script::new();
    script.right(0, begins(Kind::Report)).right(0, login()).right(0, What::Receives(status(401)));
    bites("table", script.see(0, waits(1_000, WaitReason::Login)));
    let mut script = Script::new();
    script.right(0, begins(Kind::Report));
    let kind = ErrorKind::LoginRefused;
    let refused = Failure { login: true, ..Failure::of(kind) }.into();
    bites("table", script.see(0, What::Ends(refused)));
}

#[test]
fn the_deadline_holds_and_is_not_taken_early() {
    let mut late = Script::logged_in(Kind::Overview);
    late.after(900_000);
    bites("deadline", late.see(0, call("t1")));
    let mut long = Script::logged_in(Kind::Overview);
    long.after(870_001);
    bites("deadline", long.see(0, call("t1")));
    let mut over = Script::answered(Kind::Overview, status(503));
    over.after(900_001);
    bites("deadline", over.see(0, fails(ErrorKind::DeadlineExceeded(epoch()))));
    bites(
        "deadline",
        Script::answered(Kind::Overview, status(503)).see(0, fails(ErrorKind::DeadlineExceeded(epoch()))),
    );
}

#[test]
fn waits_that_are_longer_than_their_reason() {
    let longer = |reply: Reply, until: i64, why: WaitReason| {
        let kind = if matches!(why, WaitReason::ReportPending(_)) { Kind::Report } else { Kind::Overview };
        let polls = u32::from(kind == Kind::Report);
        let what = |until| What::Waits { until, why: why.clone(), polls };
        assert_eq!(Script::answered(kind, reply.clone()).see(0, what(until)), Ok(()), "{why} {until}");
        bites("wait", Script::answered(kind, reply).see(0, what(until + 1)));
    };
    // A poll at age zero, a hinted poll, the first failure, and a hinted failure.
    longer(body(Says::InProgress), 2_200, WaitReason::ReportPending(None));
    longer(Reply { hint: Some(9_000), ..body(Says::InProgress) }, 9_000, WaitReason::ReportPending(None));
    longer(status(503), 500, WaitReason::Retry(RetryCause::Status(503)));
    longer(Reply { hint: Some(9_000), ..status(503) }, 9_000, WaitReason::Retry(RetryCause::Status(503)));
    // The first 429 without a hint, for a session that adds a margin, and a hinted 429.
    bites("D7", Script::answered(Kind::Overview, status(429)).see(0, waits(6_001, WaitReason::Throttled)));
    let hinted = Reply { hint: Some(9_000), ..status(429) };
    bites("D7", Script::answered(Kind::Overview, hinted).see(0, waits(10_001, WaitReason::Throttled)));
    // Waits that need a session: a window, the spacing, a login.
    let told = Reply { window: Some(90_000), ..body(Says::Object) };
    let mut used_up = Script::answered(Kind::Overview, told);
    used_up
        .right(0, What::Ends(Outcome::Good { complete: false, more: false, kept: true }))
        .right(1, begins(Kind::Overview));
    bites("wait", used_up.see(1, waits(92_001, WaitReason::QuotaExhausted)));
    bites("wait", used_up.see(1, waits(201, WaitReason::Spacing)));
    let mut untold = Script::new();
    bites("wait", untold.right(0, begins(Kind::Overview)).see(0, waits(9, WaitReason::QuotaExhausted)));
    bites("wait", untold.see(0, waits(9, WaitReason::NotStarted)));
    let mut joined = Script::new();
    joined.right(0, begins(Kind::Overview)).right(0, login()).right(1, begins(Kind::Overview));
    bites("wait", joined.see(1, waits(31_001, WaitReason::Login)));
    joined.right(0, What::Receives(status(503)));
    bites("wait", joined.see(1, waits(31_001, WaitReason::Login)));
    // An operation that wakes early asks for the same wait, not for a longer one.
    let mut early = Script::answered(Kind::Overview, status(429));
    early.right(0, waits(6_000, WaitReason::Throttled)).after(5_500);
    assert_eq!(early.see(0, waits(6_000, WaitReason::Throttled)), Ok(()));
    bites("D7", early.see(0, waits(6_501, WaitReason::Throttled)));
}

#[test]
fn hints_beyond_all_patience_are_not_waited_for() {
    let hinted = |status: u16| Reply { hint: Some(120_001), ..super::tests::status(status) };
    let retry = WaitReason::Retry(RetryCause::Status(503));
    bites("patience", Script::answered(Kind::Overview, hinted(503)).see(0, waits(120_001, retry)));
    bites(
        "wait",
        Script::answered(Kind::Overview, hinted(429)).see(0, waits(121_001, WaitReason::Throttled)),
    );
}

#[test]
fn what_is_put_off_without_need() {
    let hinted = |hint: i64| Reply { hint: Some(hint), ..status(503) };
    let put_off = |reply: Reply, until: i64| Script::answered(Kind::Report, reply).see(0, deferred(until, 2));
    assert_eq!(put_off(hinted(120_001), 120_001), Ok(()));
    // Deferrals within `max_server_wait`, later or earlier than requested, and without a request.
    bites("deferred", put_off(hinted(120_000), 120_000));
    bites("deferred", put_off(hinted(200_000), 200_001));
    bites("deferred", put_off(hinted(200_000), 199_999));
    bites("deferred", put_off(status(503), 200_000));
    bites("deferred", put_off(status(429), 200_000));
    // A deferral that its session was asked for.
    let throttled = Reply { hint: Some(200_000), ..status(429) };
    assert_eq!(put_off(throttled.clone(), 200_000), Ok(()));
    bites("deferred", put_off(throttled, 198_000));
    // A deferral that the login service asks for, for an operation that waits for the login.
    let mut login_asks = Script::new();
    login_asks.right(0, begins(Kind::Report)).right(0, login()).right(0, What::Receives(hinted(200_000)));
    bites("deferred", login_asks.see(0, deferred(200_001, 1)));
    assert_eq!(login_asks.see(0, deferred(200_000, 1)), Ok(()));
}

#[test]
fn a_clock_that_was_set_back_makes_nothing_earlier_and_no_session_wait_long() {
    let jumps = |by| What::Jumps { session: 0, by };
    let day = 86_400_000;
    let parked = || {
        let mut script = Script::answered(Kind::Overview, Reply { hint: Some(60_000), ..status(429) });
        script.after(1_000).right(0, jumps(-day)).right(1, begins(Kind::Overview));
        script
    };
    bites("D7", parked().after(58_999).see(1, call("t1")));
    // By its own clock it read the time a second ago, and it does not notice a jump of ten seconds.
    let latest = 60_000 + 1_000 + 10_000 + 1_000;
    assert_eq!(parked().see(1, waits(latest, WaitReason::Throttled)), Ok(()));
    bites("D7", parked().see(1, waits(latest + 1, WaitReason::Throttled)));
    bites("deferred", parked().see(1, deferred(60_000 + day, 0)));
    let mut used_up = Script::answered(Kind::Overview, Reply { window: Some(60_000), ..status(503) });
    used_up.right(0, jumps(-day)).right(1, begins(Kind::Overview));
    bites("wait", used_up.see(1, waits(72_001, WaitReason::QuotaExhausted)));
    let mut joined = Script::new();
    joined
        .right(0, begins(Kind::Overview))
        .right(0, login())
        .right(0, jumps(-day))
        .right(1, begins(Kind::Overview));
    bites("wait", joined.see(1, waits(41_001, WaitReason::Login)));
    // A machine's own wait is never longer than the longest possible one.
    let mut polling = Script::answered(Kind::Report, body(Says::InProgress));
    polling.right(0, polled(2_000)).right(0, jumps(-day)).after(2_000);
    bites("wait", polling.see(0, polled(2_000 + 121_001)));
    assert_eq!(polling.see(0, polled(2_000 + 121_000)), Ok(()));
}

#[test]
fn a_clock_that_jumps_ahead_excuses_what_it_makes_earlier_and_nothing_else() {
    let jumps = What::Jumps { session: 0, by: 30_000 };
    let parked = || {
        let mut script = Script::answered(Kind::Overview, Reply { hint: Some(60_000), ..status(429) });
        script.right(0, jumps.clone()).right(1, begins(Kind::Overview));
        script
    };
    bites("D7", parked().after(29_999).see(1, call("t1")));
    assert_eq!(parked().after(30_000).see(1, call("t1")), Ok(()));
    let mut elsewhere = Script::answered(Kind::Overview, Reply { hint: Some(60_000), ..status(429) });
    elsewhere.right(0, What::Jumps { session: 1, by: 30_000 }).right(1, begins(Kind::Overview)).after(30_000);
    bites("D7", elsewhere.see(1, call("t1")));
    let mut polling = Script::answered(Kind::Report, body(Says::InProgress));
    polling.right(0, polled(2_000)).right(0, What::Jumps { session: 0, by: 1_000 }).after(999);
    bites("D4", polling.see(0, call("t1")));
    let sharing = || {
        let mut script = Script::new();
        script.right(0, begins(Kind::Overview)).right(0, login()).right(0, jumps.clone());
        script.right(1, begins(Kind::Overview));
        script
    };
    bites("D6", sharing().after(999).see(1, login()));
    assert_eq!(sharing().after(1_000).see(1, login()), Ok(()));
}

#[test]
fn a_quota_that_is_overdrawn() {
    let mut script = Script::on(Terms { renewable: vec![true], alone: true, ..Terms::default() });
    script.right(0, begins(Kind::Overview)).right(0, login()).right(0, token("t1")).right(0, call("t1"));
    script.right(0, What::Counts { over: true });
    script
        .right(0, What::Receives(Reply { window: Some(60_000), ..status(503) }))
        .after(60_000)
        .right(0, call("t1"));
    bites("alone", script.see(0, What::Counts { over: true }));
}

#[test]
fn a_token_of_the_callers_is_no_excuse_unless_it_was_refused() {
    let terms = Terms { renewable: vec![false], calm: Some((0, 300_000)), ..Terms::default() };
    let mut script = Script::on(terms);
    script.after(100_000).right(0, begins(Kind::Report)).right(0, call("t1"));
    script.right(0, What::Receives(status(404)));
    bites("calm", script.see(0, failed(ErrorKind::NotFound, 1, Some(404), None)));
    assert_eq!(script.checker.looks().calm, 1);
}

#[test]
fn a_failure_when_nothing_goes_wrong_any_more() {
    let terms = Terms { renewable: vec![true], calm: Some((0, 300_000)), ..Terms::default() };
    let mut script = Script::on(terms);
    script.after(100_000).right(0, begins(Kind::Report)).right(0, login()).right(0, token("t1"));
    script.right(0, call("t1")).right(0, What::Receives(status(404)));
    bites("calm", script.see(0, failed(ErrorKind::NotFound, 2, Some(404), None)));
}

fn epoch() -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::UNIX_EPOCH
}
