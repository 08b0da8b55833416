//! The fleet in virtual time: runs over thousands of organisations against a model of the server, killed
//! and continued.
//!
//! ```text
//!   seed, scenario ─► world ─┬─ lives: a session and a fleet each, the journal of the one before ◄─┐
//!                            ├─ network: delay, loss                                              │ killed, begun again
//!                            ├─ server: quota by window, a stranger with the same token, faults   │
//!                            └─ checks: what was recorded is not asked for again, all is found ───┘
//! ```
//!
//! Nothing sleeps, and every number comes from the seed, as in the [`simulation`](crate::simulation).

mod server;
mod world;

use std::fmt;

use billing_core::PeriodSelection;

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The number of organisations.
    pub organizations: usize,
    /// The selection of periods.
    pub reach: PeriodSelection,
    /// The maximum number of requests in flight.
    pub at_once: usize,
    /// The server's quota.
    pub quota: Quota,
    /// The other client that uses the same token.
    pub stranger: Stranger,
    /// The shortest and longest delay of each direction, in milliseconds.
    pub delay: (i64, i64),
    /// The lifetime of a token, in milliseconds.
    pub token_lifetime: i64,
    /// Set if some organisations are unknown, not permitted, or have unreadable periods.
    pub odd: bool,
    /// The number of transient failures per thousand requests: lost before or after the server acted, 5xx,
    /// or truncated.
    pub faults: u64,
    /// The intervals in which the server answers 503 to everything, in milliseconds.
    pub outages: Vec<(i64, i64)>,
    /// The acts at which the process is killed, each counted from the process's start.
    pub kills: Vec<u64>,
    /// Set if every result is kept and their union is checked. This is too slow for very many
    /// organisations.
    pub thorough: bool,
}

/// The server's quota.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// The number of requests per minute.
    pub allowed: u32,
    /// Set if windows follow the server's clock. Otherwise each begins with the first request after the
    /// previous one.
    pub fixed: bool,
    /// Set if the quota counts all tokens of the client together.
    pub of_client: bool,
    /// Set if the server rounds the remaining seconds of a window down instead of up.
    pub rounded_down: bool,
}

/// The behaviour of another client with the same token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// No other client.
    Nobody,
    /// This number of requests per minute, at random times.
    Steady(u32),
    /// This number of requests per minute, in a burst every 20 s.
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

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The number of our requests that the API received.
    pub requests: u64,
    /// The number of 429s among them.
    pub throttled: u64,
    /// The number of requests for a token.
    pub logins: u64,
    /// The time from the first request to the last answer, over all lives, in milliseconds.
    pub time: i64,
    /// The lower bound of that time: `60·(⌈requests/allowed⌉−1)` s, in milliseconds.
    pub floor: i64,
    /// The number of lives.
    pub lives: u64,
    /// The number of acts of the last life. A kill can be at any of them.
    pub acts: u64,
    /// The number of results, including those of a journal.
    pub found: usize,
    /// The largest number of requests in flight.
    pub most_out: usize,
    /// The length of the journal, in bytes.
    pub journal: usize,
    /// The remaining time that the progress estimated half-way, in thousandths of the real one.
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
/// Returns a description of the violated rule.
pub fn run(seed: u64, scenario: &Scenario) -> Result<Report, String> {
    world::World::new(seed, scenario, None).run()
}

/// Runs a scenario and passes a description of every act to `watch`.
///
/// # Errors
/// Returns a description of the violated rule.
pub fn watch(seed: u64, scenario: &Scenario, watch: &mut dyn FnMut(&str)) -> Result<Report, String> {
    world::World::new(seed, scenario, Some(watch)).run()
}
