//! Errors: their kind, their origin and the data that support asks for.

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

/// An error of an operation, with the data that Genesys Cloud's support asks for.
///
/// `Display` prints one line: the operation, the kind of failure, the server's message, its code and
/// correlation id, and the number of requests. It prints no secret, and text from the server without control
/// characters.
#[derive(Clone)]
pub struct Error(Arc<ErrorInner>);

#[derive(Clone)]
struct ErrorInner {
    kind: ErrorKind,
    operation: Operation,
    attempts: u32,
    context: ErrorContext,
}

/// A kind of failure; [`ErrorKind::fault`] returns its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// 401: the access token was refused, and a new login did not help or was not possible.
    Unauthorized,
    /// A refusal of the client's credentials by the login service. Every call of the session ends with it.
    LoginRefused,
    /// 403: the credentials are valid but lack a permission; see [`Operation::permissions`].
    Forbidden,
    /// 404: the requested object, such as an organisation, its billing period, a contract or an invoice, does
    /// not exist or is not visible to the credentials.
    NotFound,
    /// Another 4xx: the server rejected the request.
    Rejected,
    /// A request that was not sent because it is invalid or not allowed.
    InvalidRequest(&'static str),
    /// A 5xx that is not retried, or that remained after all retries.
    Server,
    /// A status that the operation does not expect: another 2xx, a redirect (never followed), or a refusal of
    /// a new document address by the document's host.
    UnexpectedStatus,
    /// A response that cannot be parsed, with the location of the error.
    Decode(DecodeError),
    /// A link that must not be followed: a next page link to an earlier page or to another host, or a
    /// document address on this machine where the API is elsewhere.
    BadLink(&'static str),
    /// A report status that is neither `InProgress` nor `Complete`, received three times in a row.
    UnknownStatus(String),
    /// A transport error that is not retried, or that remained after all retries.
    Transport(TransportErrorKind),
    /// The deadline, before which the operation could not be finished.
    DeadlineExceeded(DateTime<Utc>),
    /// The time before which the server wants no request. A saved poll can be resumed then.
    Deferred(DateTime<Utc>),
}

/// The origin of an error: the party that can fix it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorOrigin {
    /// The caller: the input, the credentials or their permissions.
    Caller,
    /// The server, or a gateway in front of it.
    Server,
    /// The network.
    Network,
    /// The deadline: there was not enough time.
    Deadline,
}

impl ErrorKind {
    /// Returns the origin of the error.
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
    pub(crate) fn new(kind: ErrorKind, operation: Operation, context: ErrorContext) -> Self {
        Self(Arc::new(ErrorInner { kind, operation, attempts: 0, context }))
    }

    /// Sets the number of requests.
    pub(crate) fn with_attempts(self, attempts: u32) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        inner.attempts = attempts;
        Self(Arc::new(inner))
    }

    /// Replaces the kind.
    pub(crate) fn with_kind(self, kind: ErrorKind) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        inner.kind = kind;
        Self(Arc::new(inner))
    }

    /// Returns the kind of failure.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Returns the origin of the error.
    pub fn origin(&self) -> ErrorOrigin {
        self.0.kind.fault()
    }

    /// Returns the operation that failed.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// Returns the HTTP status of the last response, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.context.status
    }

    /// Returns the server's error code, such as `not.found` or `too.many.requests`; for the login service,
    /// its `error`.
    pub fn code(&self) -> Option<&str> {
        self.0.context.code.as_deref()
    }

    /// Returns the server's error message.
    pub fn server_message(&self) -> Option<&str> {
        self.0.context.message.as_deref()
    }

    /// Returns the correlation id, under which support finds the exchange: `ININ-Correlation-Id`, or
    /// `contextId` of the body.
    pub fn correlation_id(&self) -> Option<&str> {
        self.0.context.correlation_id.as_deref()
    }

    /// Returns the number of requests sent for the operation, logins and retries included.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns the start of the body of the last response, as text.
    pub fn body_start(&self) -> Option<&str> {
        self.0.context.body_start.as_deref()
    }

    /// Returns the time for another attempt, if the server gave one.
    pub fn retry_at(&self) -> Option<DateTime<Utc>> {
        match self.0.kind {
            ErrorKind::Deferred(until) => Some(until),
            _ => None,
        }
    }

    /// Returns the transport error, if the last attempt got no response.
    pub fn transport(&self) -> Option<&TransportError> {
        self.0.context.transport.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorInner { kind, operation, attempts, context } = &*self.0;
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
            ErrorKind::UnexpectedStatus => f.write_str("the server answered with an unexpected status")?,
            ErrorKind::Decode(error) => write!(f, "the answer cannot be read, {error}")?,
            ErrorKind::BadLink(reason) => f.write_str(reason)?,
            ErrorKind::UnknownStatus(raw) => {
                write!(f, "the report stays in the state {raw:?}, which is neither InProgress nor Complete")?;
            }
            ErrorKind::Transport(kind) => match &context.transport {
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
        write!(f, "{context}")?;
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
            .field("context", &self.0.context)
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
