//! The checker: rules that hold in every run, whatever faults occur.
//!
//! It receives the requests that the server sees and the steps that machines yield, one event at a time. It
//! has its own implementation of the design rules and the decision table ([`table`]) and shares no logic
//! with the client.

mod errors;
mod jumps;
mod operation;
mod patience;
mod sessions;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::rc::Rc;

use billing_core::machine::WaitReason;
use billing_core::{ErrorKind, Policy};

use super::trace::{Event, Kind, Origin, Outcome, Reply, Request, What};
use operation::{Expect, Operation, Phase};
use sessions::Session;

/// A violation of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The violated rule: its number in the design rules, or a name.
    pub rule: &'static str,
    /// The description of the violation.
    pub text: String,
}

/// The facts about a run that the checker needs in advance.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// For each session, true if it can log in.
    pub renewable: Vec<bool>,
    /// Set if no other client uses the quotas, so that the quota may refuse nothing.
    pub alone: bool,
    /// The time from which no fault occurs, and the time that is then enough for any operation.
    pub calm: Option<(i64, i64)>,
    /// The longest delay of a wake-up, in milliseconds.
    pub late: i64,
    /// Secret texts that no rendering may contain.
    pub secrets: Vec<String>,
}

/// Counts of checks that do not occur in every run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Looks {
    /// The number of operations that ended after enough time without faults.
    pub calm: u64,
    /// The number of requests counted by a quota that no other client uses.
    pub alone: u64,
}

/// The checker of one run.
#[derive(Debug)]
pub struct Checker {
    terms: Terms,
    looks: Looks,
    operations: Vec<Operation>,
    sessions: Vec<Session>,
}

impl Checker {
    /// Creates a checker for a run with these terms.
    pub fn new(terms: Terms) -> Self {
        let sessions = terms.renewable.iter().map(|renewable| Session::new(*renewable)).collect();
        Self { terms, looks: Looks::default(), operations: Vec::new(), sessions }
    }

    /// Returns the counts of the rare checks.
    pub fn looks(&self) -> Looks {
        self.looks
    }

    /// Adds a secret text that no later rendering may contain.
    pub fn secret(&mut self, text: &str) {
        if !self.terms.secrets.iter().any(|secret| text.contains(secret)) {
            self.terms.secrets.push(text.to_owned());
        }
    }

    /// Checks the next event.
    ///
    /// # Errors
    /// Returns the violation if the event breaks a rule.
    pub fn see(&mut self, event: &Event) -> Result<(), Violation> {
        let Event { at, operation: number, what } = event;
        let (at, number) = (*at, *number);
        match what {
            What::Begins { kind, session, policy, deadline } => {
                ensure(number == self.operations.len(), "D2", || {
                    "operations are numbered in order".to_owned()
                })?;
                self.operations.push(Operation::new(*kind, *session, policy.clone(), at, *deadline));
                return Ok(());
            }
            What::Shows(what, text) => return self.shows(what, text),
            What::Meanwhile(_) => return Ok(()),
            What::Jumps { session, by } => {
                self.jumps(*session, *by, at);
                return Ok(());
            }
            _ => {}
        }
        let Some(operation) = self.operations.get_mut(number) else {
            return Err(Violation { rule: "D2", text: "an operation that was not begun".to_owned() });
        };
        ensure(operation.phase != Phase::Over, "D2", || format!("something comes after the end: {what:?}"))?;
        let mut session = operation.session.and_then(|number| self.sessions.get_mut(number));
        // The session does not read its clock for a login failure that was caused by the deadline of the
        // operation.
        let looks = matches!(what, What::Sends(_) | What::Receives(Reply { failure: None, .. }));
        if let Some(session) = session.as_deref_mut().filter(|_| looks) {
            session.looks(at);
        }
        match what {
            What::Sends(request) => {
                operation.sends(request, session.as_deref(), at)?;
                match (request.to, session) {
                    (Origin::Login, Some(session)) => session.login_begins(number, request, at),
                    (Origin::Login, None) => {
                        Err(Violation { rule: "D6", text: "a login of nobody".to_owned() })
                    }
                    (_, Some(session)) => session.call_begins(request, at),
                    (_, None) => Ok(()),
                }
            }
            What::Counts { over } => match &operation.phase {
                Phase::Out { told: true, .. } if self.terms.alone => {
                    self.looks.alone += 1;
                    ensure(!*over, "alone", || {
                        "the server counts more than it allows, though nobody else uses the token".to_owned()
                    })
                }
                _ => Ok(()),
            },
            What::Receives(reply) => operation.receives(reply, session.as_deref_mut(), number, at),
            What::Waits { until, why, polls } => operation.waits(*until, why, *polls, session.as_deref(), at),
            What::Moves { session, later } => {
                operation.moves(*session, *later, at);
                Ok(())
            }
            What::Dropped => {
                if let Some(session) = session {
                    session.dropped(number);
                }
                operation.phase = Phase::Over;
                Ok(())
            }
            What::Ends(outcome) => {
                self.looks.calm += u64::from(operation.has_calm(&self.terms, at));
                operation.ends(outcome, session.as_deref(), &self.terms, at)?;
                if let (Some(session), Outcome::Failed { kind, login: true, .. }) = (session, outcome) {
                    session.is_given_up_as(kind);
                }
                Ok(())
            }
            What::Begins { .. } | What::Shows(..) | What::Meanwhile(_) | What::Jumps { .. } => Ok(()),
        }
    }

    /// Ends the run.
    ///
    /// # Errors
    /// Returns a violation if an operation has no outcome.
    pub fn finish(&self) -> Result<(), Violation> {
        let open = self.operations.iter().position(|operation| operation.phase != Phase::Over);
        ensure(open.is_none(), "D2", || format!("operation {open:?} has no outcome"))
    }

    /// Checks rule D9: a rendering contains no secret.
    fn shows(&self, what: &str, text: &str) -> Result<(), Violation> {
        let found = self.terms.secrets.iter().find(|secret| text.contains(*secret));
        ensure(found.is_none(), "D9", || format!("a secret is in {what}: {text}"))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}: {}", self.rule, self.text)
    }
}

impl std::error::Error for Violation {}

fn ensure(holds: bool, rule: &'static str, text: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { rule, text: text() }) }
}
