//! The world: the machines and the order of their events.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::rc::Rc;

use billing_core::calls::{BillableUsageCall, TrusteeOverviewCall};
use billing_core::sandbox::{ORG_ID, Sandbox};
use billing_core::session::Pacing;
use billing_core::{Environment, Error, Exchange, Pages, Period, Policy, Poll, Session};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderValue, Response, header};

use super::checker::{Checker, Looks, Terms, Violation};
use super::fault::Fault;
use super::flight::Flight;
use super::life::{Moved, Out, Parked, Shared, Subject, Told, alone, under};
use super::numbers::Numbers;
use super::rng::Rng;
use super::scenario::{Credential, Scenario};
use super::server::{SECRETS, Server};
use super::tally::Tally;
use super::trace::{Digest, Event, Kind, Next, Outcome, What};
use super::{Run, reading};

/// One run.
pub(super) struct World<W> {
    pub(super) scenario: Scenario,
    pub(super) environment: Environment,
    pub(super) server: Server,
    pub(super) processes: Vec<Process>,
    pub(super) slots: Vec<Slot>,
    queue: BinaryHeap<Reverse<Due>>,
    sequence: u64,
    pub(super) now: i64,
    operations: usize,
    /// The random sources of the network, of clock jumps, and of everything else.
    pub(super) chance: Rng,
    pub(super) whims: Rng,
    clocks: Rng,
    pub(super) burst: Option<(Fault, u64)>,
    /// Earlier answers, by token and request.
    pub(super) answers: HashMap<(u64, u64), (Response<Bytes>, Option<Next>)>,
    pub(super) checker: Checker,
    pub(super) tally: Tally,
    digest: Digest,
    watch: W,
}

/// A due act: its time, its order among equal times, its slot and the slot's epoch.
type Due = (i64, u64, usize, u64, Act);

/// A process with a session and a clock of its own.
pub(super) struct Process {
    pub(super) session: Shared,
    /// The lead of its clock in milliseconds.
    pub(super) ahead: i64,
    pub(super) revision: u64,
}

/// A slot that runs one operation after another.
pub(super) struct Slot {
    pub(super) state: State,
    pub(super) operation: usize,
    pub(super) kind: Kind,
    /// The organisation whose overview it fetches.
    pub(super) organization: &'static str,
    pub(super) process: Option<usize>,
    policy: Rc<Policy>,
    lives: usize,
    /// Set after a damaged page, whose next link may be wrong, so that the following pages are in doubt.
    pub(super) astray: bool,
    /// Set if it has logged in, or its token was refused, and the same request has not been answered since.
    pub(super) relies_on_session: bool,
    /// A counter of states, which identifies acts that were due for an earlier state.
    pub(super) epoch: u64,
}

pub(super) enum State {
    Empty,
    Parked(Box<dyn Parked>),
    Out(Box<dyn Out>, Box<Flight>),
}

/// The kinds of due acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    Begin,
    Wake,
    Arrive,
    Deliver,
    Drop,
}

impl<W: FnMut(&Event)> World<W> {
    pub(super) fn new(scenario: Scenario, rng: &Rng, watch: W) -> Self {
        let mut draws = rng.fork(2);
        let mut server = Server::new(&scenario, rng);
        let environment = Sandbox::new(0).environment();
        let pacing = if scenario.pacing { Pacing::default() } else { Pacing { min_interval: None } };
        let mut processes = Vec::new();
        for (number, credential) in scenario.sessions.iter().enumerate() {
            let credentials = server.credentials(*credential, number);
            let session = Session::with_pacing(environment.clone(), credentials, pacing, draws.draw());
            let ahead = if scenario.moves == 0 { 0 } else { draws.millis(2 * scenario.jump) - scenario.jump };
            processes.push(Process { session: Rc::new(RefCell::new(session)), ahead, revision: 0 });
        }
        let terms = Terms {
            renewable: scenario
                .sessions
                .iter()
                .map(|c| scenario.sandbox || *c == Credential::Client)
                .collect(),
            alone: scenario.alone(),
            calm: scenario.calm.zip(scenario.enough_time()),
            late: scenario.late,
            secrets: SECRETS.map(str::to_owned).to_vec(),
        };
        let empty = |_| Slot {
            state: State::Empty,
            operation: 0,
            kind: Kind::Report,
            organization: ORG_ID,
            process: None,
            policy: Rc::new(Policy::default()),
            lives: scenario.lives,
            astray: false,
            relies_on_session: false,
            epoch: 0,
        };
        let slots = (0..scenario.slots).map(empty).collect();
        let mut world = Self {
            environment,
            server,
            processes,
            slots,
            queue: BinaryHeap::new(),
            sequence: 0,
            now: 0,
            operations: 0,
            chance: rng.fork(3),
            whims: rng.fork(4),
            clocks: rng.fork(5),
            burst: None,
            answers: HashMap::new(),
            checker: Checker::new(terms),
            tally: Tally::default(),
            digest: Digest::default(),
            watch,
            scenario,
        };
        (0..world.slots.len()).for_each(|slot| world.begin_later(slot));
        world
    }

