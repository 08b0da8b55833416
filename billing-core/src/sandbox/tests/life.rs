//! Runs of whole machines against the sandbox, in virtual time: the decision table from end to end.

use std::ops::ControlFlow;

use super::*;
use crate::fleet::{Fleet, FleetPlan, FleetUpdate};
use crate::history::{PeriodOutcome, PeriodSelection};
use crate::machine::WaitReason;
use crate::model::ReportStatus;
use crate::values::clock::between;
use crate::{ErrorKind, TransportErrorKind};

#[test]
fn a_poll_gets_over_what_passes() {
    let clean = outcome([]).unwrap();
    let hint = RetryAfter::Seconds(20);
    let skewed = RetryAfter::Date { in_seconds: 20, clock_skew: 86_400 };
    for fault in [
        Fault::Status(408),
        Fault::Status(425),
        Fault::Status(500),
        Fault::Status(429),
        Fault::StatusRetryAfter(503, skewed),
        Fault::StatusRetryAfter(429, hint),
        Fault::Html(504),
        Fault::ThrottleBare,
        Fault::Reset,
        Fault::ResetAfterActing,
        Fault::Silence,
        Fault::Transport(TransportErrorKind::Dns),
        Fault::ExpireToken,
        Fault::Accepted(None),
        Fault::Accepted(Some(hint)),
        Fault::ReportStatus("Paused".into()),
        Fault::ReportStatus("InProgress".into()),
        Fault::ReportStatusRetryAfter("InProgress".into(), skewed),
        Fault::NoReportStatus,
        Fault::NotJson,
        Fault::TruncatedJson,
        Fault::TruncatedBody,
        Fault::NotUtf8,
        Fault::TooDeep,
        Fault::WrongShape,
        Fault::GzipCut,
    ] {
        assert_eq!(outcome([(FaultTarget::UsageReport, fault.clone())]).unwrap(), clean, "{fault:?}");
    }
    for fault in [Fault::Status(429), Fault::Html(502), Fault::Reset, Fault::Silence, Fault::TruncatedBody] {
        assert_eq!(outcome([(FaultTarget::Login, fault.clone())]).unwrap(), clean, "{fault:?}");
    }
}

