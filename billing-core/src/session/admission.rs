//! The session's decision on a request that wants to be sent, and on its reply.

use std::fmt;

use chrono::{DateTime, Utc};

use super::quota::Ticket;
use crate::Error;
use crate::calls::Bearer;
use crate::machine::{Hold, NotBefore, Request};

/// The decision of a session on a request that wants to be sent.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Send the request with the permit's token.
    Go(Permit),
    /// Send this login first and report its reply under this number.
    LogIn(Box<Request>, u64),
    /// Another caller is logging in. Ask again when the session's revision changes, or at `until` at the
    /// latest.
    AwaitLogin { until: DateTime<Utc> },
    /// Ask again at the time of the hold.
    Hold(Hold),
    /// Fail with this error.
    Refuse(Error),
}

/// The permission to send one request, with the token to send.
pub(crate) struct Permit {
    pub(super) generation: u64,
    pub(super) ticket: Ticket,
    pub(crate) bearer: Bearer,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// The decision of a session on a reply.
#[derive(Debug)]
pub(crate) enum ReplyOutcome {
    /// Hand the reply to the machine. After a 429, `not_before` is the earliest time of the next request.
    Deliver { not_before: Option<NotBefore> },
    /// Send the same request again: the 401 was for a token that has been replaced since.
    Resend,
    /// Log in, then send the same request again: the 401 was for the current token, which the session has
    /// dropped.
    LogInAndResend,
}