    /// Performs all due acts until none is left.
    pub(super) fn run(mut self) -> Result<Run, Violation> {
        if !self.go_on(MOST_ACTS)? {
            return Err(Violation { rule: "D5", text: "a run without an end".to_owned() });
        }
        self.tally.runs = 1;
        let Looks { calm, alone } = self.checker.looks();
        self.tally.note("ended where nothing went wrong any more", calm);
        self.tally.note("counted where nobody else was", alone);
        self.tally.virtual_time = self.now.unsigned_abs();
        Ok(Run { tally: self.tally, digest: self.digest })
    }

    /// Performs at most `acts` due acts and returns true if none is left.
    pub(super) fn go_on(&mut self, acts: u64) -> Result<bool, Violation> {
        for _ in 0..acts {
            let Some(Reverse((at, _, slot, epoch, act))) = self.queue.pop() else {
                self.checker.finish()?;
                return Ok(true);
            };
            if self.slots[slot].epoch != epoch {
                continue;
            }
            self.now = at;
            self.a_clock_may_jump(slot)?;
            match act {
                Act::Begin => self.begin(slot)?,
                Act::Wake => self.wake(slot)?,
                Act::Arrive => self.arrive(slot)?,
                Act::Deliver => self.deliver(slot)?,
                Act::Drop => self.drop_life(slot)?,
            }
            self.wake_who_waits_for_a_login();
        }
        Ok(false)
    }

    /// Records an event and passes it to the checker.
    pub(super) fn see(&mut self, slot: usize, what: What) -> Result<(), Violation> {
        let event = Event { at: self.now, operation: self.slots[slot].operation, what };
        self.tally.count(&event.what);
        self.digest.take(&event);
        (self.watch)(&event);
        self.checker.see(&event)
    }

    pub(super) fn due(&mut self, at: i64, slot: usize, act: Act) {
        self.sequence += 1;
        self.queue.push(Reverse((at.max(self.now), self.sequence, slot, self.slots[slot].epoch, act)));
    }

    /// Returns the current time by the clock of a slot's process.
    pub(super) fn local(&self, slot: usize) -> DateTime<Utc> {
        let ahead = self.slots[slot].process.map_or(0, |process| self.processes[process].ahead);
        base() + TimeDelta::milliseconds(self.now + ahead)
    }

    /// Converts a time of that clock to one of the run.
    pub(super) fn of_local(&self, slot: usize, time: DateTime<Utc>) -> i64 {
        let ahead = self.slots[slot].process.map_or(0, |process| self.processes[process].ahead);
        let nanos = (time - base()).num_nanoseconds();
        // A fraction of a millisecond counts as a whole one.
        let millis =
            nanos.map_or_else(|| (time - base()).num_milliseconds(), |n| (n + 999_999).div_euclid(1_000_000));
        millis - ahead
    }

    /// Lets the clock of a process jump at random, whatever is in progress there.
    fn a_clock_may_jump(&mut self, slot: usize) -> Result<(), Violation> {
        if self.scenario.jumps == 0 || !self.clocks.permille(self.scenario.jumps) {
            return Ok(());
        }
        let session = self.clocks.index(self.processes.len());
        let most = self.clocks.pick(&[5_000, 60_000, 1_000_000, 200_000_000]);
        let by = 1 + self.clocks.millis(most);
        let by = if self.clocks.permille(500) { by } else { -by };
        self.processes[session].ahead += by;
        self.see(slot, What::Jumps { session, by })
    }

    fn begin_later(&mut self, slot: usize) {
        let most = self.whims.pick(&[0, 100, 20_000]);
        let at = self.now + self.whims.millis(most);
        self.due(at, slot, Act::Begin);
    }

    fn begin(&mut self, slot: usize) -> Result<(), Violation> {
        let bare = self.whims.permille(self.scenario.bare);
        let process = (!bare).then(|| self.whims.index(self.processes.len()));
        let policy = self.scenario.policy(&mut self.whims);
        let api = self.environment.api().clone();
        let place = &mut self.slots[slot];
        (place.process, place.policy, place.astray) = (process, Rc::new(policy.clone()), false);
        let sorts = if self.scenario.sandbox { 3 } else { 4 };
        match self.whims.below(sorts) {
            0 | 1 => {
                let day = format!("2026-{:02}-{:02}", 1 + self.whims.below(6), 1 + self.whims.below(28));
                let period = Period::from_user(&day, "2026-09-01").unwrap_or_else(|e| panic!("{e}"));
                self.live(slot, Kind::Report, Poll::new(BillableUsageCall::new(period), api, policy))
            }
            2 => {
                place.organization = match self.scenario.sandbox {
                    true => ORG_ID,
                    false => self.whims.pick(&ORGANIZATIONS),
                };
                let id = place.organization.parse().unwrap_or_else(|e| panic!("{e}"));
                let call = TrusteeOverviewCall::new(id);
                self.live(slot, Kind::Overview, Exchange::new(call, api, policy))
            }
            _ => {
                let list = self.whims.below(100);
                self.live(slot, Kind::List, Pages::new(Numbers { list }, api, policy))
            }
        }
    }