#[test]
fn a_fleet_runs_to_its_end_as_a_machine_does() {
    let run = |faults: &[(FaultTarget, Fault)], enough: usize| {
        let mut sandbox = Sandbox::new(7).trustor_count(40);
        faults.iter().for_each(|(on, fault)| sandbox.inject(*on, fault.clone()));
        let session = Rc::new(RefCell::new(Session::new(sandbox.environment(), sandbox.credentials())));
        let organizations = sandbox.all_trustors().map(|(id, _)| id);
        let (latest, api) = (PeriodSelection::Nth(PeriodIndex::new(0)), sandbox.environment().api().clone());
        let assignment = FleetPlan::new(organizations, latest, api, start());
        let fleet = Fleet::new(&assignment, Policy::default(), session);
        let (mut now, mut found, mut waits, mut events) = (start(), Vec::new(), 0, 0);
        let told = |update: FleetUpdate| {
            match update.result {
                Some(finding) => {
                    found.push((finding.organization, matches!(finding.outcome, PeriodOutcome::Failed(_))))
                }
                None => waits += 1,
            }
            if found.len() < enough { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let ended = sandbox.run_fleet(fleet, &mut now, told, |_| events += 1);
        assert_eq!(events, 2 * sandbox.log().len(), "each request and each reply is told of");
        (ended.map(|progress| progress.done), found, waits, between(start(), now))
    };
    let (done, found, _, took) = run(&[], 1000);
    assert_eq!((done.unwrap(), found.len(), took), (40, 40, Duration::ZERO));
    assert!(found.iter().all(|(_, failed)| !failed));
    // A missing response costs the time limit, a 429 is waited out and reported, and a final failure is a
    // result.
    let (done, found, waits, took) =
        run(&[(FaultTarget::Overview, Fault::Silence), (FaultTarget::Overview, Fault::Status(429))], 1000);
    assert_eq!((done.unwrap(), found.len()), (40, 40));
    assert!(waits > 0 && took >= Duration::from_secs(60), "{waits} {took:?}");
    let (_, found, ..) = run(&[(FaultTarget::Overview, Fault::Status(400))], 1000);
    assert_eq!(found.iter().filter(|(_, failed)| *failed).count(), 1);
    let (done, found, ..) = run(&[], 7);
    assert_eq!((done.unwrap(), found.len()), (7, 7), "it is stopped");
    let (done, ..) = run(&[(FaultTarget::Login, Fault::Status(401))], 1000);
    assert!(done.unwrap_err().error.to_string().contains("401"));
}

#[test]
fn a_poll_ends_on_what_does_not_pass() {
    let report = |fault: Fault| outcome([(FaultTarget::UsageReport, fault)]).unwrap_err();
    assert_eq!(report(Fault::Status(400)), ErrorKind::Rejected);
    assert_eq!(report(Fault::Status(403)), ErrorKind::Forbidden);
    assert_eq!(report(Fault::Status(404)), ErrorKind::NotFound);
    assert_eq!(report(Fault::Status(501)), ErrorKind::Server);
    assert_eq!(report(Fault::OtherSuccess(204)), ErrorKind::UnexpectedStatus);
    assert_eq!(report(Fault::Redirect("/elsewhere".into())), ErrorKind::UnexpectedStatus);
    let tls = TransportErrorKind::Tls;
    assert_eq!(report(Fault::Transport(tls)), ErrorKind::Transport(tls));
    let large = TransportErrorKind::TooLarge { limit: 64 << 20 };
    assert_eq!(report(Fault::GzipBomb((64 << 20) + 1)), ErrorKind::Transport(large));
    let far = RetryAfter::Seconds(7200);
    assert!(matches!(report(Fault::StatusRetryAfter(429, far)), ErrorKind::Deferred(_)));

    let thrice =
        |fault: Fault| outcome([0; 3].map(|_| (FaultTarget::UsageReport, fault.clone()))).unwrap_err();
    assert_eq!(thrice(Fault::ReportStatus("Paused".into())), ErrorKind::UnknownStatus("Paused".into()));
    assert!(matches!(thrice(Fault::NotJson), ErrorKind::Decode(_)));
    assert_eq!(thrice(Fault::ExpireToken), ErrorKind::Unauthorized);
    let login = outcome([(FaultTarget::Login, Fault::InvalidClient)]).unwrap_err();
    assert_eq!(login, ErrorKind::LoginRefused);
}

#[test]
fn a_poll_survives_a_bad_day_and_never_hurries() {
    let mut sandbox = Sandbox::new(1).report_duration(seconds(60));
    sandbox.inject(FaultTarget::Login, Fault::Reset);
    for fault in [
        Fault::ExpireToken,
        Fault::StatusRetryAfter(429, RetryAfter::Seconds(7)),
        Fault::Html(503),
        Fault::Reset,
        Fault::TruncatedBody,
    ] {
        sandbox.inject(FaultTarget::UsageReport, fault);
    }
    let machine = poll(&sandbox, Policy::default());
    let mut now = start();
    let mut throttled = 0;
    let report = sandbox.run(machine, &mut now, |event| {
        throttled += u32::from(
            matches!(event, Event::Waiting(progress) if progress.wait_reason == WaitReason::Throttled),
        );
    });
    assert_eq!(report.unwrap().status, Some(ReportStatus::Complete));
    assert!(now > later(60) && throttled == 1, "{now} {throttled}");

    let polls: Vec<&LogEntry> =
        sandbox.log().iter().filter(|entry| entry.path_and_query.starts_with(USAGE)).collect();
    let outcomes: Vec<LoggedOutcome> = polls.iter().map(|entry| entry.outcome).collect();
    use LoggedOutcome::{Reset, Status, Truncated};
    assert_eq!(outcomes[..6], [Status(401), Status(429), Status(503), Reset, Truncated(200), Status(200)]);
    assert!(polls.iter().all(|entry| entry.path_and_query == polls[0].path_and_query));
    assert_eq!((polls[0].token_number, polls[1].token_number), (Some(1), Some(2)));
    assert!(between(polls[1].received_at, polls[2].received_at) >= seconds(7));
    // The request after a 401 repeats the same poll, so it does not wait (rule D4).
    for pair in polls[1..].windows(2) {
        assert!(between(pair[0].received_at, pair[1].received_at) >= seconds(2), "{} {}", pair[0], pair[1]);
    }
    let logins = sandbox.log().iter().filter(|entry| entry.path_and_query == "/oauth/token").count();
    assert_eq!(logins, 3);
}

#[test]
fn an_exchange_survives_a_bad_day() {
    let mut sandbox = Sandbox::new(1);
    for fault in [
        Fault::ExpireToken,
        Fault::StatusRetryAfter(429, RetryAfter::Seconds(7)),
        Fault::Html(503),
        Fault::Reset,
        Fault::TruncatedBody,
    ] {
        sandbox.inject(FaultTarget::Overview, fault);
    }
    let overview = overview(&mut sandbox, ORG_ID.parse().unwrap(), 1).unwrap();
    assert_eq!(overview.organization.unwrap().id.as_deref(), Some(ORG_ID));
    assert_eq!(sandbox.log().len(), 8);
}

#[test]
fn a_session_keeps_the_quota_without_a_429() {
    for down in [false, true] {
        let mut sandbox = Sandbox::new(1).quota(10, seconds(60)).round_reset_down(down);
        let session = session(&sandbox);
        let mut now = start();
        for index in 0..25 {
            let call =
                TrusteeOverviewCall::new(ORG_ID.parse().unwrap()).period_index(PeriodIndex::new(index));
            let exchange = Exchange::new(call, sandbox.environment().api().clone(), Policy::default());
            sandbox.run(Authorized::new(exchange, session.clone()), &mut now, |_| {}).unwrap();
        }
        assert!(sandbox.log().iter().all(|entry| entry.outcome == LoggedOutcome::Status(200)));
        assert_eq!(sandbox.log().len(), 26);
        // The bound is two windows and a short wait after each.
        assert!(between(start(), now) <= seconds(122), "{now}");
    }
}

#[test]
fn silence_costs_what_the_request_allows() {
    let mut sandbox = Sandbox::new(1).report_duration(Duration::ZERO);
    sandbox.inject(FaultTarget::UsageReport, Fault::Silence);
    let machine = poll(&sandbox, Policy::default());
    let mut now = start();
    let mut slowest = Duration::ZERO;
    sandbox
        .run(machine, &mut now, |event| {
            if let Event::Received { elapsed, .. } = event {
                slowest = slowest.max(elapsed);
            }
        })
        .unwrap();
    assert_eq!(slowest, seconds(30));
    assert!(now >= later(30));
}

#[test]
fn the_same_seed_and_requests_give_the_same_bytes() {
    let life = |seed: u64| {
        let mut sandbox = Sandbox::new(seed);
        sandbox.inject(FaultTarget::UsageReport, Fault::Status(500));
        let mut said = String::new();
        let machine = poll(&sandbox, Policy::default());
        let mut now = start();
        let report = sandbox.run(machine, &mut now, |event| {
            said += &format!("{event:?}");
        });
        (said, report.unwrap(), now, sandbox.log().to_vec())
    };
    assert_eq!(life(1), life(1));
    assert_ne!(life(1).0, life(2).0);
    assert_ne!(life(1).1, life(2).1);
}

#[test]
fn nothing_shows_a_token_or_the_secret() {
    let mut sandbox = Sandbox::new(1);
    let token = token(&mut sandbox, start());
    sandbox.respond(&get("/api/v2/x", &token), start());
    let shown = format!("{sandbox:?} {:?} {}", sandbox.log(), sandbox.log()[1]);
    assert!(!shown.contains(&token) && !shown.contains(CLIENT_SECRET), "{shown}");
    assert_eq!(sandbox.log()[1].token_number, Some(1));
}

/// Returns the result of a poll that meets these faults, one after the other.
fn outcome(faults: impl IntoIterator<Item = (FaultTarget, Fault)>) -> Result<UsageReport, ErrorKind> {
    let mut sandbox = Sandbox::new(3);
    for (target, fault) in faults {
        sandbox.inject(target, fault);
    }
    run_poll(&mut sandbox).map_err(|error| error.kind().clone())
}
