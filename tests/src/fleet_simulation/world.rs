//! The world: successive lives of the process, the network, and the checks.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::rc::Rc;

use billing_core::fleet::FleetPlan;
use billing_core::fleet::journal::{Journal, JournalEntry, JournalReader};
use billing_core::fleet::{FleetStep, RequestHandle};
use billing_core::history::{PeriodOutcome, PeriodResult};
use billing_core::sandbox::Sandbox;
use billing_core::session::Pacing;
use billing_core::{
    Credentials, Environment, Fleet, OrgId, Policy, Reply, Request, Session, TransportError,
    TransportErrorKind,
};
use chrono::{DateTime, TimeDelta, Utc};

use super::server::{Server, Told, json};
use super::{Report, Scenario};
use crate::simulation::Rng;

pub(super) struct World<'a> {
    scenario: &'a Scenario,
    assignment: FleetPlan,
    environment: Environment,
    server: Server,
    now: i64,
    chance: Rng,
    report: Report,
    /// The journal's file.
    file: Vec<u8>,
    /// The results in the journal, and the results of the last life.
    recorded: BTreeMap<(usize, u32), Told>,
    failed_for_now: BTreeMap<(usize, u32), Told>,
    first: Option<i64>,
    watch: Option<&'a mut dyn FnMut(&str)>,
}

type Shared = Rc<RefCell<Session>>;

/// A running process.
struct Life {
    fleet: Fleet<Shared>,
    journal: Journal,
    out: BTreeMap<u64, (Box<Request>, RequestHandle, Option<Reply>)>,
    queue: BinaryHeap<Reverse<(i64, u64, Act)>>,
    flights: u64,
    acts: u64,
    kill_at: Option<u64>,
    /// The time at which the run was half done, and the remaining time that the progress estimated.
    half: Option<(i64, i64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Arrive,
    Deliver,
}

enum End {
    Done,
    Killed,
}

impl<'a> World<'a> {
    pub(super) fn new(seed: u64, scenario: &'a Scenario, watch: Option<&'a mut dyn FnMut(&str)>) -> Self {
        let rng = Rng::new(seed);
        let environment = Sandbox::new(0).environment();
        let organizations = (0..scenario.organizations).map(organization);
        let assignment = FleetPlan::new(organizations, scenario.reach, environment.api().clone(), time(0));
        Self {
            scenario,
            assignment,
            environment,
            server: Server::new(scenario, rng.fork(1)),
            now: 0,
            chance: rng.fork(2),
            report: Report::default(),
            file: Vec::new(),
            recorded: BTreeMap::new(),
            failed_for_now: BTreeMap::new(),
            first: None,
            watch,
        }
    }

    pub(super) fn run(mut self) -> Result<Report, String> {
        let mut kills = self.scenario.kills.iter().copied();
        loop {
            self.report.lives += 1;
            let kill_at = kills.next();
            let mut life = self.begin(kill_at)?;
            match self.live(&mut life)? {
                End::Done => {
                    self.report.acts = life.acts;
                    if let Some((at, left)) = life.half {
                        self.report.estimate = Some(left * 1000 / (self.now - at).max(1));
                    }
                    // Request transient failures again once there are no faults.
                    if self.is_calm() || self.report.lives > 50 || !self.has_passing_failures() {
                        break;
                    }
                }
                End::Killed => self.now += 1 + self.chance.millis(90_000),
            }
        }
        self.check_whole()?;
        let first = self.first.unwrap_or_default();
        self.report.requests = self.server.requests;
        self.report.throttled = self.server.throttled;
        let windows = self.report.requests.div_ceil(self.scenario.quota.allowed.into()).saturating_sub(1);
        self.report.floor = 60_000 * i64::try_from(windows).unwrap_or_default();
        self.report.time = self.now - first;
        self.report.journal = self.file.len();
        self.report.found = self.recorded.len() + self.failed_for_now.len();
        Ok(self.report)
    }

