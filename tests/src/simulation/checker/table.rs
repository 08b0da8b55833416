//! The decision table, read anew.

use billing_core::{DecodeError, ErrorKind, TransportErrorKind};

use super::super::trace::{Kind, Next, Reply, Says};

/// What the table says of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Judged {
    /// What was asked for.
    Good,
    /// It is still being made.
    InProgress,
    /// Another status.
    Odd,
    /// It cannot be read.
    Unreadable,
    /// It usually passes; else this error.
    Transient(ErrorKind),
    /// 429.
    Throttled,
    /// 401.
    Unauthorized,
    /// An error at once.
    Final(ErrorKind),
    /// Its bytes were changed on the way: it may be good, and it may be unreadable.
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

/// Whether two errors are the same for the table; what a decoder says in detail is its own affair.
pub(super) fn alike(a: &ErrorKind, b: &ErrorKind) -> bool {
    match (a, b) {
        (ErrorKind::Decode(_), ErrorKind::Decode(_)) | (ErrorKind::BadLink(_), ErrorKind::BadLink(_)) => true,
        _ => a == b,
    }
}

pub(super) fn undecodable() -> ErrorKind {
    ErrorKind::Decode(DecodeError::new("", ""))
}
