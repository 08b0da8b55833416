//! Progress of a running operation.

use std::fmt;

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::model::ReportStatus;
use crate::{Operation, TransportErrorKind};

/// A snapshot of a running machine. It holds no secret, and no response data except an unknown report status.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The operation.
    pub operation: Operation,
    /// The number of requests sent, retries included.
    pub requests: u32,
    /// The number of responses that reported the report as not complete; 0 for operations that are not
    /// polled.
    pub pending_answers: u32,
    /// The reason for the current wait.
    pub wait_reason: WaitReason,
    /// The end of the current wait.
    pub wake_at: Option<DateTime<Utc>>,
    /// The reason for the time in `wake_at`.
    pub wake_reason: WakeReason,
    /// The time of the first step.
    pub started: Option<DateTime<Utc>>,
    /// The deadline of the operation.
    pub deadline: Option<DateTime<Utc>>,
}

impl Progress {
    /// Returns a sentence with the reason for the wait, its end and the reason for that time.
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

/// The rule that determined the end of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WakeReason {
    /// No wait is needed.
    Immediate,
    /// The configured schedule.
    Schedule,
    /// The schedule learned from earlier reports.
    Adaptive {
        /// The number of reports that it was learned from.
        reports: u32,
    },
    /// The configured schedule, because the adaptive one would miss the deadline.
    ScheduleForDeadline,
    /// The backoff after a failure.
    Backoff,
    /// The server's `Retry-After`.
    ServerHint,
    /// The session's limits, for all operations that share the token.
    Session,
}

/// The reason for a wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WaitReason {
    /// The operation has not begun.
    NotStarted,
    /// The report is not complete. The value is the status from the server, which may be unknown to this
    /// crate; `None` after a 202.
    ReportPending(Option<ReportStatus>),
    /// A retry of the same request, after a transient failure or a response that could not be parsed.
    Retry(RetryCause),
    /// A 429 from the server: no request with this token may be sent yet.
    Throttled,
    /// The quota of the current window is used up.
    QuotaExhausted,
    /// The spacing of requests, because the server announces no quota.
    Spacing,
    /// A login in progress, or a wait that the login service asked for.
    Login,
}

/// The cause of a retry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RetryCause {
    /// A response with this status.
    Status(u16),
    /// A response that could not be parsed.
    Undecodable,
    /// A transport error, with its message.
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
            Self::Immediate => f.write_str("because no wait is needed"),
            Self::Schedule => f.write_str("by the usual schedule"),
            Self::Adaptive { reports: 1 } => f.write_str("as learned from the one report before"),
            Self::Adaptive { reports } => write!(f, "as learned from {reports} reports before"),
            Self::ScheduleForDeadline => {
                f.write_str("by the usual schedule, because the learned one would miss the deadline")
            }
            Self::Backoff => f.write_str("after a wait that grows with each failure"),
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
                write!(f, "the report has the unknown status {status}")
            }
            Self::Retry(RetryCause::Status(status)) => {
                write!(f, "the server answered {status}; trying again")
            }
            Self::Retry(RetryCause::Undecodable) => f.write_str("the answer could not be read; trying again"),
            Self::Retry(RetryCause::Transport(what)) => write!(f, "{what}; trying again"),
            Self::Throttled => f.write_str("the server asks for fewer requests (429)"),
            Self::QuotaExhausted => f.write_str("the quota of this window is used up"),
            Self::Spacing => f.write_str("spacing the requests, because the server announces no quota"),
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
