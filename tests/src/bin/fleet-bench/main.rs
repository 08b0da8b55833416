//! Measures a fleet: `fleet-bench ORGANISATIONS PERIODS [JOURNAL]` runs one in memory and in virtual time, over bodies of
//! the sandbox, and prints the peak of the process's memory before and after it, and the time that the processor took.
//!
//! Each answer is a copy of its own, as one that came over a network is; findings are turned into statements, summed up and
//! dropped, as the program does. With JOURNAL it is written there too, and then taken in by a second fleet, as a run that goes
//! on does with one that was killed at its very end.

use std::cell::RefCell;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use billing_core::fleet::FleetPlan;
use billing_core::fleet::FleetStep;
use billing_core::fleet::journal::{Journal, JournalEntry, JournalReader};
use billing_core::history::{PeriodOutcome, PeriodResult};
use billing_core::sandbox::{ORG_ID, Sandbox, SimulatedResponse};
use billing_core::statement::CurrencyTotals;
use billing_core::{Fleet, PeriodSelection, Policy, Reply, Request, Session, Statement};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Response;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(organizations), Some(periods)) = (arguments.next(), arguments.next()) else {
        return Err("usage: fleet-bench ORGANISATIONS PERIODS [JOURNAL]".into());
    };
    let journal = arguments.next();
    let (organizations, periods): (usize, u32) = (organizations.parse()?, periods.parse()?);
    let now: DateTime<Utc> = "2026-11-20T09:00:00Z".parse()?;
    let bodies = bodies(periods, now);
    let sandbox = Sandbox::new(7);
    let environment = sandbox.environment();
    let ids = (0..organizations).map(|n| format!("org-{n:08}-4224-beeb-d048064c5905").parse());
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    let reach = PeriodSelection::Latest(periods.try_into()?);
    let assignment = FleetPlan::new(ids, reach, environment.api().clone(), now);

    let before = peak()?;
    let begun = Instant::now();
    let session = Rc::new(RefCell::new(Session::new(environment, sandbox.credentials())));
    let fleet = Fleet::new(&assignment, Policy::default(), session);
    let mut totals = CurrencyTotals::default();
    let mut written = match &journal {
        Some(path) => Some(Written::begin(path, &assignment)?),
        None => None,
    };
    let found = run(fleet, &bodies, now, |finding| {
        if let Some(written) = &mut written {
            written.record(finding)?;
        }
        if let PeriodOutcome::Period(period) = &finding.outcome {
            totals.add(&Statement::new(&period.overview));
        }
        Ok(())
    })?;
    let body = bodies.iter().map(Bytes::len).sum::<usize>() / bodies.len().max(1);
    println!("{found} findings of {organizations} organisations, bodies of {body} bytes on average");
    println!("peak memory {} KiB, of which {before} KiB were there before", peak()?);
    println!("{} µs each", begun.elapsed().as_micros() / u128::try_from(found.max(1))?);
    if let Some(path) = journal {
        let begun = Instant::now();
        let sandbox = Sandbox::new(7);
        let session = Rc::new(RefCell::new(Session::new(sandbox.environment(), sandbox.credentials())));
        let mut fleet = Fleet::new(&assignment, Policy::default(), session);
        let mut reader = JournalReader::default();
        let mut lines = BufReader::new(File::open(&path)?);
        let (mut line, mut read, mut bytes) = (Vec::new(), 0_u128, 0_usize);
        while lines.read_until(b'\n', &mut line)? > 0 {
            bytes += line.len();
            if let Some(JournalEntry::Result(finding)) = reader.read_line(&line)? {
                fleet.restore(&finding);
                read += 1;
            }
            line.clear();
        }
        println!(
            "journal of {bytes} bytes, read again at {} µs a finding; peak {} KiB",
            begun.elapsed().as_micros() / read.max(1),
            peak()?
        );
        let asked = run(fleet, &bodies, now, |_| Ok(()))?;
        println!("the second fleet asks for {asked}; peak {} KiB", peak()?);
    }
    Ok(())
}

/// The journal, on its way to a file.
struct Written {
    journal: Journal,
    file: File,
}

