//! Errors: whose fault it was, and all that support asks for.

mod context;
mod decode;
pub(crate) mod redaction;
mod saved;

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use http::StatusCode;

use self::redaction::strip_control_characters;
use crate::{Operation, TransportError, TransportErrorKind};

pub(crate) use context::ErrorContext;
pub use decode::DecodeError;
pub(crate) use saved::SavedError;

/// The failure of an operation, with everything that Genesys Cloud's support asks for.
///
/// `Display` is one line: the operation, what happened, what the server said, its code and correlation id, and the
/// number of requests. Nothing in it is a secret, and text from the server is shown without control characters.
#[derive(Clone)]
pub struct Error(Arc<ErrorInner>);

#[derive(Clone)]
struct ErrorInner {
    kind: ErrorKind,
    operation: Operation,
    attempts: u32,
    context: ErrorContext,
}

/// What happened, split by whose fault it is; see [`ErrorKind::fault`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// 401: the access token was refused, and logging in again did not help or was not possible.
    Unauthorized,
    /// The login service refused the client's credentials. Every call of the session ends so.
    LoginRefused,
    /// 403: the credentials are good, but lack a permission; see [`Operation::permissions`].
    Forbidden,
    /// 404: there is nothing of the kind that the operation was asked for, such as an organisation or a billing period of
    /// it, a contract or an invoice; or the credentials may not know of it.
    NotFound,
    /// Another 4xx: the request itself was refused.
    Rejected,
    /// The request was not sent, because it could not be or must not be.
    InvalidRequest(&'static str),
    /// A 5xx, for good or for longer than the retries lasted.
    Server,
    /// A status that the operation has no meaning for: an unexpected 2xx; a redirect, which is never followed; of the host of
    /// a document, the refusal of an address that was fresh.
    UnexpectedStatus,
    /// The answer is not what it should be, and says where.
    Decode(DecodeError),
    /// A list leads to where it must not: back to a page that was there before, or to another host.
    BadLink(&'static str),
    /// The report stayed in a state that is neither `InProgress` nor `Complete`.
    UnknownStatus(String),
    /// No answer came, for good or for longer than the retries lasted.
    Transport(TransportErrorKind),
    /// The operation could not be finished before its deadline.
    DeadlineExceeded(DateTime<Utc>),
    /// The server wants no request before this time. Come back then: a saved poll can be resumed.
    Deferred(DateTime<Utc>),
}

/// Whose fault an error is, and so who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorOrigin {
    /// The caller's: the input, the credentials or their permissions.
    Caller,
    /// The server's, or that of a gateway in front of it.
    Server,
    /// The network's.
    Network,
    /// Nobody's: there was not enough time.
    Deadline,
}

impl ErrorKind {
    /// Whose fault it is.
    pub fn fault(&self) -> ErrorOrigin {
        match self {
            Self::Unauthorized
            | Self::LoginRefused
            | Self::Forbidden
            | Self::NotFound
            | Self::Rejected
            | Self::InvalidRequest(_)
            | Self::Transport(TransportErrorKind::InvalidRequest | TransportErrorKind::Sink) => {
                ErrorOrigin::Caller
            }
            Self::Server
            | Self::UnexpectedStatus
            | Self::Decode(_)
            | Self::BadLink(_)
            | Self::UnknownStatus(_) => ErrorOrigin::Server,
            Self::Transport(_) => ErrorOrigin::Network,
            Self::DeadlineExceeded(_) | Self::Deferred(_) => ErrorOrigin::Deadline,
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, operation: Operation, evidence: ErrorContext) -> Self {
        Self(Arc::new(ErrorInner { kind, operation, attempts: 0, context: evidence }))
    }

    /// The same after so many requests.
    pub(crate) fn with_attempts(self, attempts: u32) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        inner.attempts = attempts;
        Self(Arc::new(inner))
    }

    /// The same, called otherwise.
    pub(crate) fn with_kind(self, kind: ErrorKind) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        inner.kind = kind;
        Self(Arc::new(inner))
    }

    /// What happened.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Whose fault it is.
    pub fn origin(&self) -> ErrorOrigin {
        self.0.kind.fault()
    }

    /// The operation that failed.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// The HTTP status of the last answer, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.context.status
    }

    /// The server's code, such as `not.found` or `too.many.requests`; of the login service, its `error`.
    pub fn code(&self) -> Option<&str> {
        self.0.context.code.as_deref()
    }

    /// The server's own message.
    pub fn server_message(&self) -> Option<&str> {
        self.0.context.message.as_deref()
    }

    /// The id under which support finds the exchange: `ININ-Correlation-Id`, or `contextId` of the body.
    pub fn correlation_id(&self) -> Option<&str> {
        self.0.context.correlation_id.as_deref()
    }

    /// How many requests were sent for the operation, logins and repeats included.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The start of the body of the last answer, as text.
    pub fn body_start(&self) -> Option<&str> {
        self.0.context.body_start.as_deref()
    }

    /// When trying again makes sense, where the server said so.
    pub fn retry_at(&self) -> Option<DateTime<Utc>> {
        match self.0.kind {
            ErrorKind::Deferred(until) => Some(until),
            _ => None,
        }
    }

    /// What the transport said, where the last attempt had no answer.
    pub fn transport(&self) -> Option<&TransportError> {
        self.0.context.transport.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorInner { kind, operation, attempts, context: evidence } = &*self.0;
        write!(f, "{operation}: ")?;
        let seconds = |t: &DateTime<Utc>| t.to_rfc3339_opts(SecondsFormat::Secs, true);
        match kind {
            ErrorKind::Unauthorized => f.write_str("the access token was refused")?,
            ErrorKind::LoginRefused => f.write_str("the login was refused")?,
            ErrorKind::Forbidden => f.write_str("not permitted")?,
            ErrorKind::NotFound => f.write_str("not found")?,
            ErrorKind::Rejected => f.write_str("the request was refused")?,
            ErrorKind::InvalidRequest(reason) => f.write_str(reason)?,
            ErrorKind::Server => f.write_str("the server failed")?,
            ErrorKind::UnexpectedStatus => f.write_str("an answer that this operation has no meaning for")?,
            ErrorKind::Decode(error) => write!(f, "the answer cannot be read, {error}")?,
            ErrorKind::BadLink(reason) => f.write_str(reason)?,
            ErrorKind::UnknownStatus(raw) => {
                write!(f, "the report stays in the state {raw:?}, which is neither InProgress nor Complete")?;
            }
            ErrorKind::Transport(kind) => match &evidence.transport {
                Some(transport) => write!(f, "{}", strip_control_characters(&transport.to_string()))?,
                None => write!(f, "{kind}")?,
            },
            ErrorKind::DeadlineExceeded(deadline) => {
                write!(f, "not finished by its deadline, {}", seconds(deadline))?
            }
            ErrorKind::Deferred(until) => write!(f, "the server asks to come back at {}", seconds(until))?,
        }
        if matches!(kind, ErrorKind::Decode(_)) && operation.is_preview() {
            f.write_str("; this is a preview operation, whose answers the vendor may change")?;
        }
        write!(f, "{evidence}")?;
        match attempts {
            0 => f.write_str("; nothing was sent"),
            1 => f.write_str("; 1 request"),
            n => write!(f, "; {n} requests"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation.id())
            .field("attempts", &self.0.attempts)
            .field("evidence", &self.0.context)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            ErrorKind::Decode(error) => Some(error),
            _ => self.transport().map(|e| e as &(dyn std::error::Error + 'static)),
        }
    }
}

#[cfg(test)]
mod tests;
