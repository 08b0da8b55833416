//! What a session answers to a request that wants to go out, and what it makes of the reply.

use std::fmt;

use chrono::{DateTime, Utc};

use super::quota::Ticket;
use crate::Error;
use crate::calls::Bearer;
use crate::machine::{Hold, NotBefore, Request};

/// What a session says to a request.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Send it, with this.
    Go(Permit),
    /// Send this login first, and bring its reply under this number.
    LogIn(Box<Request>, u64),
    /// Somebody is logging in: ask again when the session's revision changes, at the latest then.
    AwaitLogin { until: DateTime<Utc> },
    /// Ask again then.
    Hold(Hold),
    /// Give up.
    Refuse(Error),
}

/// The right to send one request.
pub(crate) struct Permit {
    pub(super) generation: u64,
    pub(super) ticket: Ticket,
    pub(crate) bearer: Bearer,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// What a session makes of a reply.
#[derive(Debug)]
pub(crate) enum ReplyOutcome {
    /// It is the machine's. After a 429: not before this time.
    Deliver { not_before: Option<NotBefore> },
    /// A 401 with a token that has been replaced since: the same request again.
    Resend,
    /// A 401 with the current token, which is the current one no longer: the same request again, after a login.
    LogInAndResend,
}