    /// Starts a process with a new login and the results of the journal.
    fn begin(&mut self, kill_at: Option<u64>) -> Result<Life, String> {
        let credentials = Credentials::client("client", "s3cret").map_err(|error| error.to_string())?;
        let seed = self.chance.draw();
        let session = Session::with_pacing(self.environment.clone(), credentials, Pacing::default(), seed);
        let policy = Policy { seed, ..Policy::default() };
        let mut fleet = Fleet::new(&self.assignment, policy, Rc::new(RefCell::new(session)));
        fleet = fleet.max_in_flight(self.scenario.at_once);
        let mut reader = JournalReader::default();
        let mut read = BTreeSet::new();
        for line in self.file.split_inclusive(|byte| *byte == b'\n') {
            match reader.read_line(line).map_err(|error| error.to_string())? {
                Some(JournalEntry::Plan(assignment)) => {
                    self.assignment.check_resumable_as(&assignment).map_err(|error| error.to_string())?;
                }
                Some(JournalEntry::Result(finding)) => {
                    fleet.restore(&finding);
                    let (place, told) = read_finding(&finding);
                    if self.scenario.thorough && self.recorded.get(&place) != Some(&told) {
                        return Err(format!("the journal has {told:?} at {place:?}, which was not recorded"));
                    }
                    read.insert(place);
                }
                None => {}
            }
        }
        if self.scenario.thorough && read.len() != self.recorded.len() {
            return Err(format!("{} were recorded and {} are read", self.recorded.len(), read.len()));
        }
        let journal = match reader.finish() {
            Some((journal, good)) => {
                self.file.truncate(usize::try_from(good).unwrap_or_default());
                journal
            }
            None => {
                let (journal, line) = Journal::create(&self.assignment);
                self.file = line.into_bytes();
                journal
            }
        };
        self.failed_for_now.clear();
        Ok(Life {
            fleet,
            journal,
            out: BTreeMap::new(),
            queue: BinaryHeap::new(),
            flights: 0,
            acts: 0,
            kill_at,
            half: None,
        })
    }

    /// Passes a description to the watcher, if there is one.
    fn tell(&mut self, life: &Life, what: impl FnOnce() -> String) {
        if let Some(watch) = &mut self.watch {
            watch(&format!(
                "{:>9} ms  life {}, act {:<5} {}",
                self.now,
                self.report.lives,
                life.acts,
                what()
            ));
        }
    }

    fn live(&mut self, life: &mut Life) -> Result<End, String> {
        loop {
            life.acts += 1;
            let killed = life.kill_at == Some(life.acts);
            match life.fleet.step(time(self.now)) {
                _ if life.acts > MOST_ACTS => return Err("a run without an end".to_owned()),
                FleetStep::Result(finding) => {
                    self.tell(life, || {
                        format!("finds {:?}{}", read_finding(&finding), if killed { ", killed" } else { "" })
                    });
                    self.take(life, finding, killed)?;
                    if killed {
                        return Ok(End::Killed);
                    }
                }
                _ if killed => {
                    self.tell(life, || "is killed".to_owned());
                    return Ok(End::Killed);
                }
                FleetStep::Send(request, flight) => self.send(life, request, flight)?,
                FleetStep::Wait(until) => {
                    let until = until.map(millis);
                    self.tell(life, || format!("waits until {until:?}"));
                    match (life.queue.peek().map(|Reverse((at, ..))| *at), until) {
                        (Some(at), until) if until.is_none_or(|until| at <= until) => self.happen(life),
                        (_, Some(until)) => self.now = until.max(self.now),
                        (_, None) => return Err("the fleet waits for nothing".to_owned()),
                    }
                }
                FleetStep::Done(result) => {
                    self.tell(life, || "is done".to_owned());
                    result.map_err(|stopped| stopped.to_string())?;
                    let progress = life.fleet.progress(time(self.now));
                    if progress.done != self.scenario.organizations || progress.in_progress != 0 {
                        return Err(format!("done, and still {progress:?}"));
                    }
                    return Ok(End::Done);
                }
            }
        }
    }

