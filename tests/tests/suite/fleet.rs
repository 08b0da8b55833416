//! Histories and fleets over all three transports, against one fake server in virtual time.

use std::cell::RefCell;
use std::future::ready;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use billing_core::fleet::FleetPlan;
use billing_core::fleet::{Aborted, FleetStep, FleetUpdate};
use billing_core::history::{PeriodOutcome, PeriodResult, StopReason};
use billing_core::sandbox::{Fault, FaultTarget, LogEntry, LoggedOutcome, ORG_ID, Sandbox};
use billing_core::{
    Authorized, BaseUrl, Error, ErrorKind, Event, Fleet, History, OrgId, PeriodIndex, PeriodSelection,
    Policy, Session,
};
use billing_tests::{FakeServer, Transport, VirtualTime};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;

fn start() -> VirtualTime {
    VirtualTime::at("2026-11-20T09:00:00Z".parse().unwrap())
}

fn latest() -> PeriodSelection {
    PeriodSelection::Nth(PeriodIndex::new(0))
}

/// Returns the first `n` of the sandbox's trustors.
fn trustors(n: usize) -> Vec<OrgId> {
    Sandbox::new(7).all_trustors().take(n).map(|(id, _)| id).collect()
}

/// Describes a period's result in one line.
fn told(finding: &PeriodResult) -> String {
    let PeriodResult { organization, index, outcome: found, stop_reason: ended, .. } = finding;
    let found = match found {
        PeriodOutcome::Period(period) => {
            let overview = &period.overview;
            assert_eq!(overview.organization.as_ref().unwrap().id.as_deref(), Some(organization.as_str()));
            assert_eq!(
                serde_json::from_slice::<billing_core::model::TrusteeOverview>(&period.body).unwrap(),
                *overview
            );
            overview.billing_period_end_date.unwrap().to_string()
        }
        PeriodOutcome::Failed(error) => error.to_string(),
        other => format!("{other:?}"),
    };
    format!("{organization} {index} {found} {ended:?}")
}

fn overviews(log: &[LogEntry]) -> usize {
    log.iter().filter(|entry| entry.path_and_query.contains("trusteebillingoverview")).count()
}

fn throttled(log: &[LogEntry]) -> usize {
    log.iter().filter(|entry| entry.outcome == LoggedOutcome::Status(429)).count()
}

fn ureq_client(server: &FakeServer, time: &VirtualTime) -> billing_ureq::Client {
    let credentials = server.sandbox().credentials();
    billing_ureq::Client::builder(server.environment().unwrap(), credentials)
        .no_proxy()
        .clock(time.clone())
        .build()
        .unwrap()
}

fn hyper_client(server: &FakeServer, time: &VirtualTime) -> billing_hyper::Client {
    let credentials = server.sandbox().credentials();
    billing_hyper::Client::builder(server.environment().unwrap(), credentials)
        .no_proxy()
        .clock(time.clone())
        .build()
        .unwrap()
}

fn serve(sandbox: Sandbox, time: &VirtualTime) -> FakeServer {
    let clock = time.clone();
    FakeServer::start(sandbox, move || clock.now())
}

/// Runs a history over one transport and describes its results.
fn walk(
    transport: Transport,
    sandbox: Sandbox,
    organization: &str,
    reach: PeriodSelection,
) -> Vec<Result<String, Error>> {
    let time = start();
    let organization: OrgId = organization.parse().unwrap();
    let line = |result: Result<PeriodResult, Error>| result.map(|finding| told(&finding));
    if transport == Transport::Memory {
        let mut sandbox = sandbox;
        let environment = sandbox.environment();
        let session = Rc::new(RefCell::new(Session::new(environment.clone(), sandbox.credentials())));
        let mut rest = Some(History::new(organization, reach, environment.api().clone(), Policy::default()));
        let mut lines = Vec::new();
        let mut now = time.now();
        while let Some(history) = rest.take() {
            let visit = sandbox.run(Authorized::new(history, session.clone()), &mut now, |_| ());
            lines.push(line(visit.map(|visit| {
                rest = visit.rest;
                visit.result
            })));
        }
        return lines;
    }
    let server = serve(sandbox, &time);
    match transport {
        Transport::Ureq => ureq_client(&server, &time).history(organization, reach).map(line).collect(),
        _ => tokio::runtime::Runtime::new().unwrap().block_on(async {
            hyper_client(&server, &time).history(organization, reach).map(line).collect().await
        }),
    }
}

