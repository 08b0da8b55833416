use super::*;
use crate::TransportErrorKind;
use crate::calls::BillableUsageCall;
use crate::testing::{
    COMPLETE, IN_PROGRESS, poll, reply, run_in_virtual_time, run_script, transport_failure,
};

fn default() -> Poll<BillableUsageCall> {
    poll(Policy::default())
}

#[test]
fn d01_and_d04_every_poll_is_the_same_and_at_least_two_seconds_apart() {
    let mut replies = vec![reply(200, "", IN_PROGRESS); 30];
    replies.push(reply(200, "", COMPLETE));
    let run = run_script(default(), &replies);
    assert!(run.result.is_ok());
    let shape = |i: usize| {
        let http = run.sent_requests[i].1.http();
        (http.method().clone(), http.uri().clone(), http.headers().clone(), http.body().clone())
    };
    assert!((1..31).all(|i| shape(i) == shape(0)));
    assert!(run.gaps().iter().all(|gap| (2000..=16_502).contains(gap)), "{:?}", run.gaps());
}

#[test]
fn d04_faults_and_hints_do_not_make_it_hasty() {
    let replies = [
        reply(200, "retry-after: 0", IN_PROGRESS),
        reply(503, "retry-after: 0", ""),
        transport_failure(TransportErrorKind::Reset),
        reply(200, "", "{"),
        reply(429, "retry-after: 0", ""),
        reply(202, "retry-after: 1", ""),
        reply(200, "", COMPLETE),
    ];
    let run = run_script(default(), &replies);
    assert!(run.result.is_ok());
    assert!(run.gaps().iter().all(|gap| *gap >= 2000), "{:?}", run.gaps());
}

#[test]
fn d04_never_before_a_hint() {
    let replies = [reply(200, "retry-after: 40", IN_PROGRESS), reply(200, "", COMPLETE)];
    assert_eq!(run_script(default(), &replies).gaps(), [40_001]);
}

#[test]
fn d03_only_complete_is_complete() {
    for body in ["{}", r#"{"status":null}"#, r#"{"usages":[]}"#, "null", r#"{"status":"complete"}"#] {
        let run = run_script(default(), &[reply(200, "", body)]);
        assert!(run.result.is_err(), "{body}");
    }
    let accepted = [reply(202, "", COMPLETE), reply(200, "", COMPLETE)];
    assert_eq!(run_script(default(), &accepted).sent_requests.len(), 2);
}

