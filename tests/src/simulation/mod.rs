//! The simulation: whole lives of a client in virtual time, each replayable from its seed.
//!
//! ```text
//!   seed ─► scenario ─► world: an event queue ─┬─ machines, some under sessions that they share ◄─┐
//!                         │                    ├─ network: delay, loss, damage ───────────────────┤
//!                         │                    └─ server: a fast model, or the sandbox ◄──────────┘
//!                         ▼
//!                       trace: what the server sees and machines yield ─► checker: the rules ─► a violation, or none
//! ```
//!
//! Nothing here sleeps, reads a clock or draws a number that is not from the seed, so that a run can be had again as it
//! was, with its whole trace, by the number that a failure prints.

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

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// What it went through.
    pub tally: Tally,
    /// Stands for all that happened.
    pub digest: Digest,
}

/// How a seed is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variation {
    /// As its scenario says.
    Plain,
    /// Without saving and restoring anything.
    Uninterrupted,
    /// With every machine saved and restored at every wait of its own.
    Restored,
}

/// Runs a seed, and shows every event to `watch`.
///
/// # Errors
/// When something happens that must not.
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

/// Runs what a tape of bytes says, as a fuzzer writes it: its draws in place of those from a seed. Few live side by side, and
/// what takes too long is left before its end, so that every tape is soon done with.
///
/// # Errors
/// When something happens that must not.
pub fn run_tape(tape: &[u8], watch: impl FnMut(&Event)) -> Result<(), Violation> {
    let rng = Rng::from_tape(tape);
    let mut scenario = Scenario::draw(&mut rng.fork(0));
    scenario.slots = scenario.slots.min(MOST_SLOTS_OF_A_TAPE);
    World::new(scenario, &rng, watch).go_on(MOST_ACTS_OF_A_TAPE).map(drop)
}

/// What the run of a seed is like, for whoever reads its trace.
pub fn describe(seed: u64) -> String {
    format!("{:#?}", Scenario::draw(&mut Rng::new(seed).fork(0)))
}

const MOST_SLOTS_OF_A_TAPE: usize = 6;
/// About as many as a tape of 4 KiB has draws for.
const MOST_ACTS_OF_A_TAPE: u64 = 1_500;