#[test]
fn b14_a_history_is_the_same_in_every_transport() {
    let reaches = [
        PeriodSelection::year(2025).unwrap(),
        PeriodSelection::Latest(3.try_into().unwrap()),
        PeriodSelection::All,
        latest(),
    ];
    for reach in reaches {
        let lines = |transport| -> Vec<String> {
            let mut sandbox = Sandbox::new(7);
            // The first answer is lost, and the request is retried.
            sandbox.inject(FaultTarget::Overview, Fault::ResetAfterActing);
            walk(transport, sandbox, ORG_ID, reach).into_iter().map(Result::unwrap).collect()
        };
        let [memory, ureq, hyper] = Transport::ALL.map(lines);
        assert_eq!((&ureq, &hyper), (&memory, &memory), "{reach}");
        let found = memory.iter().filter(|line| line.contains("T23:59:59")).count();
        let (expected, ended) = match reach {
            PeriodSelection::Range(_) => (12, "BeforeRange"),
            PeriodSelection::Latest(_) => (3, "AllFound"),
            PeriodSelection::All => (60, "OldestPeriod"),
            _ => (1, "AllFound"),
        };
        assert!(found >= expected && memory.last().unwrap().contains(ended), "{reach}: {memory:#?}");
    }
}

#[test]
fn an_unknown_organisation_is_one_error_and_nothing_after_it() {
    for transport in Transport::ALL {
        let lines = walk(transport, Sandbox::new(7), "nobody", PeriodSelection::All);
        let [Err(error)] = &lines[..] else { panic!("{transport:?}: {lines:?}") };
        assert_eq!(error.kind(), &ErrorKind::NotFound);
    }
}

#[test]
fn ureq_a_walk_is_saved_and_gone_on_with() {
    let time = start();
    let server = serve(Sandbox::new(7), &time);
    let client = ureq_client(&server, &time);
    let mut walk = client.history(ORG_ID.parse().unwrap(), PeriodSelection::Latest(4.try_into().unwrap()));
    let mut lines: Vec<String> = walk.by_ref().take(2).map(|finding| told(&finding.unwrap())).collect();
    let saved = serde_json::to_string(walk.rest().unwrap()).unwrap();
    let mut rest = client.resume_history(serde_json::from_str(&saved).unwrap());

    // An error ends the iterator. The rest begins with the period that failed.
    server.sandbox().inject(FaultTarget::Overview, Fault::Status(403));
    assert_eq!(rest.next().unwrap().unwrap_err().kind(), &ErrorKind::Forbidden);
    assert!(rest.next().is_none());
    let mut rest = client.resume_history(rest.rest().unwrap().clone());
    lines.extend(rest.by_ref().map(|finding| told(&finding.unwrap())));
    assert!(rest.rest().is_none() && rest.next().is_none());
    assert_eq!((lines.len(), overviews(server.sandbox().log())), (4, 5));
}

#[test]
fn hyper_a_walk_is_saved_and_gone_on_with() {
    let time = start();
    let server = serve(Sandbox::new(7), &time);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let client = hyper_client(&server, &time);
        let mut walk =
            client.history(ORG_ID.parse().unwrap(), PeriodSelection::Latest(4.try_into().unwrap()));
        // The request of a period stays in flight when its future is dropped.
        let mut polled = Box::pin(walk.next());
        assert!(futures_util::poll!(polled.as_mut()).is_pending());
        drop(polled);
        let first = walk.by_ref().take(2).map(|finding| told(&finding.unwrap()));
        let mut lines: Vec<String> = first.collect().await;
        assert_eq!(overviews(server.sandbox().log()), 2);
        let saved = serde_json::to_string(walk.rest().unwrap()).unwrap();
        let mut rest = client.resume_history(serde_json::from_str(&saved).unwrap());

        server.sandbox().inject(FaultTarget::Overview, Fault::Status(403));
        assert_eq!(rest.next().await.unwrap().unwrap_err().kind(), &ErrorKind::Forbidden);
        assert!(rest.next().await.is_none());
        let mut rest = client.resume_history(rest.rest().unwrap().clone());
        let others: Vec<String> = rest.by_ref().map(|finding| told(&finding.unwrap())).collect().await;
        lines.extend(others);
        assert!(rest.rest().is_none() && rest.next().await.is_none());
        assert_eq!((lines.len(), overviews(server.sandbox().log())), (4, 5));
    });
}

