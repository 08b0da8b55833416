//! Scenarios: the settings of a run, drawn from its seed.

use std::time::Duration;

use billing_core::Policy;
use billing_core::machine::RetrySchedule;
use billing_core::poll::PollSchedule;

use super::fault::Fault;
use super::learned;
use super::rng::Rng;

/// The settings of a run.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    /// The number of concurrent machines, and the number of lives in each slot.
    pub(super) slots: usize,
    pub(super) lives: usize,
    pub(super) sessions: Vec<Credential>,
    pub(super) pacing: bool,
    /// Set if the operations have unusual policies instead of ones near the default.
    pub(super) odd: bool,
    /// The number per thousand of operations without a session.
    pub(super) bare: u64,

    /// The number per thousand of requests with a fault, the kinds of faults, and the length of a burst.
    pub(super) faults: u64,
    pub(super) kinds: Vec<Fault>,
    pub(super) burst: u64,
    /// The time at which the faults stop.
    pub(super) calm: Option<i64>,
    /// The longest delay of one direction.
    pub(super) delay: i64,

    pub(super) quota: Option<Quota>,
    /// The number per thousand of requests that another client with the same token accompanies.
    pub(super) stranger: u64,
    /// In seconds.
    pub(super) token_lifetime: Option<i64>,
    /// The longest time that a report takes, in milliseconds.
    pub(super) report: i64,
    /// The number per thousand of answers about a complete report that say it is in progress again.
    pub(super) back: u64,
    pub(super) gzip: bool,
    /// Set to use the real sandbox instead of the model.
    pub(super) sandbox: bool,

    /// The longest delay of a wake-up, in milliseconds.
    pub(super) late: i64,
    /// The number per thousand of waits that are interrupted by an early step.
    pub(super) early: u64,
    /// The number per thousand of requests during which the driver drops the machine.
    pub(super) dropped: u64,
    /// The number per thousand of waits in which the machine moves to another process, whose clock differs
    /// by up to `jump`.
    pub(super) moves: u64,
    pub(super) jump: i64,
    /// The number per thousand of waits in which the machine is saved and restored in place.
    pub(super) restores: u64,
    /// Set to restore only machines without state that only their session knows. Their behaviour must not
    /// change.
    pub(super) own_waits: bool,
    /// Set if everything is rendered as text at every step.
    pub(super) shows: bool,
    /// The number per thousand of acts before which the clock of a process jumps.
    pub(super) jumps: u64,
}

/// The server's quota.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    pub(super) allowed: u32,
    /// In milliseconds.
    pub(super) window: i64,
    /// Set if windows follow the server's clock instead of beginning with a request.
    pub(super) fixed: bool,
    /// Set if the server reports the quota.
    pub(super) told: bool,
    /// Set if the server rounds the remaining seconds of a window down instead of up.
    pub(super) rounded_down: bool,
}

/// The credentials of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    Client,
    Token,
}

