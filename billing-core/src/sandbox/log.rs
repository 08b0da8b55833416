//! The log: what came, and what became of it.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use http::Method;

use super::Answer;
use crate::TransportErrorKind;

/// One request that came. Nothing in it is a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Logged {
    /// When it came.
    pub at: DateTime<Utc>,
    /// Its method.
    pub method: Method,
    /// Its path and query, as they came.
    pub path: String,
    /// The number of the token that it came with, counted from 1 as they were issued; a token that is no longer good
    /// included. `None` without a token, or with one that was never issued.
    pub token: Option<usize>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A whole response with this status.
    Status(u16),
    /// A response with this status and half of its body.
    Truncated(u16),
    /// The connection was lost.
    Reset,
    /// No answer.
    Silence,
    /// A failure on the client's side.
    Failed(TransportErrorKind),
}

impl Outcome {
    pub(super) fn of(answer: &Answer) -> Self {
        match answer {
            Answer::Respond(response) => Self::Status(response.status().as_u16()),
            Answer::Truncated(response, _) => Self::Truncated(response.status().as_u16()),
            Answer::Reset => Self::Reset,
            Answer::Silence => Self::Silence,
            Answer::Failed(kind) => Self::Failed(*kind),
        }
    }
}

impl fmt::Display for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.to_rfc3339_opts(SecondsFormat::Millis, true);
        write!(f, "{at} {} {}, ", self.method, self.path)?;
        match self.token {
            Some(token) => write!(f, "token {token}")?,
            None => f.write_str("without a token")?,
        }
        write!(f, ": {}", self.outcome)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Truncated(status) => write!(f, "{status}, cut short"),
            Self::Reset => f.write_str("connection lost"),
            Self::Silence => f.write_str("no answer"),
            Self::Failed(kind) => write!(f, "{kind}"),
        }
    }
}
