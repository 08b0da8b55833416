//! How far an operation has come, while it is not yet at its end.

use std::fmt;

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::model::ReportStatus;
use crate::{Operation, TransportErrorKind};

/// How far a machine has come and what it waits for. A snapshot: it holds nothing of the answer and no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The operation.
    pub operation: Operation,
    /// Requests sent so far, repeats after a failure included.
    pub requests: u32,
    /// Answers so far that said that the report is still being made; 0 for operations that are not polled.
    pub pending_answers: u32,
    /// What it waits for.
    pub wait_reason: WaitReason,
    /// When it will go on.
    pub wake_at: Option<DateTime<Utc>>,
    /// Why then.
    pub wake_reason: WakeReason,
    /// When it began.
    pub started: Option<DateTime<Utc>>,
    /// When it gives up.
    pub deadline: Option<DateTime<Utc>>,
}

impl Progress {
    /// What it waits for, when it will go on and why then, in a sentence.
    pub fn explain(&self) -> String {
        match self.wake_at {
            Some(until) => {
                format!(
                    "{}; again at {} UTC, {}",
                    self.wait_reason,
                    until.format("%H:%M:%S"),
                    self.wake_reason
                )
            }
            None => self.wait_reason.to_string(),
        }
    }
}

/// Why an operation goes on when it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WakeReason {
    /// Nothing is in the way.
    Immediate,
    /// The schedule as it is configured.
    Schedule,
    /// The schedule that was learned.
    Adaptive {
        /// From how many reports.
        reports: u32,
    },
    /// The schedule as it is configured, because what was learned would be past the deadline.
    ScheduleForDeadline,
    /// A wait after a failure, which grows from one to the next.
    Backoff,
    /// The server said so.
    ServerHint,
    /// The session says so, for all that share the token.
    Session,
}

/// Why nothing is being sent at the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WaitReason {
    /// It has not begun.
    NotStarted,
    /// The server is still making the report. The status is as the server named it, a new one included; `None` where it
    /// answered 202.
    ReportPending(Option<ReportStatus>),
    /// A failure that usually passes; the same request will be sent again.
    Retry(RetryCause),
    /// The server answered 429: no request with this token may go out yet.
    Throttled,
    /// Everything that the quota allows in this window is used.
    QuotaExhausted,
    /// The server announces no quota, so that requests are spaced.
    Spacing,
    /// A login is under way, or the login service has asked for patience.
    Login,
}

/// What went wrong in an attempt that is going to be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RetryCause {
    /// The server answered with this status.
    Status(u16),
    /// The answer could not be read.
    Undecodable,
    /// There was no answer.
    Transport(String),
}

impl RetryCause {
    pub(crate) fn from_status(status: StatusCode) -> Self {
        Self::Status(status.as_u16())
    }

    pub(crate) fn from_transport(kind: TransportErrorKind) -> Self {
        Self::Transport(kind.to_string())
    }
}

impl fmt::Display for WakeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Immediate => f.write_str("as nothing is in the way"),
            Self::Schedule => f.write_str("by the usual schedule"),
            Self::Adaptive { reports: 1 } => f.write_str("as learned from the one report before"),
            Self::Adaptive { reports } => write!(f, "as learned from {reports} reports before"),
            Self::ScheduleForDeadline => {
                f.write_str("by the usual schedule, because the learned one would miss the deadline")
            }
            Self::Backoff => f.write_str("after a wait that grows from failure to failure"),
            Self::ServerHint => f.write_str("because the server asks for it"),
            Self::Session => f.write_str("when the token may be used again"),
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("about to start"),
            Self::ReportPending(None) => f.write_str("the report is still being made"),
            Self::ReportPending(Some(ReportStatus::InProgress)) => {
                f.write_str("the report is still being made (InProgress)")
            }
            Self::ReportPending(Some(status)) => {
                write!(f, "the report is in a state that is new to us: {status}")
            }
            Self::Retry(RetryCause::Status(status)) => {
                write!(f, "the server answered {status}; trying again")
            }
            Self::Retry(RetryCause::Undecodable) => f.write_str("the answer could not be read; trying again"),
            Self::Retry(RetryCause::Transport(what)) => write!(f, "{what}; trying again"),
            Self::Throttled => f.write_str("the server asks for fewer requests (429)"),
            Self::QuotaExhausted => f.write_str("the quota of this window is used up"),
            Self::Spacing => f.write_str("spacing the requests, as the server announces no quota"),
            Self::Login => f.write_str("waiting for the login"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wait_reason_has_its_own_message() {
        let all = [
            WaitReason::NotStarted,
            WaitReason::ReportPending(None),
            WaitReason::ReportPending(Some(ReportStatus::InProgress)),
            WaitReason::ReportPending(Some("Paused".into())),
            WaitReason::Retry(RetryCause::from_status(StatusCode::BAD_GATEWAY)),
            WaitReason::Retry(RetryCause::Undecodable),
            WaitReason::Retry(RetryCause::from_transport(TransportErrorKind::Reset)),
            WaitReason::Throttled,
            WaitReason::QuotaExhausted,
            WaitReason::Spacing,
            WaitReason::Login,
        ];
        let mut words: Vec<_> = all.iter().map(ToString::to_string).collect();
        for (at, named) in [(3, "Paused"), (4, "502"), (6, "connection was lost"), (7, "429")] {
            assert!(words[at].contains(named), "{}", words[at]);
        }
        words.sort();
        words.dedup();
        assert_eq!(words.len(), all.len());
    }
}