    fn send(&mut self, life: &mut Life, request: Box<Request>, flight: RequestHandle) -> Result<(), String> {
        self.first.get_or_insert(self.now);
        if let Some(place) = place_of(&request)
            && self.recorded.contains_key(&place)
        {
            return Err(format!("{place:?} was answered and is asked for again"));
        }
        life.flights += 1;
        self.tell(life, || format!("sends {}: {}", life.flights, request.redacted_target()));
        life.out.insert(life.flights, (request, flight, None));
        self.report.most_out = self.report.most_out.max(life.out.len());
        if life.out.len() > self.scenario.at_once {
            return Err(format!("{} requests are out", life.out.len()));
        }
        let at = self.now + self.delay();
        life.queue.push(Reverse((at, life.flights, Act::Arrive)));
        Ok(())
    }

    /// Performs the next due act.
    fn happen(&mut self, life: &mut Life) {
        let Some(Reverse((at, flight, act))) = life.queue.pop() else { return };
        self.now = at.max(self.now);
        match act {
            Act::Arrive => {
                let (reply, back) = match life.out.get(&flight) {
                    Some((request, ..)) => (self.serve(request), self.delay()),
                    None => return,
                };
                if let Some((.., slot)) = life.out.get_mut(&flight) {
                    *slot = Some(reply);
                }
                life.queue.push(Reverse((self.now + back, flight, Act::Deliver)));
            }
            Act::Deliver => {
                let number = flight;
                if let Some((_, flight, Some(reply))) = life.out.remove(&flight) {
                    self.tell(life, || match &reply {
                        Ok(response) => format!("receives {number}: {}", response.status().as_u16()),
                        Err(error) => format!("receives {number}: {error}"),
                    });
                    life.fleet.receive(flight, reply, time(self.now));
                }
            }
        }
    }

    fn serve(&mut self, request: &Request) -> Reply {
        let lost = |kind| Err(TransportError::new(kind, "by the simulated network"));
        // Faults stop at the fifth life, so that everything can be fetched in the end.
        let faulty = self.report.lives < 5 && self.chance.permille(self.scenario.faults);
        let fault = if faulty { self.chance.below(5) } else { u64::MAX };
        if fault == 0 {
            return lost(TransportErrorKind::Reset);
        }
        if request.http().uri().path() == "/oauth/token" {
            self.report.logins += 1;
            return Ok(self.server.log_in(self.now));
        }
        if self.scenario.outages.iter().any(|(from, to)| (*from..*to).contains(&self.now)) {
            return Ok(json(503, "<html>".to_owned()));
        }
        if fault == 1 {
            return Ok(json([500, 502, 504][self.chance.index(3)], "<html>".to_owned()));
        }
        let response = self.server.answer(request.http(), self.now);
        match fault {
            2 => lost(TransportErrorKind::Reset),
            3 => lost(TransportErrorKind::Truncated),
            _ => Ok(response),
        }
    }

    /// Handles a result as a driver's caller does: writes it to the journal, then uses it. A process that
    /// is killed meanwhile has written only part of it.
    fn take(&mut self, life: &mut Life, finding: PeriodResult, killed: bool) -> Result<(), String> {
        let (place, told) = read_finding(&finding);
        let line = life.journal.line_for(&finding);
        let whole = line.as_ref().is_some_and(|line| {
            let written = if killed { self.chance.index(line.len() + 1) } else { line.len() };
            self.file.extend_from_slice(&line.as_bytes()[..written]);
            written == line.len()
        });
        if line.is_some_and(|line| line.contains("t0ken") || line.contains("s3cret")) {
            return Err("a secret is in the journal".to_owned());
        }
        if killed && !whole {
            return Ok(());
        }
        let notes = if whole { &mut self.recorded } else { &mut self.failed_for_now };
        if notes.insert(place, told).is_some() {
            return Err(format!("{place:?} was found twice"));
        }
        let progress = life.fleet.progress(time(self.now));
        if life.half.is_none() && progress.done * 2 >= progress.organizations {
            let left = progress.estimated_end.map_or(0, |finishes| millis(finishes) - self.now);
            life.half = Some((self.now, left));
        }
        Ok(())
    }

