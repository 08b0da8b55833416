//! Faults: what can go wrong with one exchange between the client and the server.

use billing_core::TransportErrorKind;

/// What goes wrong with one request or its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The connection is lost before the server has the request.
    ResetBefore,
    /// The server acts, then the connection is lost.
    ResetAfter,
    /// No answer in time.
    Silence,
    /// The name is not found.
    Dns,
    /// No connection.
    Connect,
    /// TLS fails.
    Tls,
    /// The body ends early, at any byte, and the length says so.
    Truncated,
    /// The body ends early, and the length is wrong as well, so that HTTP is in order.
    Short,
    /// Fewer bytes come than were announced.
    Long,
    /// Some bytes of the body are others.
    Corrupted,
    /// The gzip data ends early.
    GzipCut,
    /// Some bytes of the gzip data are others.
    GzipCorrupted,
    /// The body is larger than the client allows.
    Huge,
    /// The same, by few bytes that inflate.
    Bomb,
    /// It has an encoding that nobody asked for.
    Encoding,
    /// A gateway's page instead of an answer.
    Html,
    /// A 5xx, 408 or 425 with or without a hint.
    Busy,
    /// A 501 or 505.
    NotImplemented,
    /// 400, 403, 404 and their like.
    Refused,
    /// A redirect.
    Redirect,
    /// Another 2xx.
    Success,
    /// 401, though the token is good.
    Unauthorized,
    /// The server has forgotten the tokens of the session.
    Revoked,
    /// 429 with a hint.
    Throttled,
    /// 429 with the headers of the quota alone.
    ThrottledByWindow,
    /// 429 without any header.
    ThrottledBare,
    /// 202 without a body.
    Accepted,
    /// A report with a status that nobody knows.
    OddStatus,
    /// A report that is in progress, whatever it was.
    InProgress,
    /// A report without a status.
    NoStatus,
    /// What is no JSON.
    NotJson,
    /// JSON of another shape.
    Shape,
    /// What is no UTF-8.
    NotUtf8,
    /// Brackets in brackets.
    Deep,
    /// A hint on a good answer.
    Hint,
    /// A hint of hours.
    LongHint,
    /// A hint that is none.
    Nonsense,
    /// Rate-limit headers that make no sense.
    Limits,
    /// An error that repeats the credentials.
    Echo,
    /// The request is served twice; the second answer comes back.
    Twice,
    /// An earlier answer to the same request comes back, as from a cache.
    Replayed,
    /// The answer comes late.
    Slow,
    /// The login service does not know the client.
    InvalidClient,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 43] = [
        Self::ResetBefore,
        Self::ResetAfter,
        Self::Silence,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Truncated,
        Self::Short,
        Self::Long,
        Self::Corrupted,
        Self::GzipCut,
        Self::GzipCorrupted,
        Self::Huge,
        Self::Bomb,
        Self::Encoding,
        Self::Html,
        Self::Busy,
        Self::NotImplemented,
        Self::Refused,
        Self::Redirect,
        Self::Success,
        Self::Unauthorized,
        Self::Revoked,
        Self::Throttled,
        Self::ThrottledByWindow,
        Self::ThrottledBare,
        Self::Accepted,
        Self::OddStatus,
        Self::InProgress,
        Self::NoStatus,
        Self::NotJson,
        Self::Shape,
        Self::NotUtf8,
        Self::Deep,
        Self::Hint,
        Self::LongHint,
        Self::Nonsense,
        Self::Limits,
        Self::Echo,
        Self::Twice,
        Self::Replayed,
        Self::Slow,
        Self::InvalidClient,
    ];

    /// The failure that it is, before the server has the request.
    pub(super) fn before(self) -> Option<TransportErrorKind> {
        match self {
            Self::ResetBefore => Some(TransportErrorKind::Reset),
            Self::Dns => Some(TransportErrorKind::Dns),
            Self::Connect => Some(TransportErrorKind::Connect),
            Self::Tls => Some(TransportErrorKind::Tls),
            _ => None,
        }
    }

    /// Whether it ends an operation for good, so that a burst of it would leave nothing to see; it strikes less often.
    pub(super) fn is_final(self) -> bool {
        matches!(
            self,
            Self::Tls
                | Self::Huge
                | Self::Bomb
                | Self::NotImplemented
                | Self::Refused
                | Self::Redirect
                | Self::Success
                | Self::LongHint
                | Self::InvalidClient
        )
    }
}
