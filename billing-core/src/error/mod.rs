//! Errors, grouped by who can fix them, with the data that support asks for.

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

/// The failure of an operation, with the data that the support of Genesys Cloud asks for (rule D11).
///
/// `Display` is one line: the operation, the failure, the message of the server with its code and correlation id, and the number
/// of requests. It contains no secret, and text from the server contains no control characters.
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
    /// 401: the access token was refused, and a new login did not help or was not possible.
    Unauthorized,
    /// The login service refused the credentials. Every call of the session fails with this error.
    LoginRefused,
    /// 403: the credentials are valid but lack a permission; see [`Operation::permissions`].
    Forbidden,
    /// 404: the organisation, billing period, contract or invoice does not exist, or the credentials may not see it.
    NotFound,
    /// Another 4xx: the server refused the request.
    Rejected,
    /// The request was not sent, because it is invalid or must not be sent.
    InvalidRequest(&'static str),
    /// A 5xx that is final, or that outlasted the retries.
    Server,
    /// A status that the operation does not define: an unexpected 2xx, or a redirect, which is never followed. For a document: the
    /// host refused a URL that the API had just given.
    UnexpectedStatus,
    /// The answer could not be decoded. The error says where.
    Decode(DecodeError),
    /// A link in an answer is not allowed: it leads back to an earlier page, or to another host.
    BadLink(&'static str),
    /// The report kept a status that is neither `InProgress` nor `Complete`.
    UnknownStatus(String),
    /// No answer arrived; the failure is final or outlasted the retries.
    Transport(TransportErrorKind),
    /// The operation cannot finish before its deadline.
    DeadlineExceeded(DateTime<Utc>),
    /// The server asks for no request before this time. Retry then; a saved poll can be resumed.
    Deferred(DateTime<Utc>),
}

/// The origin of an error: who can fix it.
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
    pub(crate) fn new(kind: ErrorKind, operation: Operation, evidence: ErrorContext) -> Self {
        Self(Arc::new(ErrorInner { kind, operation, attempts: 0, context: evidence }))
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

    /// Whose fault it is.
    pub fn origin(&self) -> ErrorOrigin {
        self.0.kind.fault()
    }

    /// Returns the operation that failed.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// Returns the HTTP status of the last answer, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.context.status
    }

    /// Returns the error code of the server, such as `not.found` or `too.many.requests`; for the login service, its `error`.
    pub fn code(&self) -> Option<&str> {
        self.0.context.code.as_deref()
    }

    /// Returns the message of the server.
    pub fn server_message(&self) -> Option<&str> {
        self.0.context.message.as_deref()
    }

    /// Returns the id under which support finds the request: `ININ-Correlation-Id`, or `contextId` of the body.
    pub fn correlation_id(&self) -> Option<&str> {
        self.0.context.correlation_id.as_deref()
    }

    /// Returns the number of requests sent for the operation, including logins and retries.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Returns the start of the body of the last answer, as text.
    pub fn body_start(&self) -> Option<&str> {
        self.0.context.body_start.as_deref()
    }

    /// Returns the time at which a retry makes sense, if the server named one.
    pub fn retry_at(&self) -> Option<DateTime<Utc>> {
        match self.0.kind {
            ErrorKind::Deferred(until) => Some(until),
            _ => None,
        }
    }

    /// Returns the error of the transport, if the last attempt had no answer.
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