    /// Returns true if there are no transient faults any more.
    fn is_calm(&self) -> bool {
        self.scenario.faults == 0 && self.scenario.outages.is_empty()
    }

    /// Returns true if some failure is not permanent.
    fn has_passing_failures(&self) -> bool {
        self.failed_for_now
            .iter()
            .any(|((n, index), told)| !self.server.truth(*n, self.scenario.reach).contains(&(*index, *told)))
    }

    /// Checks that the results are exactly the true ones.
    fn check_whole(&self) -> Result<(), String> {
        if !self.scenario.thorough {
            return Ok(());
        }
        let truth = |n| {
            self.server.truth(n, self.scenario.reach).into_iter().map(move |(index, told)| ((n, index), told))
        };
        let truth: BTreeMap<(usize, u32), Told> = (0..self.scenario.organizations).flat_map(truth).collect();
        let mut found: BTreeMap<_, _> =
            self.recorded.iter().chain(&self.failed_for_now).map(|(k, v)| (*k, *v)).collect();
        if !self.is_calm() {
            // If the index that ends a walk failed transiently, the walk also read the next one.
            let last = |n: usize| truth.range((n, 0)..(n + 1, 0)).next_back().map(|((_, index), _)| *index);
            found.retain(|(n, index), _| last(*n).is_some_and(|last| *index <= last));
        }
        if truth == found {
            return Ok(());
        }
        let differ: Vec<_> = truth
            .keys()
            .chain(found.keys())
            .filter(|place| truth.get(place) != found.get(place))
            .take(5)
            .map(|place| format!("{place:?}: {:?}, not {:?}", found.get(place), truth.get(place)))
            .collect();
        Err(format!("what was found is not what is there: {differ:?}"))
    }

    fn delay(&mut self) -> i64 {
        let (from, to) = self.scenario.delay;
        from + self.chance.millis(to - from)
    }
}

fn read_finding(finding: &PeriodResult) -> ((usize, u32), Told) {
    let n = finding.organization.as_str().trim_start_matches("org-").parse().unwrap_or(usize::MAX);
    let told = match &finding.outcome {
        PeriodOutcome::Period(_) => Told::Period,
        PeriodOutcome::NoOlderPeriod => Told::Nothing,
        PeriodOutcome::Failed(error) => Told::Failed(error.status().map_or(0, |status| status.as_u16())),
        _ => Told::Failed(1),
    };
    ((n, finding.index.get()), told)
}

/// Returns the organisation and index of a request, unless it is a login.
fn place_of(request: &Request) -> Option<(usize, u32)> {
    let uri = request.http().uri();
    let (_, n) = uri.path().rsplit_once("/org-")?;
    let index = uri.query()?.strip_prefix("billingPeriodIndex=")?;
    Some((n.parse().ok()?, index.parse().ok()?))
}

fn organization(n: usize) -> OrgId {
    format!("org-{n}").parse().unwrap_or_else(|_| unreachable!("an id that can stand in a path"))
}

fn time(millis: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::milliseconds(1_793_610_000_000 + millis)
}

/// Converts a time to milliseconds, rounded up.
fn millis(time: DateTime<Utc>) -> i64 {
    let nanos = (time - self::time(0)).num_nanoseconds().unwrap_or(i64::MAX);
    nanos.saturating_add(999_999).div_euclid(1_000_000)
}

const MOST_ACTS: u64 = 10_000_000;
