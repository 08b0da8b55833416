//! The log of requests and their outcomes.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use http::Method;

use super::SimulatedResponse;
use crate::TransportErrorKind;

/// A request. The entry contains no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEntry {
    /// The time of the request.
    pub received_at: DateTime<Utc>,
    /// The method.
    pub method: Method,
    /// The path and query, unchanged.
    pub path_and_query: String,
    /// The number of its token, counted from 1 in the order of issue; the token may be expired. `None` without a token, or with a
    /// token that was never issued.
    pub token_number: Option<usize>,
    /// The outcome.
    pub outcome: LoggedOutcome,
}

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoggedOutcome {
    /// A complete response with this status.
    Status(u16),
    /// A response with this status and half of its body.
    Truncated(u16),
    /// The connection closed.
    Reset,
    /// No answer.
    NoResponse,
    /// A failure on the client's side.
    TransportError(TransportErrorKind),
}

impl LoggedOutcome {
    pub(super) fn from_response(answer: &SimulatedResponse) -> Self {
        match answer {
            SimulatedResponse::Response(response) => Self::Status(response.status().as_u16()),
            SimulatedResponse::Truncated(response, _) => Self::Truncated(response.status().as_u16()),
            SimulatedResponse::Reset => Self::Reset,
            SimulatedResponse::NoResponse => Self::NoResponse,
            SimulatedResponse::TransportError(kind) => Self::TransportError(*kind),
        }
    }
}

impl fmt::Display for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.received_at.to_rfc3339_opts(SecondsFormat::Millis, true);
        write!(f, "{at} {} {}, ", self.method, self.path_and_query)?;
        match self.token_number {
            Some(token) => write!(f, "token {token}")?,
            None => f.write_str("without a token")?,
        }
        write!(f, ": {}", self.outcome)
    }
}

impl fmt::Display for LoggedOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Truncated(status) => write!(f, "{status}, cut short"),
            Self::Reset => f.write_str("connection lost"),
            Self::NoResponse => f.write_str("no answer"),
            Self::TransportError(kind) => write!(f, "{kind}"),
        }
    }
}
