//! The trace: what happened in a run, as the server and whoever drives the machines see it. Nothing in it is from the
//! inside of the client.

use std::fmt;
use std::rc::Rc;

use billing_core::machine::WaitReason;
use billing_core::{ErrorKind, Policy, TransportErrorKind};

/// Something that happened, at a time of the run in milliseconds since its start.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: i64,
    /// With which operation of the run.
    pub operation: usize,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum What {
    /// An operation is begun. All times are those of the run.
    Begins {
        /// Which sort it is.
        kind: Kind,
        /// The session that it is under, if any.
        session: Option<usize>,
        /// Its policy.
        policy: Rc<Policy>,
        /// When it has to be over.
        deadline: i64,
    },
    /// It sends a request.
    Sends(Request),
    /// The request is counted by the server's quota.
    Counts {
        /// Whether it is more than is allowed.
        over: bool,
    },
    /// It has its reply.
    Receives(Reply),
    /// It waits.
    Waits {
        /// Until when.
        until: i64,
        /// What for, as it says itself.
        why: WaitReason,
        /// The polls that it has counted.
        polls: u32,
    },
    /// It was saved, and goes on with its times moved by so much, under another session perhaps.
    Moves {
        /// The session that it is under from now on.
        session: Option<usize>,
        /// How its times look from here: so much later than they were.
        later: i64,
    },
    /// The clock of a session's process jumps, and with it all that goes by it: not this operation's alone.
    Jumps {
        /// The session.
        session: usize,
        /// How far it jumps ahead; less than nothing if it is set back.
        by: i64,
    },
    /// Its driver drops it.
    Dropped,
    /// The server forgets the session's tokens, or a stranger uses its quota: for whoever reads the trace.
    Meanwhile(&'static str),
    /// It has ended.
    Ends(Outcome),
    /// Something was rendered as text.
    Shows(&'static str, String),
}

/// The sorts of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A report that is polled for.
    Report,
    /// An overview: one exchange.
    Overview,
    /// A page of a list.
    List,
}

/// A request as it leaves the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where it goes.
    pub to: Origin,
    /// Stands for the method, the address, the body and all headers but `Authorization`.
    pub digest: u64,
    /// The text of `Authorization`.
    pub authorization: Option<Rc<str>>,
    /// How long it may take.
    pub timeout: i64,
    /// Whether its path and query are those of its operation and of what that asks for.
    pub fits: bool,
}

/// The origins that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// That of the API.
    Api,
    /// That of the login service.
    Login,
    /// Any other.
    Elsewhere,
}

/// What came back, as the client is given it.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status; `None` where there is no response.
    pub status: Option<u16>,
    /// Why there is none.
    pub failure: Option<TransportErrorKind>,
    /// What the body says.
    pub says: Says,
    /// Whether bytes were changed on the way, so that what the body says is in doubt.
    pub corrupted: bool,
    /// How long from now the server asks to wait.
    pub hint: Option<i64>,
    /// Of the rate-limit headers: in how long the window ends.
    pub window: Option<i64>,
    /// The correlation id.
    pub correlation: Option<Rc<str>>,
    /// The server's error code.
    pub code: Option<Rc<str>>,
    /// Its message.
    pub message: Option<Rc<str>>,
    /// Whether the body holds what no schema has: a new field or value, amounts that are odd or none.
    pub odd: bool,
    /// The length of the body.
    pub length: usize,
}

/// What a body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Says {
    /// Nothing that can be read.
    #[default]
    Nothing,
    /// The report is complete.
    Complete,
    /// It is not yet.
    InProgress,
    /// It has a status that nobody knows.
    Odd,
    /// Some other JSON object.
    Object,
    /// A page, and where it leads.
    Page(Next),
    /// A token, with its lifetime in milliseconds.
    Token(Rc<str>, Option<i64>),
}

/// Where a page leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is the last.
    End,
    /// To a page that was not there yet.
    On,
    /// Back to one that was, or to another host.
    Astray,
}