/// Runs a fleet over one transport until it has `most` results.
fn run(
    transport: Transport,
    sandbox: Sandbox,
    organizations: &[OrgId],
    reach: PeriodSelection,
    most: usize,
) -> (Vec<PeriodResult>, Option<Aborted>, Vec<LogEntry>) {
    let time = start();
    let assignment =
        |api: BaseUrl, now: DateTime<Utc>| FleetPlan::new(organizations.iter().cloned(), reach, api, now);
    let mut found = Vec::new();
    if transport == Transport::Memory {
        let mut sandbox = sandbox;
        let environment = sandbox.environment();
        let session = Rc::new(RefCell::new(Session::new(environment.clone(), sandbox.credentials())));
        let mut now = time.now();
        let mut fleet = Fleet::new(&assignment(environment.api().clone(), now), Policy::default(), session);
        let mut out = Vec::new();
        loop {
            match fleet.step(now) {
                FleetStep::Send(request, flight) => out.push((request, flight)),
                FleetStep::Result(finding) => found.push(finding),
                FleetStep::Wait(until) => match out.pop() {
                    Some((request, flight)) => fleet.receive(flight, sandbox.reply(&request, now), now),
                    None => now = until.unwrap(),
                },
                FleetStep::Done(result) => return (found, result.err(), sandbox.log().to_vec()),
            }
            if found.len() == most {
                return (found, None, sandbox.log().to_vec());
            }
        }
    }
    let server = serve(sandbox, &time);
    let assignment = assignment(server.environment().unwrap().api().clone(), time.now());
    let mut take = |update: FleetUpdate| {
        assert!(update.progress.done <= organizations.len());
        found.extend(update.result);
        if found.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let stopped = match transport {
        Transport::Ureq => ureq_client(&server, &time).fleet(&assignment).run(take).err(),
        _ => tokio::runtime::Runtime::new().unwrap().block_on(async {
            let mut updates = std::pin::pin!(hyper_client(&server, &time).fleet(&assignment).run());
            while let Some(update) = updates.next().await {
                match update {
                    Ok(update) => {
                        if take(update).is_break() {
                            break;
                        }
                    }
                    Err(stopped) => return Some(stopped),
                }
            }
            None
        }),
    };
    let log = server.sandbox().log().to_vec();
    (found, stopped, log)
}

fn sorted(found: &[PeriodResult]) -> Vec<String> {
    let mut lines: Vec<String> = found.iter().map(told).collect();
    lines.sort();
    lines
}

#[test]
fn a_fleet_finds_the_same_in_every_transport_with_one_login_and_no_429() {
    let organizations = trustors(650);
    let mut all = Vec::new();
    for transport in Transport::ALL {
        let (found, stopped, log) = run(transport, Sandbox::new(7), &organizations, latest(), usize::MAX);
        assert!(stopped.is_none(), "{transport:?}: {stopped:?}");
        assert_eq!((overviews(&log), log.len()), (650, 651), "{transport:?}");
        all.push(sorted(&found));
    }
    assert_eq!(all[0].len(), 650);
    assert!(all[0] == all[1] && all[0] == all[2]);
}

#[test]
fn a_fleet_of_histories_goes_through_them_with_their_failures() {
    let mut organizations = trustors(12);
    organizations.insert(5, "nobody".parse().unwrap());
    for transport in Transport::ALL {
        let mut sandbox = Sandbox::new(7);
        for fault in
            [Fault::Status(503), Fault::Reset, Fault::ExpireToken, Fault::TruncatedBody, Fault::Html(502)]
        {
            sandbox.inject(FaultTarget::Overview, fault);
        }
        let reach = PeriodSelection::Latest(5.try_into().unwrap());
        let (found, stopped, log) = run(transport, sandbox, &organizations, reach, usize::MAX);
        assert!(stopped.is_none(), "{transport:?}: {stopped:?}");
        let periods =
            found.iter().filter(|finding| matches!(finding.outcome, PeriodOutcome::Period(_))).count();
        let ended = |as_: StopReason| found.iter().filter(|finding| finding.stop_reason == Some(as_)).count();
        assert_eq!(
            (periods, ended(StopReason::AllFound), ended(StopReason::Failed)),
            (60, 12, 1),
            "{transport:?}"
        );
        assert_eq!(throttled(&log), 0, "{transport:?}");
    }
}

#[test]
fn a_token_that_is_refused_for_good_ends_a_fleet_early() {
    let organizations = trustors(300);
    for transport in Transport::ALL {
        let mut sandbox = Sandbox::new(7);
        for _ in 0..300 {
            sandbox.inject(FaultTarget::Login, Fault::InvalidClient);
        }
        let (found, stopped, log) = run(transport, sandbox, &organizations, latest(), usize::MAX);
        assert_eq!(stopped.unwrap().error.kind(), &ErrorKind::LoginRefused, "{transport:?}");
        assert_eq!((found.len(), log.len()), (0, 1), "{transport:?}");
    }
}

#[test]
fn a_run_that_is_stopped_sends_nothing_more() {
    let organizations = trustors(300);
    const AT_ONCE: usize = billing_ureq::Fleet::AT_ONCE;
    assert_eq!(AT_ONCE, billing_hyper::Fleet::AT_ONCE);
    for transport in [Transport::Ureq, Transport::Hyper] {
        let time = start();
        let server = serve(Sandbox::new(7), &time);
        let api = server.environment().unwrap().api().clone();
        let assignment = FleetPlan::new(organizations.iter().cloned(), latest(), api, time.now());
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let watch = move |event: Event<'_>| {
            if let Event::Sending(request) = event {
                count.fetch_add(usize::from(request.http().method() == "GET"), Ordering::Relaxed);
            }
        };
        let found = match transport {
            Transport::Ureq => {
                let client = ureq_client(&server, &time);
                let mut found = 0;
                let until_20 = |update: FleetUpdate| {
                    found += usize::from(update.result.is_some());
                    if found < 20 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                };
                client.fleet(&assignment).run_watched(until_20, watch).unwrap();
                // The requests in flight were awaited, so that all answers are here now.
                assert_eq!(overviews(server.sandbox().log()), sent.load(Ordering::Relaxed));
                (0..20).for_each(|_| drop(client.organization().unwrap()));
                found
            }
            _ => tokio::runtime::Runtime::new().unwrap().block_on(async {
                let client = hyper_client(&server, &time);
                let updates = client.fleet(&assignment).run_watched(watch);
                let found = updates.filter(|update| ready(update.as_ref().unwrap().result.is_some()));
                let found = found.take(20).count().await;
                // The runtime continues to run, and so would any task that was left in it.
                for _ in 0..20 {
                    client.organization().await.unwrap();
                }
                found
            }),
        };
        let (sent, came) = (sent.load(Ordering::Relaxed), overviews(server.sandbox().log()));
        assert_eq!(found, 20, "{transport:?}");
        // The requests in flight when the task was dropped may have arrived or not.
        assert!(came <= sent && sent < 20 + AT_ONCE, "{transport:?}: {came} of {sent}");
    }
}

