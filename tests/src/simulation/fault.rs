//! Faults of one exchange between the client and the server.

use billing_core::TransportErrorKind;

/// A fault of one request or its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The connection is lost before the server has the request.
    ResetBefore,
    /// The server acts, then the connection is lost.
    ResetAfter,
    /// The answer does not arrive in time.
    Silence,
    /// The host name is not found.
    Dns,
    /// The connection fails.
    Connect,
    /// TLS fails.
    Tls,
    /// The body is truncated at any byte, and its length header shows it.
    Truncated,
    /// The body is truncated and its length header matches, so that HTTP sees no error.
    Short,
    /// The length header announces more bytes than arrive.
    Long,
    /// Some bytes of the body are corrupted.
    Corrupted,
    /// The gzip data is truncated.
    GzipCut,
    /// Some bytes of the gzip data are corrupted.
    GzipCorrupted,
    /// The body is larger than the client allows.
    Huge,
    /// The body inflates from few bytes beyond the client's limit.
    Bomb,
    /// The body has an encoding that the client did not ask for.
    Encoding,
    /// The answer is a gateway's HTML page.
    Html,
    /// The answer is a 5xx, 408 or 425, with or without a `Retry-After`.
    Busy,
    /// A 501 or 505.
    NotImplemented,
    /// 400, 403, 404 and their like.
    Refused,
    /// A redirect.
    Redirect,
    /// Another 2xx.
    Success,
    /// 401 for a good token.
    Unauthorized,
    /// The server forgets the tokens of the session.
    Revoked,
    /// 429 with `Retry-After`.
    Throttled,
    /// 429 with only the quota headers.
    ThrottledByWindow,
    /// 429 without any header.
    ThrottledBare,
    /// 202 without a body.
    Accepted,
    /// A report with an unknown status.
    OddStatus,
    /// A report that is shown as in progress, whatever its real status.
    InProgress,
    /// A report without a status.
    NoStatus,
    /// A body that is not JSON.
    NotJson,
    /// JSON of another shape.
    Shape,
    /// A body that is not UTF-8.
    NotUtf8,
    /// Deeply nested brackets.
    Deep,
    /// A `Retry-After` on a successful answer.
    Hint,
    /// A `Retry-After` of hours.
    LongHint,
    /// An invalid `Retry-After`.
    Nonsense,
    /// Inconsistent rate-limit headers.
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
    /// All faults.
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

    /// Returns the transport error, if the fault occurs before the server has the request.
    pub(super) fn before(self) -> Option<TransportErrorKind> {
        match self {
            Self::ResetBefore => Some(TransportErrorKind::Reset),
            Self::Dns => Some(TransportErrorKind::Dns),
            Self::Connect => Some(TransportErrorKind::Connect),
            Self::Tls => Some(TransportErrorKind::Tls),
            _ => None,
        }
    }

    /// Returns true if the fault ends an operation permanently. Such faults are rarer, because a burst of
    /// them would hide everything else.
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
