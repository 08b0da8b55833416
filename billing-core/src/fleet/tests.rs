//! Tests of a fleet against a small server, in virtual time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

use super::journal::JournalEntry;
use super::*;
use crate::session::Pacing;
use crate::testing::{reply, start_time, transport_failure};
use crate::values::clock::{between, saturating_add};
use crate::{Credentials, Environment, Session, TransportErrorKind};

type Shared = Rc<RefCell<Session>>;

/// A server: the reply to a request for an organisation's number and an index, and the number of earlier
/// requests for it.
type Server<'a> = &'a mut dyn FnMut(usize, u32, usize) -> Reply;

/// A run and its results.
struct Run {
    found: Vec<(usize, u32, String, Option<StopReason>)>,
    results: Vec<PeriodResult>,
    end: Option<Result<(), Aborted>>,
    /// The requests in order, by organisation and index, and the number of logins.
    asked: Vec<(usize, u32)>,
    logins: usize,
    most_out: usize,
    most_open: usize,
    seconds: u64,
}

fn session() -> Shared {
    let credentials = Credentials::client("id", "s3cret").unwrap();
    let pacing = Pacing { min_interval: None };
    Rc::new(RefCell::new(Session::with_pacing(Environment::default(), credentials, pacing, 1)))
}

fn plan(n: usize, selection: PeriodSelection) -> FleetPlan {
    let organizations = (0..n).map(|n| format!("org-{n}").parse().unwrap());
    FleetPlan::new(organizations, selection, Environment::default().api().clone(), start_time())
}

fn latest() -> PeriodSelection {
    PeriodSelection::Nth(PeriodIndex::new(0))
}

fn periods(n: u32) -> PeriodSelection {
    PeriodSelection::Latest(NonZeroU32::new(n).unwrap())
}

fn fleet(n: usize, selection: PeriodSelection) -> Fleet<Shared> {
    let retries = crate::machine::RetrySchedule { max_retries: 1, ..Default::default() };
    Fleet::new(&plan(n, selection), Policy { retry: retries, ..Policy::default() }, session())
}

/// Returns the overview of an organisation's period, `index` months before December 2026.
fn overview(organization: usize, index: u32) -> Reply {
    let (year, month) = (2026 - index / 12, 12 - index % 12);
    let body = format!(
        r#"{{"organization":{{"id":"org-{organization}"}},"billingPeriodStartDate":"{year}-{month:02}-01T00:00:00Z",
            "billingPeriodEndDate":"{year}-{month:02}-28T23:59:59Z"}}"#
    );
    reply(200, "", &body)
}

fn healthy(organization: usize, index: u32, _: usize) -> Reply {
    if index < 40 { overview(organization, index) } else { reply(404, "", "") }
}

