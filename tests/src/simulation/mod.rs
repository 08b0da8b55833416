//! The simulation: whole client lifetimes in virtual time, each reproducible from its seed.
//!
//! ```text
//!   seed ─► scenario ─► world: an event queue ─┬─ machines, some under sessions that they share ◄─┐
//!                         │                    ├─ network: delay, loss, damage ───────────────────┤
//!                         │                    └─ server: a fast model, or the sandbox ◄──────────┘
//!                         ▼
//!                       trace: what the server sees and machines yield ─► checker: the rules ─► a violation, or none
//! ```
//!
//! Nothing here sleeps, reads a clock or draws a number that does not come from the seed. The number that a
//! failure prints reproduces the run with its whole trace.

mod checker;
mod fault;
mod flight;
mod learned;
mod life;
mod network;
mod numbers;
mod reading;
mod rng;
mod scenario;
mod server;
mod tally;
mod trace;
mod waiting;
mod world;

pub use checker::{Checker, Looks, Terms, Violation};
pub use fault::Fault;
pub use rng::Rng;
pub use tally::Tally;
pub use trace::{Digest, Event, Kind, Next, Origin, Outcome, Reply, Request, Says, What};

use scenario::Scenario;
use world::World;

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The counts of events of the run.
    pub tally: Tally,
    /// The digest of all events.
    pub digest: Digest,
}

/// A way to run a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variation {
    /// Saves and restores as the scenario says.
    Plain,
    /// Saves and restores nothing.
    Uninterrupted,
    /// Saves and restores every machine at each of its own waits.
    Restored,
}

/// Runs a seed and passes every event to `watch`.
///
/// # Errors
/// Returns the violation of a rule, if there is one.
pub fn run(seed: u64, variation: Variation, watch: impl FnMut(&Event)) -> Result<Run, Violation> {
    let rng = Rng::new(seed);
    let mut scenario = Scenario::draw(&mut rng.fork(0));
    match variation {
        Variation::Plain => {}
        Variation::Uninterrupted => (scenario.restores, scenario.moves) = (0, 0),
        Variation::Restored => {
            (scenario.restores, scenario.moves, scenario.own_waits) = (1_000, 0, true);
        }
    }
    World::new(scenario, &rng, watch).run()
}

/// Runs the draws on a tape of bytes from a fuzzer, in place of draws from a seed. Few machines run side by
/// side and a long run is cut off, so that every tape finishes soon.
///
/// # Errors
/// Returns the violation of a rule, if there is one.
pub fn run_tape(tape: &[u8], watch: impl FnMut(&Event)) -> Result<(), Violation> {
    let rng = Rng::from_tape(tape);
    let mut scenario = Scenario::draw(&mut rng.fork(0));
    scenario.slots = scenario.slots.min(MOST_SLOTS_OF_A_TAPE);
    World::new(scenario, &rng, watch).go_on(MOST_ACTS_OF_A_TAPE).map(drop)
}

/// Describes the scenario of a seed, for readers of its trace.
pub fn describe(seed: u64) -> String {
    format!("{:#?}", Scenario::draw(&mut Rng::new(seed).fork(0)))
}

const MOST_SLOTS_OF_A_TAPE: usize = 6;
/// The number of acts that a tape of 4 KiB has draws for, roughly.
const MOST_ACTS_OF_A_TAPE: u64 = 1_500;