impl Written {
    fn begin(path: &str, assignment: &FleetPlan) -> std::io::Result<Self> {
        let (journal, line) = Journal::create(assignment);
        let mut file = File::create(path)?;
        file.write_all(line.as_bytes())?;
        Ok(Self { journal, file })
    }

    fn record(&mut self, finding: &PeriodResult) -> std::io::Result<()> {
        match self.journal.line_for(finding) {
            Some(line) => self.file.write_all(line.as_bytes()),
            None => Ok(()),
        }
    }
}

/// Runs a fleet to its end. Of those that are out, the first is answered when no more can go.
fn run<A: billing_core::session::SharedSession>(
    mut fleet: Fleet<A>,
    bodies: &[Bytes],
    mut now: DateTime<Utc>,
    mut take: impl FnMut(&PeriodResult) -> std::io::Result<()>,
) -> Result<usize, Box<dyn Error>> {
    let mut out = std::collections::VecDeque::new();
    let mut found = 0;
    loop {
        match fleet.step(now) {
            // Answered at once, but handed over late: as many answers are there at a time as can be.
            FleetStep::Send(request, flight) => out.push_back((answer(&request, bodies), flight)),
            FleetStep::Result(finding) => {
                take(&finding)?;
                found += 1;
            }
            FleetStep::Wait(until) => {
                now += Duration::from_millis(20);
                match out.pop_front() {
                    Some((reply, flight)) => fleet.receive(flight, reply, now),
                    None => now = until.unwrap_or(now).max(now),
                }
            }
            FleetStep::Done(result) => {
                result?;
                return Ok(found);
            }
        }
    }
}

fn answer(request: &Request, bodies: &[Bytes]) -> Reply {
    let index =
        request.http().uri().query().and_then(|query| query.rsplit_once('=')?.1.parse::<usize>().ok());
    Ok(match index.and_then(|index| bodies.get(index)) {
        Some(body) => Response::new(Bytes::copy_from_slice(body)),
        None => Response::new(r#"{"access_token":"t","expires_in":86400}"#.into()),
    })
}

/// Returns the answers of the sandbox for the periods of an organisation, with the rows of a large one.
fn bodies(periods: u32, now: DateTime<Utc>) -> Vec<Bytes> {
    let mut sandbox = Sandbox::new(7).gzip(false).without_quota();
    let login = http::Request::post("https://login.sandbox.invalid/oauth/token")
        .header("authorization", format!("Basic {}", "c2FuZGJveC1jbGllbnQ6b3Blbi1zZXNhbWUtNGYxZA=="))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from_static(b"grant_type=client_credentials"));
    let body = |answer| match answer {
        SimulatedResponse::Response(response) => response.into_body(),
        other => panic!("{other:?}"),
    };
    let token: serde_json::Value = login
        .ok()
        .and_then(|login| serde_json::from_slice(&body(sandbox.respond(&login, now))).ok())
        .unwrap_or_default();
    let authorization = format!("Bearer {}", token["access_token"].as_str().unwrap_or_default());
    let uri = |index| {
        format!(
            "https://api.sandbox.invalid/api/v2/billing/trusteebillingoverview/{ORG_ID}?billingPeriodIndex={index}"
        )
    };
    (0..periods)
        .filter_map(|index| {
            http::Request::get(uri(index)).header("authorization", &authorization).body(Bytes::new()).ok()
        })
        .map(|request| enlarged(&body(sandbox.respond(&request, now))))
        .collect()
}

/// Returns the overview with 140 rows, each with its own name.
fn enlarged(body: &[u8]) -> Bytes {
    let mut overview: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(rows) = overview["usages"].as_array_mut() {
        let few = rows.clone();
        *rows = few.into_iter().cycle().take(ROWS).collect();
        for (n, row) in rows.iter_mut().enumerate() {
            row["name"] = format!("{} {n}", row["name"].as_str().unwrap_or_default()).into();
            row["usageQuantity"] = (n * 7919 % 10_007).to_string().into();
        }
    }
    overview.to_string().into()
}

const ROWS: usize = 140;

/// The most memory that the process has had so far, in KiB.
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the system does not say")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