/// Runs a fleet until its end, or until it has returned `most` results. Each response takes a little more
/// than half a second.
fn run_until(fleet: &mut Fleet<Shared>, most: usize, server: Server<'_>) -> Run {
    let mut run = Run {
        found: Vec::new(),
        results: Vec::new(),
        end: None,
        asked: Vec::new(),
        logins: 0,
        most_out: 0,
        most_open: 0,
        seconds: 0,
    };
    let mut now = start_time();
    let mut times: BTreeMap<(usize, u32), usize> = BTreeMap::new();
    let mut out: BTreeMap<(DateTime<Utc>, u64), (RequestHandle, Reply)> = BTreeMap::new();
    for n in 0..1_000_000_u64 {
        match fleet.step(now) {
            FleetStep::Send(request, flight) => {
                let uri = request.http().uri();
                let reply = if uri.path() == "/oauth/token" {
                    run.logins += 1;
                    reply(200, "", r#"{"access_token":"t0ken","expires_in":86400}"#)
                } else {
                    let organization = uri.path().rsplit_once("/org-").unwrap().1.parse().unwrap();
                    let index =
                        uri.query().unwrap().trim_start_matches("billingPeriodIndex=").parse().unwrap();
                    run.asked.push((organization, index));
                    let before = times.entry((organization, index)).or_default();
                    *before += 1;
                    server(organization, index, *before - 1)
                };
                out.insert((saturating_add(now, Duration::from_millis(500 + n % 7)), n), (flight, reply));
                run.most_out = run.most_out.max(out.len());
                run.most_open = run.most_open.max(fleet.in_progress());
            }
            FleetStep::Result(result) => {
                run.found.push((number(&result), result.index.get(), word(&result), result.stop_reason));
                run.results.push(result);
                if run.found.len() == most {
                    return run;
                }
            }
            FleetStep::Wait(until) => match (out.first_key_value().map(|((at, _), _)| *at), until) {
                (Some(at), until) if until.is_none_or(|until| at <= until) => {
                    now = at;
                    let (_, (flight, reply)) = out.pop_first().unwrap();
                    fleet.receive(flight, reply, now);
                }
                (_, Some(until)) => now = until.max(now),
                (_, None) => panic!("a fleet that waits for nothing"),
            },
            FleetStep::Done(end) => {
                run.end = Some(end);
                run.seconds = between(start_time(), now).as_secs();
                return run;
            }
        }
    }
    panic!("a run without an end");
}

fn run(fleet: &mut Fleet<Shared>, server: Server<'_>) -> Run {
    run_until(fleet, usize::MAX, server)
}

fn stopped(run: &Run) -> &Aborted {
    run.end.as_ref().unwrap().as_ref().unwrap_err()
}

#[test]
fn each_organisation_has_its_turn_and_no_more_are_out_than_may_be() {
    let mut fleet = fleet(100, latest()).max_in_flight(7);
    let run = run(&mut fleet, &mut healthy);
    assert!(run.end.unwrap().is_ok());
    assert_eq!(run.asked, (0..100).map(|n| (n, 0)).collect::<Vec<_>>(), "in their order");
    assert_eq!((run.logins, run.most_out, run.found.len()), (1, 7, 100));
    assert!(
        run.found
            .iter()
            .all(|(_, _, word, ended)| word == "2026-12-01" && *ended == Some(StopReason::AllFound))
    );
    // 100 responses of half a second, 7 at a time, and a login.
    assert_eq!(run.seconds, 8);
}

#[test]
fn a_walk_that_is_begun_is_finished_before_more_are_begun() {
    let mut fleet = fleet(50, periods(4)).max_in_flight(5);
    let run = run(&mut fleet, &mut healthy);
    assert_eq!((run.found.len(), run.most_out, run.most_open), (200, 5, 5));
    for (place, (organization, index)) in run.asked.iter().enumerate() {
        assert_eq!((organization / 5, *index), (place / 20, u32::try_from(place % 20 / 5).unwrap()));
    }
    let ends = run
        .found
        .iter()
        .filter(|(_, index, _, ended)| (*index == 3) == (*ended == Some(StopReason::AllFound)));
    assert_eq!(ends.count(), 200);
}

#[test]
fn one_organisation_is_named_once() {
    let ids = ["a", "b", "A", "a", "c"].map(|id| id.parse::<OrgId>().unwrap());
    let plan = FleetPlan::new(ids, latest(), Environment::default().api().clone(), start_time());
    assert_eq!(plan.organizations().iter().map(OrgId::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn what_goes_wrong_with_one_is_found_with_its_id_and_the_others_go_on() {
    let mut fleet = fleet(60, periods(2));
    let run = run(&mut fleet, &mut |organization, index, before| match (organization % 10, index) {
        (1, _) => reply(404, "", r#"{"code":"not.found"}"#),
        (2, _) => reply(403, "", r#"{"code":"not.authorized"}"#),
        (3, 1) => reply(500, "", ""),
        (4, 0) => reply(503, "retry-after: 7200", ""),
        (5, 0) if before == 0 => transport_failure(TransportErrorKind::Reset),
        (6, _) => reply(200, "", "<html>"),
        _ => overview(organization, index),
    });
    assert!(run.end.unwrap().is_ok());
    let of = |organization: usize| -> Vec<(u32, &str, Option<StopReason>)> {
        let mine = run.found.iter().filter(|(n, ..)| *n == organization);
        mine.map(|(_, index, word, ended)| (*index, word.as_str(), *ended)).collect()
    };
    let (enough, failed) = (Some(StopReason::AllFound), Some(StopReason::Failed));
    assert_eq!(of(51), [(0, "failed Some(404)", failed)]);
    assert_eq!(of(52), [(0, "failed Some(403)", failed)]);
    assert_eq!(of(53), [(0, "2026-12-01", None), (1, "failed Some(500)", enough)]);
    assert_eq!(of(54), [(0, "failed Some(503)", failed)]);
    assert_eq!(of(55), [(0, "2026-12-01", None), (1, "2026-11-01", enough)]);
    assert_eq!(of(56), [(0, "failed Some(200)", None), (1, "failed Some(200)", enough)]);
    let progress = fleet.progress(saturating_add(start_time(), Duration::from_secs(30)));
    assert_eq!((progress.done, progress.incomplete, progress.in_progress), (60, 30, 0));
}

#[test]
fn who_waits_to_be_asked_again_holds_nobody_up() {
    // Every second organisation succeeds only after a wait of 20 s, and 4 requests may be in flight.
    let mut fleet = fleet(40, latest()).max_in_flight(4);
    let run = run(&mut fleet, &mut |organization, index, before| {
        if organization % 2 == 0 && before == 0 {
            reply(503, "retry-after: 20", "")
        } else {
            overview(organization, index)
        }
    });
    assert_eq!((run.found.len(), run.most_out, run.most_open), (40, 4, 16));
    // 60 responses of half a second, 4 at a time, and three waits of 20 s for at most 15 organisations each:
    // not one wait for each organisation.
    assert!(run.seconds <= 50, "{}", run.seconds);
}

#[test]
fn what_concerns_all_ends_the_run_and_says_so() {
    let missing = r#"{"code":"missing.any.permissions","message":"No."}"#;
    let refusals: [(Reply, ErrorKind); 2] =
        [(reply(401, "", ""), ErrorKind::Unauthorized), (reply(403, "", missing), ErrorKind::Forbidden)];
    for (refusal, kind) in refusals {
        let mut fleet = fleet(1000, latest());
        let run = run(&mut fleet, &mut |_, _, _| refusal.clone());
        assert_eq!(stopped(&run).error.kind(), &kind);
        assert!(run.found.is_empty() && run.asked.len() <= 48, "{}", run.asked.len());
        assert!(stopped(&run).to_string().contains("concerns every organisation"), "{}", stopped(&run));
        assert!(std::error::Error::source(stopped(&run)).is_some());
    }
    let run = run(&mut fleet(1000, latest()), &mut |_, _, _| reply(429, "retry-after: 7200", ""));
    assert!(matches!(stopped(&run).error.kind(), ErrorKind::Deferred(_)) && run.asked.len() <= 16);
}

#[test]
fn a_permission_that_others_have_shown_to_be_there_is_not_lacking() {
    let missing = r#"{"code":"missing.any.permissions"}"#;
    let mut fleet = fleet(50, latest()).max_in_flight(1);
    let run =
        run(&mut fleet, &mut |n, index, _| if n == 7 { reply(403, "", missing) } else { overview(n, index) });
    assert!(run.end.unwrap().is_ok() && run.found.len() == 50);
}

#[test]
fn a_login_that_is_refused_or_fails_ends_the_run() {
    for answer in [reply(400, "", r#"{"error":"invalid_client"}"#), reply(503, "", "")] {
        let mut fleet = fleet(1000, latest());
        let mut now = start_time();
        let mut sent = 0;
        let stopped = loop {
            match fleet.step(now) {
                FleetStep::Send(_, flight) => {
                    sent += 1;
                    fleet.receive(flight, answer.clone(), now);
                }
                FleetStep::Wait(until) => now = until.unwrap(),
                FleetStep::Result(result) => panic!("{result:?}"),
                FleetStep::Done(end) => break end.unwrap_err(),
            }
        };
        assert_eq!(stopped.error.operation(), LOGIN);
        assert!(sent <= 6);
    }
}

#[test]
fn a_login_that_wants_nobody_before_some_time_ends_the_run_and_fails_no_organisation() {
    let mut fleet = fleet(1000, latest());
    let FleetStep::Send(login, flight) = fleet.step(start_time()) else { panic!("a login") };
    assert_eq!(login.operation(), LOGIN);
    fleet.receive(flight, reply(503, "retry-after: 180", ""), start_time());
    let FleetStep::Done(Err(stopped)) = fleet.step(start_time()) else { panic!("the end") };
    assert_eq!(stopped.error.operation(), LOGIN);
    assert_eq!(stopped.error.retry_at(), Some(saturating_add(start_time(), Duration::from_secs(180))));
}

#[test]
fn a_hundred_failures_in_a_row_end_the_run() {
    let mut ill = fleet(1000, latest());
    let one = run(&mut ill, &mut |n, index, _| if n < 300 { overview(n, index) } else { reply(500, "", "") });
    assert_eq!(stopped(&one).consecutive_failures, Some(100));
    assert_eq!(one.found.len(), 400, "what failed is told of each");
    assert!(stopped(&one).to_string().contains("100 failures in a row"));
    // A 404 for an organisation is a response, not a failure of the server.
    let run = run(&mut fleet(300, latest()), &mut |_, _, _| reply(404, "", ""));
    assert!(run.end.unwrap().is_ok() && run.found.len() == 300);
}

#[test]
fn the_deadline_of_all_is_no_organisations_own_failure() {
    let deadline = Some(saturating_add(start_time(), Duration::from_secs(3)));
    let policy = Policy { deadline, ..Policy::default() };
    let mut fleet = Fleet::new(&plan(100, latest()), policy, session());
    let run = run(&mut fleet, &mut |_, _, _| reply(503, "", ""));
    assert!(matches!(stopped(&run).error.kind(), ErrorKind::DeadlineExceeded(_)), "{}", stopped(&run));
}

#[test]
fn nobody_is_begun_while_the_session_holds_requests_back() {
    let mut count = 0;
    let mut fleet = fleet(100, latest()).max_in_flight(4);
    let run = run(&mut fleet, &mut |n, index, _| {
        count += 1;
        limited(overview(n, index), 20, (count - 1) % 20 + 1)
    });
    assert!(run.end.unwrap().is_ok() && run.found.len() == 100);
    // One organisation waits for the end of the window, and none with it.
    assert_eq!((run.most_out, run.most_open), (4, 4));
    assert!((240..250).contains(&run.seconds), "{}", run.seconds);
}

/// Adds rate-limit headers to a response: the number allowed in a minute and the number counted.
fn limited(reply: Reply, allowed: u32, count: u32) -> Reply {
    let mut reply = reply.unwrap();
    let headers =
        [("inin-ratelimit-allowed", allowed), ("inin-ratelimit-count", count), ("inin-ratelimit-reset", 60)];
    for (name, value) in headers {
        reply.headers_mut().insert(name, value.into());
    }
    Ok(reply)
}

#[test]
fn it_says_how_far_it_is_and_when_it_will_be_done() {
    let mut fleet = fleet(400, latest());
    let mut answered = 0;
    let at = saturating_add(start_time(), Duration::from_secs(12));
    run_until(&mut fleet, 100, &mut |n, index, _| {
        answered += 1;
        limited(overview(n, index), 100, answered)
    });
    let progress = fleet.progress(at);
    assert_eq!(
        (progress.organizations, progress.done, progress.incomplete, progress.answers_per_minute),
        (400, 100, 0, 100)
    );
    // Three more windows: the last begins 2 minutes after the end of this one, which is 60 s after the first
    // response.
    let left = between(at, progress.estimated_end.unwrap()).as_secs();
    assert!((160..=180).contains(&left), "{left}");
    let text = progress.to_string();
    assert!(
        text.starts_with(
            "100 of 400 organisations done; 100 answers in the last minute; done at about 2026-"
        ),
        "{text}"
    );
    // A minute later there are no results of the last minute.
    assert_eq!(fleet.progress(saturating_add(at, Duration::from_secs(70))).answers_per_minute, 0);
}

#[test]
fn a_walk_of_unknown_length_is_estimated_by_those_that_are_done() {
    let mut walks = fleet(100, PeriodSelection::All).max_in_flight(1);
    assert_eq!(walks.progress(start_time()).estimated_end, None);
    let server = &mut |n, index, _| if index < 9 { overview(n, index) } else { reply(404, "", "") };
    run_until(&mut walks, 500, server);
    let at = saturating_add(start_time(), Duration::from_secs(250));
    let progress = walks.progress(at);
    assert_eq!((progress.done, progress.answers), (50, 500));
    let left = between(at, progress.estimated_end.unwrap()).as_secs();
    assert!((230..=270).contains(&left), "{left}");
    assert_eq!(fleet(100, periods(12)).requests_left(), Some(1200));
}

/// Returns the lines of a journal of `run`.
fn journal(plan: &FleetPlan, run: &Run) -> Vec<String> {
    let (mut journal, first) = Journal::create(plan);
    let mut lines = vec![first];
    lines.extend(run.results.iter().filter_map(|result| journal.line_for(result)));
    lines
}

/// The content of a journal: the plan, the results, and the journal to continue with its valid length.
type Read = (Option<FleetPlan>, Vec<PeriodResult>, Option<(Journal, u64)>);

fn read(text: &str) -> Result<Read, JournalError> {
    let mut reader = JournalReader::default();
    let (mut plan, mut results) = (None, Vec::new());
    for line in text.split_inclusive('\n') {
        match reader.read_line(line.as_bytes())? {
            Some(JournalEntry::Plan(read)) => plan = Some(read),
            Some(JournalEntry::Result(result)) => results.push(result),
            None => {}
        }
    }
    Ok((plan, results, reader.finish()))
}

/// A server with organisations that fail for good, that fail for now, whose walks end early, and whose
/// periods move.
fn mixed(organization: usize, index: u32, _: usize) -> Reply {
    match (organization, index) {
        (1, _) => {
            reply(404, "", r#"{"code":"not.found","message":"No such organisation","contextId":"c-1"}"#)
        }
        (2, 1) | (3, 0) => reply(500, "", ""),
        (4, 2) => reply(404, "", ""),
        (5, 3..) => overview(5, index - 1),
        (6, 1) => reply(400, "", r#"{"code":"bad.request"}"#),
        (7, 2) => reply(403, "", r#"{"code":"not.authorized"}"#),
        _ => overview(organization, index),
    }
}

#[test]
fn after_a_kill_at_any_moment_nothing_is_asked_twice_that_was_answered_and_nothing_is_missed() {
    let plan = plan(10, periods(5));
    let whole = run(&mut fleet(10, periods(5)), &mut mixed);
    let expected = words_by_index(&whole.results);
    let lines = journal(&plan, &whole);
    let text = lines.concat();
    // The run is killed at the end of every line, and within some lines.
    let mut cuts: Vec<usize> = (1..=lines.len()).map(|n| lines[..n].concat().len()).collect();
    cuts.extend([lines[0].len() + 1, text.len() / 3, text.len() / 2, text.len() - 1]);
    for cut in cuts {
        let (read_assignment, before, rest) = read(&text[..cut]).unwrap();
        assert_eq!(read_assignment.as_ref(), Some(&plan));
        let mut fleet = fleet(10, periods(5));
        before.iter().for_each(|result| fleet.restore(result));
        let again = run(&mut fleet, &mut mixed);
        let known = words_by_index(&before);
        assert!(again.asked.iter().all(|asked| !known.contains_key(asked)), "killed at {cut}");
        let together: BTreeMap<_, _> = known.into_iter().chain(words_by_index(&again.results)).collect();
        assert_eq!(together, expected, "killed at {cut}");
        let progress = fleet.progress(saturating_add(start_time(), Duration::from_secs(100)));
        assert_eq!((progress.done, progress.incomplete), (10, 5));

        // The resumed run continues the journal. At its end only the failures for now are left to request.
        let (mut journal, good) = rest.unwrap();
        let mut longer = text[..usize::try_from(good).unwrap()].to_owned();
        longer.extend(again.results.iter().filter_map(|result| journal.line_for(result)));
        let mut last = super::tests::fleet(10, periods(5));
        read(&longer).unwrap().1.iter().for_each(|result| last.restore(result));
        assert_eq!(run(&mut last, &mut mixed).asked, [(2, 1), (3, 0), (2, 1), (3, 0)]);
    }
}

#[test]
fn a_journal_keeps_what_was_found_as_it_was() {
    let run = run(&mut fleet(10, periods(5)), &mut mixed);
    let lines = journal(&plan(10, periods(5)), &run);
    let (_, results, _) = read(&lines.concat()).unwrap();
    let kept: Vec<&PeriodResult> = run.results.iter().filter(|result| !is_for_now(result)).collect();
    assert_eq!((results.len(), kept.len()), (43 - 2, 43 - 2));
    for (read, was) in results.iter().zip(kept) {
        assert_eq!(
            (&read.organization, read.index, read.stop_reason),
            (&was.organization, was.index, was.stop_reason)
        );
        match (&read.outcome, &was.outcome) {
            (PeriodOutcome::Period(read), PeriodOutcome::Period(was)) => assert_eq!(read, was),
            (PeriodOutcome::Failed(read), PeriodOutcome::Failed(was)) => {
                assert_eq!(
                    (read.to_string(), read.kind(), read.body_start()),
                    (was.to_string(), was.kind(), was.body_start())
                );
            }
            (read, was) => assert_eq!(format!("{read:?}"), format!("{was:?}")),
        }
    }
    assert!(!lines.concat().contains("t0ken") && !lines.concat().contains("s3cret"));
}

/// Answers as a server that has the months from January 2026 to month number `latest`, where January is 0.
fn months(latest: u32, index: u32) -> Reply {
    match latest.checked_sub(index) {
        Some(month) => overview(0, 11 - month),
        None => reply(404, "", ""),
    }
}

/// Returns the months of all results that are periods, duplicates included.
fn months_found(results: &[PeriodResult]) -> Vec<String> {
    let periods = results.iter().filter(|result| matches!(result.outcome, PeriodOutcome::Period(_)));
    let mut months: Vec<String> = periods.map(word).collect();
    months.sort();
    months
}

#[test]
fn after_a_new_period_has_begun_no_walk_that_goes_on_leaves_one_out() {
    let july = 6;
    let range = crate::Period::from_user("2026-02-01", "2026-08-01").unwrap();
    for selection in [periods(5), PeriodSelection::Range(range), PeriodSelection::All] {
        // This holds for all sets of failed indexes, all points where the run is killed, and any number of
        // new periods since.
        for holes in 0..32_u32 {
            let first = run(&mut fleet(1, selection), &mut |_, index, _| {
                if index < 5 && holes & 1 << index != 0 { reply(500, "", "") } else { months(july, index) }
            });
            let lines = journal(&plan(1, selection), &first);
            for (killed, later) in
                (1..=lines.len()).flat_map(|killed| [(killed, 0), (killed, 1), (killed, 2)])
            {
                let case = format!("{selection}, holes {holes:05b}, killed at line {killed}, {later} later");
                let text = lines[..killed].concat();
                let (_, mut results, rest) = read(&text).unwrap();
                // The run is killed again after each result, so that the journal mixes results from before
                // and after a new period.
                let (mut journal, mut lives) = (rest.unwrap().0, 0);
                let done = loop {
                    let mut fleet = fleet(1, selection);
                    results.iter().for_each(|result| fleet.restore(result));
                    let life = run_until(&mut fleet, 1, &mut |_, index, _| months(july + later, index));
                    results.extend(
                        life.results.iter().filter(|result| journal.line_for(result).is_some()).cloned(),
                    );
                    lives += 1;
                    assert!(lives < 20, "{case}");
                    if life.end.is_some() {
                        break fleet.progress(start_time()).done;
                    }
                };
                assert_eq!(done, 1);
                let found = months_found(&results);
                let newest = found.last().unwrap()[5..7].parse::<u32>().unwrap() - 1;
                assert!((july..=july + later).contains(&newest), "{case}: {found:?}");
                let (counted, expected) = match selection {
                    PeriodSelection::All => (&found[..], months_named(0..=newest)),
                    PeriodSelection::Range(_) => (&found[..], months_named(1..=july)),
                    // Once the walk has the requested number, the journal may also have older periods that
                    // are no longer among them.
                    _ => (&found[found.len().saturating_sub(5)..], months_named(newest - 4..=newest)),
                };
                assert_eq!(counted, expected, "{case}");
                assert!(found.windows(2).all(|two| two[0] != two[1]), "{case}: {found:?}");
            }
        }
    }
}

fn months_named(months: std::ops::RangeInclusive<u32>) -> Vec<String> {
    months.map(|n| format!("2026-{:02}-01", n + 1)).collect()
}

#[test]
fn a_gap_between_two_periods_costs_a_walk_that_goes_on_one_request_and_no_period() {
    // There are no periods for April and May.
    let gap = |index: u32| months(6, if index < 2 { index } else { index + 2 });
    let selection = periods(5);
    let first = run(&mut fleet(1, selection), &mut |_, index, _| {
        if index == 1 { reply(500, "", "") } else { gap(index) }
    });
    let (_, before, _) = read(&journal(&plan(1, selection), &first).concat()).unwrap();
    let mut fleet = fleet(1, selection);
    before.iter().for_each(|result| fleet.restore(result));
    let again = run(&mut fleet, &mut |_, index, _| gap(index));
    assert_eq!(again.asked, [(0, 1), (0, 2)]);
    assert!(matches!(again.results[1].outcome, PeriodOutcome::Repeated(_)));
    let all: Vec<PeriodResult> = before.into_iter().chain(again.results).collect();
    assert_eq!(months_found(&all).len(), 5);
}

#[test]
fn no_more_walks_of_a_journal_are_begun_at_once_than_others() {
    let mut fleet = fleet(1000, periods(2)).max_in_flight(1);
    for place in 0..500 {
        let index = PeriodIndex::new(0);
        let found = PeriodOutcome::OutsideRange(PeriodDates {
            start: "2026-01-01T00:00:00Z".parse().ok(),
            end: None,
        });
        let organization = format!("org-{place}").parse().unwrap();
        fleet.restore(&PeriodResult { organization, index, outcome: found, stop_reason: None });
    }
    let run = run(&mut fleet, &mut healthy);
    assert!(run.end.unwrap().is_ok());
    assert!(run.most_open <= 4, "{}", run.most_open);
    // Organisations that the earlier run had started come first.
    let turns: Vec<usize> = run.asked.iter().map(|(place, _)| *place).collect();
    assert_eq!(turns[..500], (0..500).collect::<Vec<_>>());
    assert_eq!((turns.len(), run.found.len()), (1500, 1500));
}

#[test]
fn an_assignment_of_another_api_ends_the_run_and_fails_no_organisation() {
    let organizations = (0..1000).map(|n| format!("org-{n}").parse().unwrap());
    let elsewhere = "https://api.mypurecloud.de".parse().unwrap();
    let plan = FleetPlan::new(organizations, latest(), elsewhere, start_time());
    let mut fleet = Fleet::new(&plan, Policy::default(), session());
    let run = run(&mut fleet, &mut |_, _, _| panic!("nothing may be sent"));
    assert!(matches!(stopped(&run).error.kind(), ErrorKind::InvalidRequest(_)), "{}", stopped(&run));
    assert!(run.found.is_empty() && run.asked.is_empty() && run.logins == 0);
}

#[test]
fn an_id_that_is_too_long_for_an_address_is_one_organisations_own() {
    let long = "x".repeat(70_000);
    let organizations = ["org-0", &long, "org-2"].map(|id| id.parse().unwrap());
    let plan = FleetPlan::new(organizations, latest(), Environment::default().api().clone(), start_time());
    let mut fleet = Fleet::new(&plan, Policy::default(), session());
    let mut ends = Vec::new();
    let now = start_time();
    let mut out = Vec::new();
    loop {
        match fleet.step(now) {
            FleetStep::Send(request, flight) => out.push((request, flight)),
            FleetStep::Result(result) => ends.push(result),
            FleetStep::Wait(_) => {
                let (request, flight) = out.pop().unwrap();
                let login = request.operation() == LOGIN;
                fleet.receive(
                    flight,
                    if login { reply(200, "", r#"{"access_token":"t"}"#) } else { overview(0, 0) },
                    now,
                );
            }
            FleetStep::Done(end) => break end.unwrap(),
        }
    }
    let failed: Vec<_> =
        ends.iter().filter(|result| matches!(result.outcome, PeriodOutcome::Failed(_))).collect();
    assert_eq!((ends.len(), failed.len(), failed[0].organization.as_str()), (3, 1, &*long));
}

#[test]
fn a_range_is_resumed_with_what_is_outside_of_it() {
    let year = PeriodSelection::year(2025).unwrap();
    let whole = run(&mut fleet(3, year), &mut healthy);
    let lines = journal(&plan(3, year), &whole);
    for n in 1..=lines.len() {
        let mut fleet = fleet(3, year);
        let (_, before, _) = read(&lines[..n].concat()).unwrap();
        before.iter().for_each(|result| fleet.restore(result));
        let again = run(&mut fleet, &mut healthy);
        assert_eq!(again.asked.len() + before.len(), whole.asked.len());
        assert_eq!(
            words_by_index(&whole.results),
            words_by_index(&before).into_iter().chain(words_by_index(&again.results)).collect()
        );
    }
}

#[test]
fn a_journal_that_is_not_as_it_was_written_is_refused() {
    let run = run(&mut fleet(4, latest()), &mut healthy);
    let lines = journal(&plan(4, latest()), &run);
    let text = lines.concat();
    assert!(read(&text).is_ok());
    let refused = |text: &str| read(text).unwrap_err().to_string();
    let without = |n: usize| [&lines[..n], &lines[n + 1..]].concat().concat();
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    for (text, reason) in [
        (text.replacen("org-2", "org-9", 1), "no journal"),
        (lines[..3].concat() + &lines[3].replace("org-2", "org-9"), "line 4 of the journal"),
        (lines[..3].concat() + &lines[3].replace("H4sI", "H4sJ"), "line 4 of the journal"),
        (without(2), "line 3 of the journal"),
        (swapped.concat(), "line 3 of the journal"),
        (text.clone() + &lines[4], "line 6 of the journal"),
        (lines[..2].concat() + "\n", "line 3 of the journal"),
        (lines[..2].concat() + "\n" + &lines[2], "line 3 of the journal"),
        (lines[..2].concat() + &lines[2].replace('\n', "\r\n"), "line 3 of the journal"),
        (without(0), "no journal"),
        ("{}\n".to_owned(), "no journal"),
        ("\n".to_owned(), "no journal"),
        ("org-1\norg-2\n".to_owned(), "no journal"),
    ] {
        let error = refused(&text);
        assert!(error.contains(reason), "{reason}: {error}");
    }
    // The journal is refused after a change of any byte, except for the end of the last line.
    for (at, byte) in text.bytes().enumerate().take(text.len() - 1) {
        let mut changed = text.clone().into_bytes();
        changed[at] = if byte == b'7' { b'8' } else { b'7' };
        assert!(read(&String::from_utf8(changed).unwrap()).is_err(), "byte {at}");
    }
    let mut reader = JournalReader::default();
    assert!(reader.read_line(lines[0].as_bytes()).unwrap().is_some());
    assert!(reader.read_line(b"{\"torn").unwrap().is_none());
    assert!(reader.read_line(lines[1].as_bytes()).unwrap_err().to_string().contains("no end"));
    let mut reader = JournalReader::default();
    reader.read_line(lines[0].as_bytes()).unwrap();
    assert!(reader.read_line(b"\xff\xff\n").unwrap_err().to_string().contains("UTF-8"));
    assert!(JournalReader::default().finish().is_none());
}

#[test]
fn a_file_without_a_line_end_is_a_journal_only_where_it_begins_as_one() {
    let (_, first) = Journal::create(&plan(4, latest()));
    // The run is killed at each byte of its first line.
    for killed in 0..first.len() {
        let (plan, _, begun) = read(&first[..killed]).unwrap();
        assert!(plan.is_none() && begun.is_none(), "{killed}");
    }
    let lead = r#"{"format":"billing-core fleet journal""#;
    for foreign in [
        r#"{"currency":"USD","usages":[]}"#,
        "org-1",
        " ",
        "\0\0\0",
        &lead.replace("fleet", "fly"),
        &lead[1..],
    ] {
        assert_eq!(read(foreign).unwrap_err(), JournalError::NotAJournal, "{foreign:?}");
    }
    let mut reader = JournalReader::default();
    assert_eq!(reader.read_line(b"\xff\xd8\xff").unwrap_err(), JournalError::NotAJournal);
    assert!(reader.finish().is_none());
}

#[test]
fn a_journal_of_another_version_says_so() {
    // Another version may have any layout and any checksum.
    for rest in [r#","check":"06a2cfd5d4b0d9b3"}"#, r#","lines":1}"#, "}"] {
        let line =
            format!(r#"{{"format":"billing-core fleet journal","version":1,"assignment":"whatever"{rest}"#);
        let error = read(&format!("{line}\n")).unwrap_err();
        assert_eq!(error, JournalError::UnsupportedVersion(1), "{line}");
        assert!(error.to_string().contains("version 1"));
    }
}

#[test]
fn a_journal_of_another_run_says_in_what_it_differs() {
    let ours = plan(4, latest());
    let organizations = |ids: &[&str]| -> Vec<OrgId> { ids.iter().map(|id| id.parse().unwrap()).collect() };
    let other = |ids: &[&str], selection, api: &str| {
        FleetPlan::new(organizations(ids), selection, api.parse().unwrap(), start_time())
    };
    let (same, api) = (["org-3", "org-2", "ORG-1", "org-0"], "https://api.mypurecloud.com");
    assert_eq!(ours.check_resumable_as(&other(&same, latest(), api)), Ok(()));
    for (other, why) in [
        (other(&same, latest(), "https://api.mypurecloud.de"), "not at https://api.mypurecloud.de"),
        (other(&same, periods(3), api), "not for the latest 3 periods"),
        (
            other(&["org-0", "org-1", "org-7"], latest(), api),
            "2 of them are not in this run, and 1 of this run",
        ),
    ] {
        let error = JournalError::from(ours.check_resumable_as(&other).unwrap_err()).to_string();
        assert!(error.contains(why), "{error}");
    }
}

/// Returns the words of results by organisation and index.
fn words_by_index(results: &[PeriodResult]) -> BTreeMap<(usize, u32), String> {
    results.iter().map(|result| ((number(result), result.index.get()), word(result))).collect()
}

fn number(result: &PeriodResult) -> usize {
    result.organization.as_str().trim_start_matches("org-").parse().unwrap()
}

fn word(result: &PeriodResult) -> String {
    match &result.outcome {
        PeriodOutcome::Period(period) => {
            period.overview.billing_period_start_date.unwrap().date().to_string()
        }
        PeriodOutcome::Failed(error) => format!("failed {:?}", error.status().map(|s| s.as_u16())),
        other => format!("{other:?}"),
    }
}

fn is_for_now(result: &PeriodResult) -> bool {
    matches!(&result.outcome, PeriodOutcome::Failed(error) if error.origin() != ErrorOrigin::Caller)
}
