//! The decision table, in the checker's own implementation.

use billing_core::{DecodeError, ErrorKind, TransportErrorKind};

use super::super::trace::{Kind, Next, Reply, Says};

/// The decision of the table for an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Judged {
    /// The requested data.
    Good,
    /// A report that is in progress.
    InProgress,
    /// A report with an unknown status.
    Odd,
    /// An answer that cannot be decoded.
    Unreadable,
    /// A transient failure, or this error after too many.
    Transient(ErrorKind),
    /// A 429.
    Throttled,
    /// A 401.
    Unauthorized,
    /// A permanent error.
    Final(ErrorKind),
    /// An answer with damaged bytes, which may be good or undecodable.
    Doubtful,
}

pub(super) fn judge(kind: Kind, reply: &Reply) -> Judged {
    let Some(status) = reply.status else {
        return match reply.failure {
            Some(TransportErrorKind::Truncated) => Judged::Unreadable,
            Some(
                failure @ (TransportErrorKind::Tls
                | TransportErrorKind::InvalidRequest
                | TransportErrorKind::TooLarge { .. }),
            ) => Judged::Final(ErrorKind::Transport(failure)),
            Some(failure) => Judged::Transient(ErrorKind::Transport(failure)),
            None => Judged::Doubtful,
        };
    };
    match (status, &reply.says) {
        (200, _) if reply.corrupted => Judged::Doubtful,
        (200, Says::Complete) if kind == Kind::Report => Judged::Good,
        (200, Says::InProgress) if kind == Kind::Report => Judged::InProgress,
        (200, Says::Odd) if kind == Kind::Report => Judged::Odd,
        (200, Says::Object) if kind == Kind::Overview => Judged::Good,
        (200, Says::Page(Next::Astray)) => Judged::Final(ErrorKind::BadLink("")),
        (200, Says::Page(_)) => Judged::Good,
        (200, _) => Judged::Unreadable,
        (202, _) if kind == Kind::Report => Judged::InProgress,
        (401, _) => Judged::Unauthorized,
        (403, _) => Judged::Final(ErrorKind::Forbidden),
        (404, _) => Judged::Final(ErrorKind::NotFound),
        (408 | 425 | 500 | 502 | 503 | 504, _) => Judged::Transient(ErrorKind::Server),
        (429, _) => Judged::Throttled,
        (400..500, _) => Judged::Final(ErrorKind::Rejected),
        (500..600, _) => Judged::Final(ErrorKind::Server),
        _ => Judged::Final(ErrorKind::UnexpectedStatus),
    }
}

/// Returns true if two errors are equal for the table, which ignores the details of a decoding error.
pub(super) fn alike(a: &ErrorKind, b: &ErrorKind) -> bool {
    match (a, b) {
        (ErrorKind::Decode(_), ErrorKind::Decode(_)) | (ErrorKind::BadLink(_), ErrorKind::BadLink(_)) => true,
        _ => a == b,
    }
}

pub(super) fn undecodable() -> ErrorKind {
    ErrorKind::Decode(DecodeError::new("", ""))
}
