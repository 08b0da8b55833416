//! The progress of an operation that has not ended.

use std::fmt;

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::model::ReportStatus;
use crate::{Operation, TransportErrorKind};

/// A snapshot of the progress of a machine. It contains no part of an answer and no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The operation.
    pub operation: Operation,
    /// The number of requests sent so far, including retries.
    pub requests: u32,
    /// The number of answers so far that said `InProgress`; 0 for operations that are not polled.
    pub pending_answers: u32,
    /// The reason why it waits.
    pub wait_reason: WaitReason,
    /// The time at which it continues.
    pub wake_at: Option<DateTime<Utc>>,
    /// The reason for that time.
    pub wake_reason: WakeReason,
    /// The time of its first step.
    pub started: Option<DateTime<Utc>>,
    /// The time at which it gives up.
    pub deadline: Option<DateTime<Utc>>,
}

impl Progress {
    /// Returns one sentence with the reason for the wait, the time at which the machine continues, and the reason for that time.
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

/// The reason for the time at which an operation continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WakeReason {
    /// It continues at once.
    Immediate,
    /// The configured schedule.
    Schedule,
    /// The adaptive schedule.
    Adaptive {
        /// The number of reports that it was computed from.
        reports: u32,
    },
    /// The configured schedule, because the adaptive one would miss the deadline.
    ScheduleForDeadline,
    /// The backoff after a failure.
    Backoff,
    /// The server named the time.
    ServerHint,
    /// The session named the time, for all operations that share its token.
    Session,
}

/// The reason why an operation waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WaitReason {
    /// The operation has not started.
    NotStarted,
    /// The server is still building the report. The value is the status as the server sent it, unknown ones included; `None` if
    /// it answered 202.
    ReportPending(Option<ReportStatus>),
    /// A transient failure; the same request will be sent again.
    Retry(RetryCause),
    /// The server answered 429: no request with this token may go out yet.
    Throttled,
    /// The rate limit of the current window is used up.
    QuotaExhausted,
    /// The server sends no rate-limit headers, so requests are spaced.
    Spacing,
    /// A login is in flight, or the login service asked to wait.
    Login,
}

/// The failure of an attempt that will be retried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RetryCause {
    /// The server answered with this status.
    Status(u16),
    /// The answer could not be decoded.
    Undecodable,
    /// No answer arrived.
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
