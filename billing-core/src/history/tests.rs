use std::num::NonZeroU32;

use chrono::NaiveDate;

use super::period::RangePosition;
use super::*;
use crate::Period;
use crate::testing::{reply, run_in_virtual_time, start_time};
use crate::{Environment, Reply};

fn overview(start: &str, end: &str) -> Reply {
    let date = |name: &str, day: &str, time: &str| match day {
        "-" => format!(r#""{name}":null"#),
        day => format!(r#""{name}":"{day}T{time}""#),
    };
    let start = date("billingPeriodStartDate", start, "00:00:00Z");
    let end = date("billingPeriodEndDate", end, "23:59:59Z");
    reply(200, "", &format!("{{{start},{end}}}"))
}

/// Returns the overview of month number `n`, counted from January 2020, under a contract that begins on day
/// `day`.
fn month(n: u32, day: u32) -> Reply {
    let first =
        |n: u32| NaiveDate::from_ymd_opt(2020 + i32::try_from(n / 12).unwrap(), n % 12 + 1, day).unwrap();
    overview(&first(n).to_string(), &first(n + 1).pred_opt().unwrap().to_string())
}

fn gone() -> Reply {
    reply(404, "", r#"{"code":"not.found"}"#)
}

/// Runs a walk, and returns one word for each index and the reason that it stopped. The walk is saved and
/// restored before each of the first 30 steps.
fn walk(
    selection: PeriodSelection,
    mut server: impl FnMut(u32) -> Reply,
) -> (Vec<String>, Result<StopReason, Error>) {
    let policy = Policy {
        retry: crate::machine::RetrySchedule { max_retries: 0, ..Default::default() },
        ..Policy::default()
    };
    let api = Environment::default().api().clone();
    let mut history = History::new("org".parse().unwrap(), selection, api, policy);
    let mut words = Vec::new();
    loop {
        if words.len() < 30 {
            let saved = serde_json::to_string(&history).unwrap();
            history = serde_json::from_str(&saved).unwrap();
            assert_eq!(serde_json::to_string(&history).unwrap(), saved);
        }
        let requested = history.next_index();
        let done = run_in_virtual_time(history, |request, _| {
            let index = request.http().uri().query().unwrap().trim_start_matches("billingPeriodIndex=");
            assert_eq!(index, requested.to_string());
            server(index.parse().unwrap())
        });
        let step = match done.result {
            Ok(step) => step,
            Err(error) => return (words, Err(error)),
        };
        let HistoryStep {
            result: PeriodResult { organization, index, outcome: found, stop_reason: ended },
            rest,
        } = step;
        assert_eq!((organization.as_str(), index), ("org", requested));
        let day = |period: &BillingPeriod| PeriodDates::from_overview(&period.overview).to_string();
        words.push(match &found {
            PeriodOutcome::Period(period) => day(period),
            PeriodOutcome::Undated(period) => format!("undated {}", day(period)),
            PeriodOutcome::OutsideRange(_) => "outside".to_owned(),
            PeriodOutcome::Repeated(_) => "repeated".to_owned(),
            PeriodOutcome::Failed(error) => format!("failed {}", error.status().unwrap().as_u16()),
            PeriodOutcome::NoOlderPeriod => "nothing".to_owned(),
        });
        match (rest, ended) {
            (Some(rest), None) => history = rest,
            (None, Some(ended)) => return (words, Ok(ended)),
            other => panic!("{other:?}"),
        }
    }
}

fn periods(n: u32) -> PeriodSelection {
    PeriodSelection::Latest(NonZeroU32::new(n).unwrap())
}

fn range(from: &str, to: &str) -> PeriodSelection {
    PeriodSelection::Range(Period::from_user(from, to).unwrap())
}

#[test]
fn by_count_it_ends_with_the_last_that_was_asked_for() {
    let (words, ended) = walk(periods(3), |index| month(30 - index, 1));
    assert_eq!(words, ["2022-07-01 to 2022-07-31", "2022-06-01 to 2022-06-30", "2022-05-01 to 2022-05-31"]);
    assert_eq!(ended.unwrap(), StopReason::AllFound);
    let (words, ended) = walk(PeriodSelection::Nth(PeriodIndex::new(7)), |index| month(30 - index, 1));
    assert_eq!((words.len(), ended.unwrap()), (1, StopReason::AllFound));
}

#[test]
fn b14_it_reaches_whatever_the_server_still_has() {
    for selection in [PeriodSelection::All, periods(500), range("2020-01-01", "2030-01-01")] {
        let (words, ended) = walk(selection, |index| if index < 60 { month(70 - index, 1) } else { gone() });
        assert_eq!(
            (words.len(), words[60].as_str(), ended.unwrap()),
            (61, "nothing", StopReason::OldestPeriod)
        );
    }
}

#[test]
fn b14_a_year_is_found_by_the_dates_of_its_periods() {
    // Index 0 is in the middle of 2022.
    let (words, ended) = walk(PeriodSelection::year(2021).unwrap(), |index| month(30 - index, 1));
    assert!(words[..7].iter().all(|word| word == "outside"));
    assert_eq!(
        (words[7].as_str(), words[18].as_str()),
        ("2021-12-01 to 2021-12-31", "2021-01-01 to 2021-01-31")
    );
    assert_eq!(
        (&words[19..], ended.unwrap()),
        (&["outside".to_owned(), "outside".to_owned()][..], StopReason::BeforeRange)
    );
    // Contracts begin on any day, so thirteen periods overlap a year.
    let (words, _) = walk(PeriodSelection::year(2021).unwrap(), |index| month(30 - index, 15));
    let within: Vec<_> = words.iter().filter(|word| *word != "outside").collect();
    assert_eq!(
        (within.len(), within[0].as_str(), within[12].as_str()),
        (13, "2021-12-15 to 2022-01-14", "2020-12-15 to 2021-01-14")
    );
}

#[test]
fn b14_one_period_before_the_range_is_not_the_end() {
    let order = [30, 20, 24, 23, 22, 21];
    let (words, ended) = walk(range("2022-01-01", "2022-07-01"), |index| {
        order.get(index as usize).map_or_else(|| month(15, 1), |n| month(*n, 1))
    });
    assert_eq!(words[1..3], ["outside", "2022-01-01 to 2022-01-31"]);
    assert_eq!((words.len(), ended.unwrap()), (5, StopReason::BeforeRange));
}

#[test]
fn b14_a_range_with_no_period_is_empty_and_no_error() {
    let (words, ended) =
        walk(
            range("2010-01-01", "2011-01-01"),
            |index| if index < 5 { month(30 - index, 1) } else { gone() },
        );
    assert_eq!((words.len(), words[5].as_str(), ended.unwrap()), (6, "nothing", StopReason::OldestPeriod));
    let (words, ended) = walk(range("2040-01-01", "2041-01-01"), |index| month(30 - index, 1));
    assert_eq!((words, ended.unwrap()), (vec!["outside".to_owned(); 2], StopReason::BeforeRange));
}

#[test]
fn b14_a_failed_index_is_reported_and_the_walk_goes_on() {
    let server = |index| match index {
        0 | 2 | 3 => reply(500, "", ""),
        6.. => gone(),
        index => month(30 - index, 1),
    };
    let (words, ended) = walk(PeriodSelection::All, server);
    assert_eq!(words[..4], ["failed 500", "2022-06-01 to 2022-06-30", "failed 500", "failed 500"]);
    assert_eq!((words.len(), ended.unwrap()), (7, StopReason::OldestPeriod));
    // In a count, the failed index takes the place of the period that it would have returned.
    let (words, ended) = walk(periods(3), server);
    assert_eq!((words.len(), ended.unwrap()), (3, StopReason::AllFound));
    let (words, _) =
        walk(periods(2), |index| if index == 1 { reply(400, "", "") } else { month(30 - index, 1) });
    assert_eq!(words[1], "failed 400");
}

#[test]
fn after_three_failures_in_a_row_it_gives_up_and_says_so() {
    let (words, ended) =
        walk(PeriodSelection::All, |index| if index < 2 { month(30 - index, 1) } else { reply(500, "", "") });
    assert_eq!((words.len(), ended.unwrap()), (5, StopReason::TooManyFailures));
}

#[test]
fn what_meets_every_index_is_an_error() {
    for (status, kind) in [(401, ErrorKind::Unauthorized), (403, ErrorKind::Forbidden)] {
        let (words, ended) =
            walk(
                PeriodSelection::All,
                |index| if index < 2 { month(30 - index, 1) } else { reply(status, "", "") },
            );
        assert_eq!((words.len(), ended.unwrap_err().kind()), (2, &kind));
    }
    let (_, ended) = walk(PeriodSelection::All, |_| reply(429, "retry-after: 7200", ""));
    assert!(matches!(ended.unwrap_err().kind(), ErrorKind::Deferred(_)));
}

#[test]
fn b14_a_404_for_the_first_index_is_an_unknown_organisation() {
    for selection in [
        PeriodSelection::All,
        periods(3),
        PeriodSelection::Nth(PeriodIndex::new(4)),
        PeriodSelection::year(2021).unwrap(),
    ] {
        let (words, ended) = walk(selection, |_| gone());
        assert_eq!((words.len(), ended.unwrap_err().kind()), (0, &ErrorKind::NotFound));
    }
    let (_, ended) = walk(PeriodSelection::Nth(PeriodIndex::new(4)), |_| reply(500, "", ""));
    assert_eq!(ended.unwrap_err().kind(), &ErrorKind::Server);
}

#[test]
fn a_period_that_the_server_moves_meanwhile_counts_once() {
    // A new period begins after the second response, and every older one moves by one index.
    let server = |index| if index < 2 { month(30 - index, 1) } else { month(31 - index, 1) };
    let (words, ended) = walk(periods(4), server);
    assert_eq!(words[1..4], ["2022-06-01 to 2022-06-30", "repeated", "2022-05-01 to 2022-05-31"]);
    assert_eq!((words.len(), ended.unwrap()), (5, StopReason::AllFound));
    // A repeated period does not end a range either.
    let (words, ended) = walk(range("2022-06-01", "2023-01-01"), |index| month(30 - index / 2, 1));
    assert_eq!(
        words,
        [
            "2022-07-01 to 2022-07-31",
            "repeated",
            "2022-06-01 to 2022-06-30",
            "repeated",
            "outside",
            "repeated",
            "outside"
        ]
    );
    assert_eq!(ended.unwrap(), StopReason::BeforeRange);
}

#[test]
fn a_period_is_the_same_one_however_its_end_is_written() {
    let dates = |start: &str, end: &str| PeriodDates { start: start.parse().ok(), end: end.parse().ok() };
    let may = dates("2026-05-01T00:00:00Z", "2026-05-31T23:59:59Z");
    for same in [
        may,
        dates("2026-05-01T00:00:00.000Z", "2026-05-31T23:59:59.999Z"),
        dates("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"),
        dates("", "2026-05-31T23:59:59.999999Z"),
        dates("2026-05-01T00:00:00.000Z", ""),
    ] {
        assert!(may.is_same_period(same) && same.is_same_period(may), "{same:?}");
    }
    for other in [
        dates("2026-04-01T00:00:00Z", "2026-04-30T23:59:59.999Z"),
        dates("2026-06-01T00:00:00Z", "2026-06-30T23:59:59Z"),
        dates("", "2026-04-30T23:59:59Z"),
        dates("2026-06-01T00:00:00Z", ""),
        PeriodDates::default(),
    ] {
        assert!(!may.is_same_period(other) && !other.is_same_period(may), "{other:?}");
    }
    // Periods with unknown dates are not the same.
    let (start, end) = (dates("2026-05-01T00:00:00Z", ""), dates("", "2026-05-31T23:59:59Z"));
    assert!(!start.is_same_period(end) && !PeriodDates::default().is_same_period(PeriodDates::default()));

    // A new period begins after the first response, and the second response writes its dates in another form.
    let server = |index: u32| {
        let (month, fraction) = (8 - index.max(1), if index == 0 { ".999" } else { "" });
        let body = format!(
            r#"{{"billingPeriodStartDate":"2026-{month:02}-01T00:00:00{fraction}Z",
                     "billingPeriodEndDate":"2026-{month:02}-28T23:59:59{fraction}Z"}}"#
        );
        reply(200, "", &body)
    };
    let (words, ended) = walk(periods(3), server);
    assert_eq!((words[1].as_str(), words.len(), ended.unwrap()), ("repeated", 4, StopReason::AllFound));
}

#[test]
fn d05_a_server_that_never_ends_is_not_followed_for_ever() {
    let (words, ended) = walk(PeriodSelection::All, |_| month(30, 1));
    assert_eq!((words.len(), ended.unwrap()), (4, StopReason::RepeatedPeriods));
    let (words, ended) = walk(PeriodSelection::All, |index| month(12_000 - index, 1));
    assert_eq!((words.len(), ended.unwrap()), (1200, StopReason::TooManyPeriods));
    let (words, ended) = walk(PeriodSelection::All, |_| overview("-", "-"));
    assert_eq!((words.len(), ended.unwrap()), (1200, StopReason::TooManyPeriods));
}

#[test]
fn a_period_of_which_the_dates_do_not_tell_is_said_to_be_so() {
    let dates = [
        ("-", "-"),
        ("-", "2021-06-30"),
        ("-", "2022-02-28"),
        ("2021-06-01", "-"),
        ("2020-12-01", "-"),
        ("2022-01-01", "-"),
        ("-", "2020-12-31"),
    ];
    let (words, _) = walk(PeriodSelection::year(2021).unwrap(), |index| match dates.get(index as usize) {
        Some((start, end)) => overview(start, end),
        None => gone(),
    });
    assert_eq!(
        words,
        [
            "undated without dates",
            "to 2021-06-30",
            "undated to 2022-02-28",
            "from 2021-06-01",
            "undated from 2020-12-01",
            "outside",
            "outside",
            "nothing"
        ]
    );
    // Without a range no dates are needed.
    let (words, _) = walk(periods(1), |_| overview("-", "-"));
    assert_eq!(words, ["without dates"]);
}

#[test]
fn an_end_that_is_the_beginning_of_the_range_is_before_it() {
    let dates = |start: &str, end: &str| PeriodDates { start: start.parse().ok(), end: end.parse().ok() };
    let PeriodSelection::Range(year) = PeriodSelection::year(2021).unwrap() else { panic!("a range") };
    for (start, end, place) in [
        ("2020-12-01T00:00:00Z", "2021-01-01T00:00:00Z", RangePosition::Before),
        ("2020-12-01T00:00:00Z", "2021-01-01T00:00:01Z", RangePosition::Within),
        ("2021-12-31T23:59:59Z", "2022-01-30T23:59:59Z", RangePosition::Within),
        ("2022-01-01T00:00:00Z", "2022-01-30T23:59:59Z", RangePosition::After),
        ("2019-01-01T00:00:00Z", "2030-01-01T00:00:00Z", RangePosition::Within),
    ] {
        assert_eq!(dates(start, end).position_in(year), place, "{start} to {end}");
    }
}

#[test]
fn it_waits_and_is_restored_while_it_does() {
    let history = History::new(
        "org".parse().unwrap(),
        PeriodSelection::All,
        Environment::default().api().clone(),
        Policy::default(),
    );
    let Step::Send(_, sent) = history.step(start_time()) else { panic!("a request") };
    let Step::Wait(until, parked) = sent.receive(reply(503, "retry-after: 5", ""), start_time()) else {
        panic!("a wait")
    };
    let saved = serde_json::to_string(&parked).unwrap();
    let restored: History = serde_json::from_str(&saved).unwrap();
    assert_eq!(restored.progress(), parked.progress());
    assert!(matches!(restored.step(until), Step::Send(..)));
    for (from, to, why) in [
        ("\"version\":3", "\"version\":9", "version 9"),
        ("\"version\":3", "\"version\":9,\"more\":1", "version 9"),
        ("billing-core history", "billing-core poll", "not a saved"),
        ("api.mypurecloud.com", "api.evil.example", "checksum"),
        ("\"next_index\":0", "\"next_index\":1", "checksum"),
    ] {
        assert!(saved.contains(from), "{from} in {saved}");
        let error = serde_json::from_str::<History>(&saved.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn each_reach_and_each_end_has_words_of_its_own() {
    let reaches = [
        PeriodSelection::Nth(PeriodIndex::new(3)),
        periods(1),
        periods(12),
        PeriodSelection::year(2025).unwrap(),
        PeriodSelection::All,
    ];
    let ends = [
        StopReason::AllFound,
        StopReason::OldestPeriod,
        StopReason::BeforeRange,
        StopReason::TooManyFailures,
        StopReason::RepeatedPeriods,
        StopReason::TooManyPeriods,
    ];
    let mut words: Vec<_> =
        reaches.iter().map(ToString::to_string).chain(ends.iter().map(ToString::to_string)).collect();
    assert!(
        words[0].contains('3') && words[2].contains("12") && words[3].contains("2025-01-01"),
        "{words:?}"
    );
    words.sort();
    words.dedup();
    assert_eq!(words.len(), 11);
    assert!(
        PeriodSelection::year(0).is_err()
            && PeriodSelection::year(9999).is_err()
            && PeriodSelection::year(i32::MAX).is_err()
    );
}

#[test]
fn periods_are_in_the_order_of_their_ends_or_else_of_the_walk() {
    let dates = |start: &str, end: &str| {
        let instant = |day: &str, time: &str| format!("2026-{day}T{time}").parse().ok();
        PeriodDates { start: instant(start, "00:00:00Z"), end: instant(end, "23:59:59Z") }
    };
    let (may, june, july) = (dates("05-01", "05-31"), dates("06-01", "-"), dates("-", "07-31"));
    assert_eq!(june.order_key(), june.start);
    let sorted = |periods: &[PeriodDates]| {
        let mut periods = periods.to_vec();
        sort_latest_first(&mut periods, |dates| *dates);
        periods
    };
    assert_eq!(sorted(&[may, july, june]), [july, june, may]);
    let undated = PeriodDates::default();
    assert_eq!(sorted(&[may, undated, july]), [may, undated, july]);
}

#[test]
fn b14_the_last_day_is_part_of_a_period() {
    let dates = |end: &str| PeriodDates { start: "2026-10-01T00:00:00Z".parse().ok(), end: end.parse().ok() };
    for end in ["2026-10-31T23:59:59Z", "2026-10-31T23:59:59.999Z", "2026-11-01T00:00:00Z"] {
        assert_eq!(dates(end).last_day(), NaiveDate::from_ymd_opt(2026, 10, 31), "{end}");
        assert_eq!(dates(end).to_string(), "2026-10-01 to 2026-10-31");
    }
}
