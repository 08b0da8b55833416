//! Counts of the events of runs, which show that a run covered something.

use std::collections::BTreeMap;
use std::fmt;

use super::fault::Fault;
use super::trace::{Outcome, What};

/// Counts over one or many runs.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The number of runs.
    pub runs: u64,
    /// The number of operations started.
    pub operations: u64,
    /// The number of requests, logins included.
    pub requests: u64,
    /// The virtual time in milliseconds.
    pub virtual_time: u64,
    /// The number of other events, by name.
    pub counts: BTreeMap<&'static str, u64>,
    /// The number of faults, by kind.
    pub faults: BTreeMap<String, u64>,
    /// The number of outcomes, by kind.
    pub outcomes: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Adds another tally.
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.operations += other.operations;
        self.requests += other.requests;
        self.virtual_time += other.virtual_time;
        let sum = |to: &mut BTreeMap<_, u64>, from: &BTreeMap<&'static str, u64>| {
            from.iter().for_each(|(name, n)| *to.entry(*name).or_default() += n);
        };
        sum(&mut self.counts, &other.counts);
        sum(&mut self.outcomes, &other.outcomes);
        for (name, n) in &other.faults {
            *self.faults.entry(name.clone()).or_default() += n;
        }
    }

    pub(super) fn note(&mut self, what: &'static str, n: u64) {
        *self.counts.entry(what).or_default() += n;
    }

    /// Adds the count of an event from another variation of the run.
    pub fn adopt(&mut self, other: &Self, what: &'static str) {
        self.note(what, other.of(what));
    }

    /// Returns the count of an event by its name.
    pub fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }

    pub(super) fn strike(&mut self, fault: Fault) {
        *self.faults.entry(format!("{fault:?}")).or_default() += 1;
    }

    pub(super) fn count(&mut self, what: &What) {
        let mut count = |name| *self.counts.entry(name).or_default() += 1;
        match what {
            What::Begins { .. } => self.operations += 1,
            What::Sends(request) => {
                self.requests += 1;
                if request.to == super::trace::Origin::Login {
                    count("logins");
                }
            }
            What::Counts { over: true } => count("refused by the server's quota"),
            What::Moves { later: 0, .. } => count("saved and restored in place"),
            What::Moves { .. } => count("moved to another clock"),
            What::Jumps { by: 0.., .. } => count("clocks that jumped ahead"),
            What::Jumps { .. } => count("clocks that were set back"),
            What::Dropped => *self.outcomes.entry("dropped by the driver").or_default() += 1,
            What::Shows(..) => count("renderings searched for secrets"),
            What::Receives(reply) if reply.status == Some(401) => count("401s"),
            What::Receives(reply) if reply.status == Some(429) => count("429s"),
            What::Ends(outcome) => *self.outcomes.entry(name(outcome)).or_default() += 1,
            _ => {}
        }
    }
}

fn name(outcome: &Outcome) -> &'static str {
    use billing_core::ErrorKind as Kind;
    match outcome {
        Outcome::Good { .. } => "good",
        Outcome::Failed { login: true, kind: Kind::LoginRefused, .. } => "login refused",
        Outcome::Failed { login: true, .. } => "login given up",
        Outcome::Failed { kind, .. } => match kind {
            Kind::Unauthorized => "unauthorized",
            Kind::Forbidden => "forbidden",
            Kind::NotFound => "not found",
            Kind::Rejected => "rejected",
            Kind::InvalidRequest(_) => "unsendable",
            Kind::Server => "server",
            Kind::UnexpectedStatus => "protocol",
            Kind::Decode(_) => "decode",
            Kind::BadLink(_) => "astray",
            Kind::UnknownStatus(_) => "unknown status",
            Kind::Transport(_) => "transport",
            Kind::DeadlineExceeded(_) => "deadline",
            Kind::Deferred(_) => "deferred",
            _ => "other",
        },
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.virtual_time / 86_400_000;
        writeln!(
            f,
            "{} operations with {} requests in {} runs, {days} days of virtual time",
            self.operations, self.requests, self.runs
        )?;
        let list = |f: &mut fmt::Formatter<'_>, what: &str, counts: &mut dyn Iterator<Item = String>| {
            writeln!(f, "{what}: {}", counts.collect::<Vec<_>>().join(", "))
        };
        list(f, "outcomes", &mut self.outcomes.iter().map(|(name, n)| format!("{name} {n}")))?;
        list(f, "faults", &mut self.faults.iter().map(|(name, n)| format!("{name} {n}")))?;
        list(f, "beside", &mut self.counts.iter().map(|(name, n)| format!("{name} {n}")))
    }
}