impl Scenario {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let faults = rng.pick(&[0, 0, 20, 20, 20, 100, 100, 100, 400, 900]);
        // A run with a few kinds of faults gets deeper into each than one with all of them.
        let mut kinds: Vec<Fault> = match rng.below(3) {
            0 => Fault::ALL.to_vec(),
            1 => Fault::ALL.iter().copied().filter(|_| rng.permille(250)).collect(),
            _ => (0..=rng.below(3)).map(|_| rng.pick(&Fault::ALL)).collect(),
        };
        let sandbox = rng.permille(20);
        let calm = rng.permille(350);
        if calm {
            // A hint of hours outlasts the faults.
            kinds.retain(|kind| *kind != Fault::LongHint);
        }
        let quota = rng.permille(800).then(|| Quota {
            allowed: rng.pick(&[1, 2, 5, 20, 20, 60, 300, 300]),
            window: rng.pick(&[5_000, 60_000, 60_000, 60_000, 100_000]),
            fixed: rng.permille(300),
            told: rng.permille(900),
            rounded_down: rng.permille(500),
        });
        let most_slots = rng.pick(&[2, 6, 6, 16, 40]);
        Self {
            slots: 1 + rng.index(most_slots),
            lives: 1 + rng.index(6),
            sessions: (0..=rng.below(3))
                .map(|_| if rng.permille(850) { Credential::Client } else { Credential::Token })
                .collect(),
            pacing: rng.permille(700),
            odd: !calm && rng.permille(400),
            bare: if sandbox { 0 } else { rng.pick(&[0, 0, 100, 500]) },
            faults: if kinds.is_empty() { 0 } else { faults },
            kinds,
            burst: rng.pick(&[0, 0, 3, 10]),
            calm: calm.then(|| rng.millis(300_000)),
            delay: if calm {
                rng.pick(&[0, 50, 1_000])
            } else {
                rng.pick(&[0, 5, 50, 50, 1_000, 3_000, 40_000])
            },
            quota,
            stranger: rng.pick(&[0, 0, 0, 50, 1_000]),
            token_lifetime: match calm {
                true => rng.pick(&[None, Some(120), Some(86_400)]),
                false => rng.pick(&[
                    None,
                    Some(0),
                    Some(1),
                    Some(5),
                    Some(60),
                    Some(600),
                    Some(86_400),
                    Some(86_400),
                ]),
            },
            report: rng.pick(&[0, 3_000, 10_000, 10_000, 60_000, if calm { 100_000 } else { 1_200_000 }]),
            back: rng.pick(&[0, 0, 0, 100, 500]),
            gzip: rng.permille(100),
            sandbox,
            late: rng.pick(&[0, 0, 20, 1_000]),
            early: rng.pick(&[0, 0, 100]),
            dropped: if calm { 0 } else { rng.pick(&[0, 0, 0, 20]) },
            moves: if calm { 0 } else { rng.pick(&[0, 0, 50]) },
            jump: rng.pick(&[0, 2_000, 100_000, 100_000_000]),
            restores: rng.pick(&[0, 0, 100, 1_000]),
            own_waits: false,
            shows: rng.permille(30),
            jumps: if calm { 0 } else { rng.pick(&[0, 0, 0, 0, 3, 30]) },
        }
    }

    /// Returns true if no other client uses the quota and the server reports it correctly, so that no 429
    /// may occur.
    pub(super) fn alone(&self) -> bool {
        // What is counted twice, what says a wrong number or an old one, and what says none as if there were no quota any more.
        let lies = [Fault::Twice, Fault::Limits, Fault::ThrottledByWindow, Fault::Success, Fault::Replayed];
        // A request that is on its way for half a window is counted in one that nobody could have foreseen.
        let swift = self.delay <= 3_000;
        // By the minute, as the published limits are: that is what a client assumes that no answer has told.
        let usual = self.quota.is_none_or(|quota| quota.window == 60_000);
        // What a driver drops on its way to the server is counted there, but not by the client; and by a clock that has jumped
        // ahead a window is over that is not.
        swift
            && usual
            && self.jumps == 0
            && self.dropped == 0
            && self.stranger == 0
            && (self.faults == 0 || !lies.iter().any(|fault| self.kinds.contains(fault)))
    }

    /// Returns the time that is enough for an operation after the faults stop, or `None` if that exceeds
    /// its own time.
    pub(super) fn enough_time(&self) -> Option<i64> {
        // Every operation may have to let all the others go first, and one of a report sends some twenty requests. After a
        // stranger every second window is left to them.
        let requests = i64::try_from(self.slots * self.lives * 25).ok()?;
        let windows = self.quota.map_or(0, |q| (requests / i64::from(q.allowed) + 3) * 2 * q.window);
        let enough = windows + self.report + 250_000;
        (enough < 800_000).then_some(enough)
    }

    /// The policy of one operation.
    pub(super) fn policy(&self, rng: &mut Rng) -> Policy {
        let seed = rng.draw();
        let learned = learned::schedule(rng);
        if !self.odd {
            let polls = PollSchedule { adaptive: learned, ..PollSchedule::default() };
            return Policy { seed, poll: polls, ..Policy::default() };
        }
        let millis = |choices: &[u64], rng: &mut Rng| Duration::from_millis(rng.pick(choices));
        Policy {
            timeout: millis(&[0, 1, 1_999, 5_000, 60_000, 900_000, 3_600_000], rng),
            deadline: None,
            attempt_timeout: rng.permille(500).then(|| millis(&[0, 1, 100, 10_000, 300_000], rng)),
            max_body: rng.pick(&[0, 64, 4_096, 64 << 20]),
            poll: PollSchedule {
                growth_permille: rng.pick(&[0, 1_500, 100_000]),
                min_wait: millis(&[0, 2_000, 30_000], rng),
                max_wait: millis(&[0, 15_000, 200_000], rng),
                jitter_permille: rng.pick(&[0, 100, 1_000, 9_999]),
                adaptive: learned,
            },
            retry: RetrySchedule {
                initial_delay: millis(&[0, 500, 30_000], rng),
                factor: rng.pick(&[0, 1, 2, 1_000_000]),
                max_delay: millis(&[0, 1_000, 20_000], rng),
                max_retries: rng.pick(&[0, 1, 5, 12]),
            },
            max_decode_retries: rng.pick(&[0, 2, 4]),
            max_server_wait: millis(&[0, 1_000, 120_000, 3_600_000], rng),
            seed,
        }
    }
}
