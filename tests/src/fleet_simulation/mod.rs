//! The fleet in virtual time: a run over thousands of organisations against a model of the server, killed and gone on with.
//!
//! ```text
//!   seed, scenario ─► world ─┬─ lives: a session and a fleet each, the journal of the one before ◄─┐
//!                            ├─ network: delay, loss                                              │ killed, begun again
//!                            ├─ server: quota by window, a stranger with the same token, faults   │
//!                            └─ checks: what was recorded is not asked for again, all is found ───┘
//! ```
//!
//! As in the [`simulation`](crate::simulation) nothing sleeps or draws a number that is not from the seed.

mod server;
mod world;

use std::fmt;

use billing_core::PeriodSelection;

/// What a run is like.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// How many organisations there are.
    pub organizations: usize,
    /// What is asked for.
    pub reach: PeriodSelection,
    /// How many requests may be out at a time.
    pub at_once: usize,
    /// The server's quota.
    pub quota: Quota,
    /// Somebody else with the same token.
    pub stranger: Stranger,
    /// How long each way takes, from and to, in milliseconds.
    pub delay: (i64, i64),
    /// How long a token lasts, in milliseconds.
    pub token_lifetime: i64,
    /// Whether some organisations are unknown, not permitted, or have periods that cannot be read.
    pub odd: bool,
    /// So many of a thousand requests fail for now: lost before or after the server acted, 5xx, or cut short.
    pub faults: u64,
    /// When the server answers 503 to everything, from and to, in milliseconds.
    pub outages: Vec<(i64, i64)>,
    /// At which acts the process is killed, each counted from when it was begun.
    pub kills: Vec<u64>,
    /// Whether each finding is kept and the union looked at, which is of no use where there are very many.
    pub thorough: bool,
}

/// How many requests the server allows.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// So many in a minute.
    pub allowed: u32,
    /// Whether windows follow the server's clock; otherwise each begins with the first request after the one before.
    pub fixed: bool,
    /// Whether it counts for all tokens of the client together.
    pub of_client: bool,
    /// Whether the seconds until a window's end are rounded down, and not up.
    pub rounded_down: bool,
}

/// What somebody else does with the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// Nobody does.
    Nobody,
    /// So many requests a minute, at random times.
    Steady(u32),
    /// So many requests a minute, in a burst every 20 s.
    Bursts(u32),
}

impl Scenario {
    /// A healthy server with the published quota, and answers of 0.3 to 0.7 s.
    pub fn new(organizations: usize, reach: PeriodSelection) -> Self {
        Self {
            organizations,
            reach,
            at_once: 16,
            quota: Quota { allowed: 300, fixed: false, of_client: false, rounded_down: false },
            stranger: Stranger::Nobody,
            delay: (150, 350),
            token_lifetime: 86_400_000,
            odd: false,
            faults: 0,
            outages: Vec::new(),
            kills: Vec::new(),
            thorough: true,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Requests of ours that the API saw, and those that it answered with 429.
    pub requests: u64,
    /// 429s among them.
    pub throttled: u64,
    /// Requests for a token.
    pub logins: u64,
    /// From the first request to the last answer, over all lives, in milliseconds.
    pub time: i64,
    /// What no run could be faster than: `60·(⌈requests/allowed⌉−1)` s.
    pub floor: i64,
    /// How many lives there were.
    pub lives: u64,
    /// Acts of the last life: a kill can be at any of them.
    pub acts: u64,
    /// Findings, those of a journal included.
    pub found: usize,
    /// How many requests were out at a time.
    pub most_out: usize,
    /// The length of the journal, in bytes.
    pub journal: usize,
    /// What the progress said, half way, of the time that was left, in thousandths of what it was.
    pub estimate: Option<i64>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, throttled, logins, time, floor, lives, found, most_out, .. } = self;
        let over = (time - floor) * 10_000 / (*floor).max(1);
        write!(
            f,
            "{requests} requests in {}.{:03} s, floor {} s, {}.{:02} % over; {throttled} times 429, {logins} logins, {lives} lives, \
             {found} found, {most_out} out at most, journal {} bytes, estimate {:?}",
            time / 1000,
            time % 1000,
            floor / 1000,
            over / 100,
            over % 100,
            self.journal,
            self.estimate,
        )
    }
}

/// Runs a scenario.
///
/// # Errors
/// When something happens that must not.
pub fn run(seed: u64, scenario: &Scenario) -> Result<Report, String> {
    world::World::new(seed, scenario, None).run()
}

/// Runs a scenario, and shows every act to `watch`, in words.
///
/// # Errors
/// When something happens that must not.
pub fn watch(seed: u64, scenario: &Scenario, watch: &mut dyn FnMut(&str)) -> Result<Report, String> {
    world::World::new(seed, scenario, Some(watch)).run()
}