    /// Starts a machine.
    fn live<M: Subject>(&mut self, slot: usize, kind: Kind, machine: M) -> Result<(), Violation> {
        let place = &mut self.slots[slot];
        (place.operation, place.kind, place.relies_on_session) = (self.operations, kind, false);
        self.operations += 1;
        let overall = i64::try_from(place.policy.timeout.as_millis()).unwrap_or(i64::MAX);
        let (session, policy) = (place.process, place.policy.clone());
        let life = match session {
            Some(process) => under(machine, &self.processes[process].session),
            None => alone(machine, self.whims.fork(self.operations as u64)),
        };
        let deadline = self.now.saturating_add(overall);
        self.see(slot, What::Begins { kind, session, policy, deadline })?;
        let life = self.as_it_is_or_restored(slot, life)?;
        let moved = life.step(self.local(slot));
        self.moved(slot, moved)
    }

    fn wake(&mut self, slot: usize) -> Result<(), Violation> {
        match std::mem::replace(&mut self.slots[slot].state, State::Empty) {
            State::Parked(life) => {
                let moved = life.step(self.local(slot));
                self.moved(slot, moved)
            }
            other => {
                self.slots[slot].state = other;
                Ok(())
            }
        }
    }

    /// Handles the next step of a life.
    pub(super) fn moved(&mut self, slot: usize, moved: Moved) -> Result<(), Violation> {
        self.slots[slot].epoch += 1;
        match moved {
            Moved::Sends(request, out) => {
                if self.scenario.shows {
                    self.see(slot, What::Shows("a request", format!("{request:?}")))?;
                    self.see(slot, What::Shows("a sent machine", out.show()))?;
                }
                self.send(slot, request, out)
            }
            Moved::Waits(until, life) => self.park(slot, until, life),
            Moved::Ends(result) => self.end(slot, result),
            Moved::Diverges(text) => Err(Violation { rule: "checkpoint", text }),
        }
    }

    fn end(&mut self, slot: usize, result: Result<Told, Error>) -> Result<(), Violation> {
        self.slots[slot].state = State::Empty;
        let (outcome, rest) = match result {
            Ok(Told { complete, kept, rest }) => {
                (Outcome::Good { complete, more: rest.is_some(), kept }, rest)
            }
            Err(error) => {
                let body = error.body_start().unwrap_or_default();
                self.see(slot, What::Shows("an error", format!("{error} {error:?} {body}")))?;
                (reading::outcome(&error, |time| self.of_local(slot, time)), None)
            }
        };
        self.see(slot, What::Ends(outcome))?;
        match rest {
            Some(rest) => self.live(slot, Kind::List, *rest),
            None => {
                self.next_life(slot);
                Ok(())
            }
        }
    }

    fn next_life(&mut self, slot: usize) {
        let place = &mut self.slots[slot];
        place.lives = place.lives.saturating_sub(1);
        if place.lives > 0 {
            self.begin_later(slot);
        }
    }

    /// Drops a machine with a request in flight, as a cancelled future does.
    fn drop_life(&mut self, slot: usize) -> Result<(), Violation> {
        self.slots[slot].epoch += 1;
        self.slots[slot].state = State::Empty;
        self.see(slot, What::Dropped)?;
        self.next_life(slot);
        Ok(())
    }

    /// Sets the token of an operation without a session.
    pub(super) fn token_for_bare(&mut self, slot: usize, http: &mut http::Request<Bytes>) {
        let token = self.server.token(BARE + slot).map(|token| format!("Bearer {token}"));
        let value = token.and_then(|token| HeaderValue::from_str(&token).ok());
        if let Some(mut value) = value {
            value.set_sensitive(true);
            http.headers_mut().insert(header::AUTHORIZATION, value);
        }
    }
}

/// Returns the start of every run, by the server's clock.
pub(super) fn base() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_793_610_000)
}

/// Organisation ids; only the first is a normal one.
const ORGANIZATIONS: [&str; 8] = [ORG_ID, "a/b", "..%2f", "ü ?#", "%", "...", "a;b=c&d", "%2e%2e/\\"];
/// The first owner number of tokens outside the sessions.
pub(super) const BARE: usize = 1_000;
/// The limit of acts; a run has a few thousand.
const MOST_ACTS: u64 = 3_000_000;
