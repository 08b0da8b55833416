//! The journal of a fleet: foreign, edited, broken.

use std::sync::OnceLock;

use billing_core::fleet::FleetPlan;
use billing_core::fleet::journal::{Journal, JournalEntry, JournalReader};
use billing_core::history::PeriodResult;
use billing_core::{Environment, History, Machine, PeriodSelection, Policy, Step};
use chrono::{DateTime, TimeDelta, Utc};
use http::Response;

/// A journal into which somebody has written is refused, or reads as the first findings of what was written, and nothing else.
/// And no file at all makes it panic.
///
/// The first two bytes say where the rest is written, over what stands there; if they are 255, the rest is the whole file; if
/// they are 254, the file ends at the place that the next two say.
pub fn journal(data: &[u8]) {
    static WRITTEN: OnceLock<(Vec<u8>, Vec<String>)> = OnceLock::new();
    let (file, findings) = WRITTEN.get_or_init(written);
    let place = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low])) % file.len();
    let edited = match data {
        [255, 255, rest @ ..] => return drop(read(rest)),
        [254, 254, high, low, ..] => file[..place(*high, *low)].to_vec(),
        [high, low, rest @ ..] => {
            let mut edited = file.clone();
            let begin = place(*high, *low);
            edited.splice(begin..(begin + rest.len()).min(file.len()), rest.iter().copied());
            edited
        }
        _ => return,
    };
    if let Some(read) = read(&edited) {
        assert!(findings.starts_with(&read), "{read:#?} is not what was written");
    }
}

/// Returns the content of a file as texts, or `None` if it is refused.
fn read(file: &[u8]) -> Option<Vec<String>> {
    let mut reader = JournalReader::default();
    let mut findings = Vec::new();
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        if let Some(JournalEntry::Result(finding)) = reader.read_line(line).ok()? {
            findings.push(format!("{finding:?}"));
        }
    }
    match reader.finish() {
        Some((_, good)) => assert!(
            good <= file.len() as u64 && file[good as usize - 1] == b'\n',
            "what is good ends with a line"
        ),
        None => assert!(
            file.starts_with(BEGINNING) || BEGINNING.starts_with(file),
            "a file that may be begun anew is the beginning of a journal, and nobody else's"
        ),
    }
    Some(findings)
}

/// A journal with every sort of finding.
fn written() -> (Vec<u8>, Vec<String>) {
    let api = Environment::default().api().clone();
    let year = PeriodSelection::year(2026).expect("a year");
    let id = |n: u32| format!("org-{n}").parse().expect("an id");
    let assignment = FleetPlan::new([id(0), id(1)], year, api.clone(), now());
    let (mut journal, first) = Journal::create(&assignment);
    let mut file = first.into_bytes();
    let mut findings = Vec::new();
    let month = |month: u32, year: u32| {
        let dates = format!(
            r#"{{"billingPeriodStartDate":"{year}-{month:02}-01T00:00:00Z","billingPeriodEndDate":"{year}-{month:02}-28T23:59:59Z"}}"#
        );
        (200, dates)
    };
    let answers = [
        month(1, 2027),
        month(12, 2026),
        month(12, 2026),
        (400, r#"{"code":"bad.request","contextId":"c-1"}"#.to_owned()),
        (200, "{}".to_owned()),
        month(11, 2026),
        (404, "{}".to_owned()),
    ];
    let mut rest = Some(History::new(id(0), year, api, Policy::default()));
    for (status, body) in answers {
        let Some(history) = rest.take() else { panic!("it has ended too early") };
        let Step::Send(_, sent) = history.step(now()) else { panic!("a request") };
        let reply = Response::builder().status(status).body(body.into()).expect("a response");
        let Step::Done(Ok(visit)) = sent.receive(Ok(reply), now()) else { panic!("a visit") };
        note(&mut journal, &mut file, &mut findings, &visit.result);
        rest = visit.rest;
    }
    (file, findings)
}

fn note(journal: &mut Journal, file: &mut Vec<u8>, findings: &mut Vec<String>, finding: &PeriodResult) {
    let line = journal.line_for(finding).expect("it is the server's last word");
    file.extend_from_slice(line.as_bytes());
    findings.push(format!("{finding:?}"));
}

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

const BEGINNING: &[u8] = br#"{"format":"billing-core fleet journal","#;
