//! The checker: what must hold in every run, whatever goes wrong in it.
//!
//! It sees what the server sees and what machines yield, one event after the other, and knows the rules and the decision
//! table of the design by its own reading of them ([`table`]). It knows nothing of how the client does it.

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

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule that is broken: its number in the design, or a name.
    pub rule: &'static str,
    /// How.
    pub text: String,
}

/// What the checker has to know of a run beforehand.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Of each session, whether it can log in.
    pub renewable: Vec<bool>,
    /// Whether no one else uses the quotas, so that nothing may be refused by them.
    pub alone: bool,
    /// From when on no fault strikes, and how much time is enough then.
    pub calm: Option<(i64, i64)>,
    /// How late a wake may come.
    pub late: i64,
    /// Texts that are in no rendering.
    pub secrets: Vec<String>,
}

/// How often it looked at what does not come up in every run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Looks {
    /// Ends of operations that had time enough without faults.
    pub calm: u64,
    /// Requests that the server counted for us alone.
    pub alone: u64,
}

/// Watches one run.
#[derive(Debug)]
pub struct Checker {
    terms: Terms,
    looks: Looks,
    operations: Vec<Operation>,
    sessions: Vec<Session>,
}

impl Checker {
    /// A checker of a run on these terms.
    pub fn new(terms: Terms) -> Self {
        let sessions = terms.renewable.iter().map(|renewable| Session::new(*renewable)).collect();
        Self { terms, looks: Looks::default(), operations: Vec::new(), sessions }
    }

    /// How often it looked at what is rare.
    pub fn looks(&self) -> Looks {
        self.looks
    }

    /// Text that is in no rendering from now on.
    pub fn secret(&mut self, text: &str) {
        if !self.terms.secrets.iter().any(|secret| text.contains(secret)) {
            self.terms.secrets.push(text.to_owned());
        }
    }

    /// Takes the next event in.
    ///
    /// # Errors
    /// When it must not be.
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
        // It is not asked about a failure to log in that its operation's deadline has brought about.
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

    /// The run is over.
    ///
    /// # Errors
    /// When an operation has no outcome.
    pub fn finish(&self) -> Result<(), Violation> {
        let open = self.operations.iter().position(|operation| operation.phase != Phase::Over);
        ensure(open.is_none(), "D2", || format!("operation {open:?} has no outcome"))
    }

    /// Rule D9.
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