#[test]
fn a_status_that_nobody_knows_is_an_error_the_third_time_in_a_row() {
    let paused = reply(200, "", r#"{"status":"Paused"}"#);
    let run = run_script(default(), std::slice::from_ref(&paused));
    assert_eq!(run.error().kind(), &ErrorKind::UnknownStatus("Paused".into()));
    assert_eq!(run.sent_requests.len(), 3);
    let progress = reply(200, "", IN_PROGRESS);
    let replies =
        [&paused, &paused, &progress, &paused, &paused, &reply(200, "", COMPLETE)].map(Clone::clone);
    assert!(run_script(default(), &replies).result.is_ok());
}

#[test]
fn a_new_status_is_shown_while_it_is_polled_on() {
    let Step::Send(_, sent) = default().step(crate::testing::start_time()) else { panic!("a request") };
    let reply = reply(200, "", r#"{"status":"Paused"}"#);
    let Step::Wait(_, poll) = sent.receive(reply, crate::testing::start_time()) else { panic!("a wait") };
    assert_eq!(
        poll.progress().wait_reason,
        WaitReason::ReportPending(Some(ReportStatus::Unknown("Paused".into())))
    );
    assert_eq!((poll.progress().pending_answers, poll.progress().requests), (1, 1));
}

#[test]
fn a_new_status_that_is_long_is_not_saved_whole() {
    let Step::Send(_, sent) = default().step(crate::testing::start_time()) else { panic!("a request") };
    let reply = reply(200, "", &format!(r#"{{"status":"{}"}}"#, "P".repeat(1 << 20)));
    let Step::Wait(_, poll) = sent.receive(reply, crate::testing::start_time()) else { panic!("a wait") };
    assert!(serde_json::to_string(&poll).unwrap().len() < 5_000);
}

#[test]
fn failures_are_counted_in_a_row_and_not_over_the_whole_life() {
    let mut n = 0;
    let run = run_in_virtual_time(default(), |_, _| {
        n += 1;
        match n {
            60.. => reply(200, "", COMPLETE),
            n if n % 6 == 0 => reply(200, "", IN_PROGRESS),
            _ => reply(502, "", ""),
        }
    });
    assert!(run.result.is_ok(), "{:?}", run.result);
}

#[test]
fn d05_the_deadline_bounds_the_requests() {
    let hasty = Policy {
        poll: crate::poll::PollSchedule { max_wait: Duration::ZERO, ..Default::default() },
        ..Policy::default()
    };
    let run = run_script(poll(hasty), &[reply(200, "", IN_PROGRESS)]);
    assert!(matches!(run.error().kind(), ErrorKind::DeadlineExceeded(_)));
    assert!(run.sent_requests.len() <= 451 && run.end_millis <= 900_000);
}

#[test]
fn d11_a_deadline_while_the_report_is_made_names_the_last_exchange() {
    let policy = Policy { timeout: Duration::from_secs(5), ..Policy::default() };
    let run = run_script(poll(policy), &[reply(200, "inin-correlation-id: c-1", IN_PROGRESS)]);
    assert!(matches!(run.error().kind(), ErrorKind::DeadlineExceeded(_)));
    assert_eq!(run.error().correlation_id(), Some("c-1"));
    assert_eq!(run.error().body_start(), None, "an accepted response is not a failure");
}

#[test]
fn a_report_that_goes_back_to_in_progress_is_polled_on() {
    let replies = [
        reply(200, "", IN_PROGRESS),
        reply(202, "", ""),
        reply(200, "", IN_PROGRESS),
        reply(200, "", COMPLETE),
    ];
    assert_eq!(run_script(default(), &replies).sent_requests.len(), 4);
}

#[test]
fn a_restored_poll_does_what_the_original_would() {
    let mut replies = vec![reply(200, "", IN_PROGRESS), reply(500, "", ""), reply(200, "", IN_PROGRESS)];
    replies.extend(vec![reply(200, "", IN_PROGRESS); 5]);
    replies.push(reply(200, "", COMPLETE));
    let mut now = crate::testing::start_time();
    let mut machines = [default(), default()];
    for reply in replies {
        let sent = machines.map(|machine| match machine.step(now) {
            Step::Send(request, sent) => (format!("{:?}", request.http()), sent),
            other => panic!("a request, not {other:?}"),
        });
        assert_eq!(sent[0].0, sent[1].0);
        let [a, b] = sent.map(|(_, sent)| sent.receive(reply.clone(), now));
        match (a, b) {
            (Step::Wait(t, a), Step::Wait(u, b)) => {
                assert_eq!(t, u);
                let saved = serde_json::to_string(&b).unwrap();
                machines = [a, serde_json::from_str(&saved).unwrap()];
                now = t;
            }
            (Step::Done(Ok(_)), Step::Done(Ok(_))) => return,
            other => panic!("{other:?}"),
        }
    }
    panic!("no end");
}

#[test]
fn a_poll_says_what_it_asks_for_and_where() {
    let poll = default();
    assert_eq!(poll.api(), crate::Environment::default().api());
    assert_eq!(
        poll.call(),
        &BillableUsageCall::new(crate::Period::from_user("2026-10-01", "2026-11-01").unwrap())
    );
}

#[test]
fn a_restored_poll_that_is_given_less_time_than_it_waits_for_ends_at_once() {
    let now = crate::testing::start_time();
    let Step::Send(_, sent) = default().step(now) else { panic!("a request") };
    let reply = reply(200, "retry-after: 60", IN_PROGRESS);
    let Step::Wait(until, parked) = sent.receive(reply, now) else { panic!("a wait") };
    let left = |overall| Policy { timeout: overall, ..Policy::default() };
    let short = parked.clone().with_policy(left(crate::values::clock::between(now, until))).step(now);
    let Step::Done(Err(error)) = short else { panic!("an end, not {short:?}") };
    assert_eq!(error.kind(), &ErrorKind::DeadlineExceeded(until));
    let enough = crate::values::clock::between(now, until) + Duration::from_millis(1);
    assert!(matches!(parked.with_policy(left(enough)).step(now), Step::Wait(at, _) if at == until));
}

#[test]
fn a_restored_poll_can_be_given_more_time() {
    let run = |policy| run_script(poll(policy), &[reply(200, "", IN_PROGRESS)]);
    let short = Policy { timeout: Duration::from_secs(5), ..Policy::default() };
    assert!(run(short.clone()).end_millis < 5000);
    let Step::Send(_, sent) = poll(short).step(crate::testing::start_time()) else { panic!("a request") };
    let later = crate::testing::start_time() + chrono::TimeDelta::seconds(1);
    let Step::Wait(_, parked) = sent.receive(reply(200, "", IN_PROGRESS), later) else { panic!("a wait") };
    let tomorrow = later + chrono::TimeDelta::days(1);
    assert!(matches!(parked.clone().step(tomorrow), Step::Done(Err(_))));
    let policy = Policy { max_body: 7, ..Policy::default() };
    let Step::Send(request, _) = parked.with_policy(policy).step(tomorrow) else { panic!("a request") };
    assert_eq!(request.max_body(), 7, "and whatever else the other policy says");
}
