//! The trace: the events of a run as the server and the drivers see them. It holds nothing from the inside
//! of the client.

use std::fmt;
use std::rc::Rc;

use billing_core::machine::WaitReason;
use billing_core::{ErrorKind, Policy, TransportErrorKind};

/// An event, with its time in milliseconds since the start of the run.
#[derive(Clone, Debug)]
pub struct Event {
    /// The time.
    pub at: i64,
    /// The index of the operation in the run.
    pub operation: usize,
    /// The event.
    pub what: What,
}

/// The kinds of events.
#[derive(Clone, Debug)]
pub enum What {
    /// An operation starts. All times are those of the run.
    Begins {
        /// The kind of the operation.
        kind: Kind,
        /// Its session, if it has one.
        session: Option<usize>,
        /// Its policy.
        policy: Rc<Policy>,
        /// Its deadline.
        deadline: i64,
    },
    /// The operation sends a request.
    Sends(Request),
    /// The server's quota counts the request.
    Counts {
        /// Set if the request exceeds the quota.
        over: bool,
    },
    /// The operation receives its reply.
    Receives(Reply),
    /// The operation waits.
    Waits {
        /// The end of the wait.
        until: i64,
        /// The reason that the machine reports.
        why: WaitReason,
        /// The number of polls it has counted.
        polls: u32,
    },
    /// The operation was saved and continues, with its times shifted and possibly in another session.
    Moves {
        /// Its session from now on.
        session: Option<usize>,
        /// The shift of its times, in milliseconds later.
        later: i64,
    },
    /// The clock of a session's process jumps, for all operations that use it.
    Jumps {
        /// The session.
        session: usize,
        /// The jump in milliseconds; negative if the clock is set back.
        by: i64,
    },
    /// The driver drops the operation.
    Dropped,
    /// The server forgets the session's tokens, or another client uses its quota. This is for readers of
    /// the trace.
    Meanwhile(&'static str),
    /// The operation ends.
    Ends(Outcome),
    /// A value was rendered as text.
    Shows(&'static str, String),
}

/// The kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A report that is polled.
    Report,
    /// An overview, which is one exchange.
    Overview,
    /// A page of a list.
    List,
}

/// A request as it leaves the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its destination.
    pub to: Origin,
    /// The digest of the method, address, body and all headers except `Authorization`.
    pub digest: u64,
    /// The value of `Authorization`.
    pub authorization: Option<Rc<str>>,
    /// Its timeout in milliseconds.
    pub timeout: i64,
    /// Set if its path and query match its operation and arguments.
    pub fits: bool,
}

/// The origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The API.
    Api,
    /// The login service.
    Login,
    /// Any other origin.
    Elsewhere,
}

/// A reply as the client receives it.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status, or `None` without a response.
    pub status: Option<u16>,
    /// The reason for a missing response.
    pub failure: Option<TransportErrorKind>,
    /// The meaning of the body.
    pub says: Says,
    /// Set if bytes were changed in transit, so that the meaning of the body is in doubt.
    pub corrupted: bool,
    /// The wait that the server asks for, in milliseconds.
    pub hint: Option<i64>,
    /// The time until the window ends, from the rate-limit headers.
    pub window: Option<i64>,
    /// The correlation id.
    pub correlation: Option<Rc<str>>,
    /// The server's error code.
    pub code: Option<Rc<str>>,
    /// The server's error message.
    pub message: Option<Rc<str>>,
    /// Set if the body holds data outside the schema: a new field or value, or unusual or invalid amounts.
    pub odd: bool,
    /// The length of the body.
    pub length: usize,
}

/// The meaning of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Says {
    /// A body that cannot be decoded.
    #[default]
    Nothing,
    /// A complete report.
    Complete,
    /// A report in progress.
    InProgress,
    /// A report with an unknown status.
    Odd,
    /// Some other JSON object.
    Object,
    /// A page with its next link.
    Page(Next),
    /// A token, with its lifetime in milliseconds.
    Token(Rc<str>, Option<i64>),
}

/// The target of a page's next link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The page is the last.
    End,
    /// A page that was not read yet.
    On,
    /// A page that was already read, or another host.
    Astray,
}

/// The end of an operation.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Success.
    Good {
        /// Set if the report says that it is complete.
        complete: bool,
        /// Set if more pages follow.
        more: bool,
        /// Set if the unusual data of the answer was kept.
        kept: bool,
    },
    /// An error.
    Failed {
        /// The kind of the error.
        kind: ErrorKind,
        /// Set if the login failed.
        login: bool,
        /// The status in the error.
        status: Option<u16>,
        /// The server's error code in the error.
        code: Option<Rc<str>>,
        /// The server's message in the error.
        message: Option<Rc<str>>,
        /// The correlation id in the error.
        correlation: Option<Rc<str>>,
        /// The message of the error for users.
        text: Rc<str>,
        /// The number of requests that the error reports.
        attempts: u32,
        /// The time at which to retry, as the error reports.
        retry_at: Option<i64>,
    },
}

/// A digest of all events so far, used to compare two runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// Adds an event. The digest omits what a restored machine may have forgotten: its number of requests
    /// and the content of the last answer.
    pub fn take(&mut self, event: &Event) {
        let (sort, detail) = match &event.what {
            What::Begins { deadline, .. } => (1, deadline.unsigned_abs()),
            What::Sends(request) => (2, request.digest ^ text(request.authorization.as_deref())),
            What::Counts { over } => (3, u64::from(*over)),
            What::Receives(reply) => (4, u64::from(reply.status.unwrap_or_default())),
            What::Waits { until, polls, .. } => (5, until.unsigned_abs() ^ (u64::from(*polls) << 48)),
            // Saving and restoring must make no difference, so it is not part of the digest.
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

/// Returns a hash of a text.
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