#[test]
fn a_panic_of_the_caller_ends_the_run_and_the_client_is_as_good_as_before() {
    let time = start();
    let server = serve(Sandbox::new(7), &time);
    let client = ureq_client(&server, &time);
    let assignment = FleetPlan::new(trustors(40), latest(), client.environment().api().clone(), time.now());
    let panic = catch_unwind(AssertUnwindSafe(|| client.fleet(&assignment).run(|_| panic!("of the caller"))));
    assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "of the caller");
    let mut found = 0;
    let count = |update: FleetUpdate| {
        found += usize::from(update.result.is_some());
        ControlFlow::Continue(())
    };
    let progress = client.fleet(&assignment).at_once(3).run(count).unwrap();
    assert_eq!((found, progress.done, progress.incomplete), (40, 40, 0));
}

#[test]
fn what_is_recalled_is_not_asked_for_again_and_requests_are_told_of() {
    let organizations = trustors(30);
    let (known, ..) = run(Transport::Memory, Sandbox::new(7), &organizations, latest(), 12);
    for transport in [Transport::Ureq, Transport::Hyper] {
        let time = start();
        let server = serve(Sandbox::new(7), &time);
        let api = server.environment().unwrap().api().clone();
        let assignment = FleetPlan::new(organizations.iter().cloned(), latest(), api, time.now());
        let sent = Arc::new(AtomicUsize::new(0));
        let count = sent.clone();
        let watch = move |event: Event<'_>| {
            if let Event::Received { response, .. } = event {
                assert_eq!(response.status().unwrap(), 200);
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        let done = match transport {
            Transport::Ureq => {
                let mut fleet = ureq_client(&server, &time).fleet(&assignment);
                known.iter().for_each(|finding| fleet.restore(finding));
                fleet.run_watched(|_| ControlFlow::Continue(()), watch).unwrap().done
            }
            _ => tokio::runtime::Runtime::new().unwrap().block_on(async {
                let mut fleet = hyper_client(&server, &time).fleet(&assignment).at_once(5);
                known.iter().for_each(|finding| fleet.restore(finding));
                let updates = fleet.run_watched(watch).map(|update| update.unwrap().progress.done);
                updates.fold(0, |most, done| async move { most.max(done) }).await
            }),
        };
        assert_eq!((done, sent.load(Ordering::Relaxed)), (30, 19), "{transport:?}");
        assert_eq!(overviews(server.sandbox().log()), 18, "{transport:?}");
    }
}