/// How an operation ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Well.
    Good {
        /// With a report that calls itself complete.
        complete: bool,
        /// With more to come.
        more: bool,
        /// With all that was odd in the answer.
        kept: bool,
    },
    /// With an error.
    Failed {
        /// Of this kind.
        kind: ErrorKind,
        /// That of the login.
        login: bool,
        /// The status in it.
        status: Option<u16>,
        /// The server's code in it.
        code: Option<Rc<str>>,
        /// The server's message in it.
        message: Option<Rc<str>>,
        /// The correlation id in it.
        correlation: Option<Rc<str>>,
        /// Its line for people.
        text: Rc<str>,
        /// The requests that it counts.
        attempts: u32,
        /// When to come back, as it says.
        retry_at: Option<i64>,
    },
}

/// What two runs are compared by: a number that stands for all events so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// Takes an event in. What a restored machine may have forgotten (how many requests it took, what the last answer
    /// said) is not part of it.
    pub fn take(&mut self, event: &Event) {
        let (sort, detail) = match &event.what {
            What::Begins { deadline, .. } => (1, deadline.unsigned_abs()),
            What::Sends(request) => (2, request.digest ^ text(request.authorization.as_deref())),
            What::Counts { over } => (3, u64::from(*over)),
            What::Receives(reply) => (4, u64::from(reply.status.unwrap_or_default())),
            What::Waits { until, polls, .. } => (5, until.unsigned_abs() ^ (u64::from(*polls) << 48)),
            // That it is saved and restored is what must not make a difference.
            What::Moves { .. } | What::Shows(..) => return,
            What::Jumps { session, by } => (12, *session as u64 ^ by.unsigned_abs().rotate_left(8)),
            What::Dropped => (6, 0),
            What::Meanwhile(what) => (7, text(Some(what))),
            What::Ends(Outcome::Good { complete, more, .. }) => {
                (8, u64::from(*complete) * 2 + u64::from(*more))
            }
            What::Ends(Outcome::Failed { kind: ErrorKind::DeadlineExceeded(_), .. }) => (9, 0),
            What::Ends(Outcome::Failed { kind: ErrorKind::Deferred(_), retry_at, .. }) => {
                (10, retry_at.unwrap_or_default().unsigned_abs())
            }
            What::Ends(Outcome::Failed { status, .. }) => (11, u64::from(status.unwrap_or_default())),
        };
        for word in [event.at.unsigned_abs(), event.operation as u64, sort, detail] {
            self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }
}

/// A number for a text.
pub(super) fn text(text: Option<&str>) -> u64 {
    bytes(text.unwrap_or_default().as_bytes())
}

pub(super) fn bytes(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9} ms  #{:<3} ", self.at, self.operation)?;
        match &self.what {
            What::Begins { kind, session, deadline, .. } => {
                write!(f, "begins: {kind:?} under session {session:?}, until {deadline}")
            }
            What::Sends(Request { to, authorization, timeout, .. }) => {
                write!(f, "sends to {to:?} with {authorization:?}, for {timeout} ms")
            }
            What::Counts { over } => {
                write!(f, "is counted by the server{}", if *over { ": too many" } else { "" })
            }
            What::Receives(reply) => write!(f, "receives {reply}"),
            What::Waits { until, why, polls } => write!(f, "waits until {until}: {why} (polls: {polls})"),
            What::Moves { session, later } => {
                write!(f, "is saved and restored: session {session:?}, {later:+} ms")
            }
            What::Jumps { session, by } => {
                write!(f, "meanwhile the clock of session {session} jumps {by:+} ms")
            }
            What::Dropped => f.write_str("is dropped"),
            What::Meanwhile(what) => write!(f, "meanwhile {what}"),
            What::Ends(outcome) => write!(f, "ends: {outcome:?}"),
            What::Shows(what, _) => write!(f, "shows its {what}"),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status, self.failure) {
            (Some(status), _) => write!(f, "{status} {:?}", self.says)?,
            (None, Some(failure)) => write!(f, "no response: {failure}")?,
            (None, None) => f.write_str("nothing")?,
        }
        if self.corrupted {
            f.write_str(", corrupted")?;
        }
        for (name, value) in [("hint", self.hint), ("window's end", self.window)] {
            if let Some(value) = value {
                write!(f, ", {name} in {value} ms")?;
            }
        }
        if let Some(id) = &self.correlation {
            write!(f, ", {id}")?;
        }
        Ok(())
    }
}
