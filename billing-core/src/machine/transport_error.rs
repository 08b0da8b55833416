//! Transport errors: failures of requests without a complete response.

use std::fmt;
use std::sync::Arc;

use crate::Secret;
use crate::error::redaction::contains_secret;

/// An error of the transport: the request got no complete response.
#[derive(Clone, Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    message: Box<str>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl TransportError {
    /// Creates an error of this kind with the message `text`.
    pub fn new(kind: TransportErrorKind, text: impl Into<String>) -> Self {
        Self { kind, message: text.into().into(), source: None }
    }

    /// Creates an error of this kind from an error of the HTTP library. Its message includes the messages of
    /// all causes.
    pub fn from_source(
        kind: TransportErrorKind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let source: Arc<dyn std::error::Error + Send + Sync> = Arc::from(source.into());
        let mut text = source.to_string();
        let mut inner = source.source();
        while let Some(cause) = inner {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            inner = cause.source();
        }
        Self { kind, message: text.into(), source: Some(source) }
    }

    /// Creates the error for a failed write to the caller's sink.
    pub fn from_sink_error(error: std::io::Error) -> Self {
        Self::from_source(TransportErrorKind::Sink, error)
    }

    /// Returns the kind of failure.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Returns the error unchanged, or only its kind if a message in its chain contains a secret.
    pub(crate) fn redacted(self, secrets: &[&Secret]) -> Self {
        let leaks = |text: &str| secrets.iter().any(|secret| contains_secret(text, secret));
        let mut chain = std::iter::successors(
            self.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static)),
            |error| error.source(),
        );
        match leaks(&self.message) || chain.any(|error| leaks(&format!("{error} {error:?}"))) {
            true => Self::new(self.kind, "the message contains a secret and is not shown"),
            false => self,
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| &**e as &(dyn std::error::Error + 'static))
    }
}

/// A kind of transport failure. The core decides whether to retry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The host name was not found.
    Dns,
    /// No connection could be established.
    Connect,
    /// The time limit of connecting or of the attempt was exceeded.
    Timeout,
    /// The connection ended before the head of the response was complete.
    Reset,
    /// The body of the response ended early, or its compression is corrupt.
    Truncated,
    /// The response is not valid HTTP, or has an encoding that the request did not accept.
    Malformed,
    /// The TLS handshake failed, or the certificate is not trusted.
    Tls,
    /// The request's URI or a header is invalid and cannot be sent.
    InvalidRequest,
    /// The body exceeds its limit.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Writing the document to the caller's sink failed.
    Sink,
}

impl TransportErrorKind {
    /// Returns the kind for an I/O error before the head of a response, or `None` if the I/O kind is not
    /// specific enough.
    pub fn from_io_error_kind(error: std::io::ErrorKind) -> Option<Self> {
        use std::io::ErrorKind as Io;
        match error {
            Io::UnexpectedEof | Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe => {
                Some(Self::Reset)
            }
            Io::TimedOut => Some(Self::Timeout),
            Io::ConnectionRefused
            | Io::HostUnreachable
            | Io::NetworkUnreachable
            | Io::NetworkDown
            | Io::AddrNotAvailable => Some(Self::Connect),
            _ => None,
        }
    }
}

impl fmt::Display for TransportErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "the host was not found",
            Self::Connect => "no connection",
            Self::Timeout => "timed out",
            Self::Reset => "the connection was lost",
            Self::Truncated => "the answer was cut short",
            Self::Malformed => "the answer is not valid HTTP",
            Self::Tls => "no trusted TLS connection",
            Self::InvalidRequest => "the request cannot be sent",
            Self::TooLarge { .. } => "the answer is too large",
            Self::Sink => "the document cannot be written",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::io::{Error as IoError, ErrorKind as Io};

    use super::*;

    #[test]
    fn io_error_kinds_map_to_transport_error_kinds() {
        for (io, kind) in [
            (Io::UnexpectedEof, Some(TransportErrorKind::Reset)),
            (Io::ConnectionReset, Some(TransportErrorKind::Reset)),
            (Io::ConnectionAborted, Some(TransportErrorKind::Reset)),
            (Io::BrokenPipe, Some(TransportErrorKind::Reset)),
            (Io::TimedOut, Some(TransportErrorKind::Timeout)),
            (Io::ConnectionRefused, Some(TransportErrorKind::Connect)),
            (Io::HostUnreachable, Some(TransportErrorKind::Connect)),
            (Io::NetworkUnreachable, Some(TransportErrorKind::Connect)),
            (Io::NetworkDown, Some(TransportErrorKind::Connect)),
            (Io::AddrNotAvailable, Some(TransportErrorKind::Connect)),
            (Io::Other, None),
        ] {
            assert_eq!(TransportErrorKind::from_io_error_kind(io), kind, "{io:?}");
        }
    }

    #[test]
    fn every_transport_error_kind_has_its_own_message() {
        use TransportErrorKind as Kind;
        let all = [
            Kind::Dns,
            Kind::Connect,
            Kind::Timeout,
            Kind::Reset,
            Kind::Truncated,
            Kind::Malformed,
            Kind::Tls,
            Kind::InvalidRequest,
            Kind::TooLarge { limit: 1 },
            Kind::Sink,
        ];
        let mut words: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert!(words.iter().all(|words| words.len() > 5));
        words.sort();
        words.dedup();
        assert_eq!(words.len(), all.len());
    }

    /// An error that wraps another, as HTTP libraries nest them.
    #[derive(Debug)]
    struct Outer(&'static str, IoError);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn a_transport_error_tells_the_whole_chain_once() {
        let wrap = |outer| {
            TransportError::from_source(TransportErrorKind::Connect, Outer(outer, IoError::other("refused")))
        };
        assert_eq!(wrap("sending failed").to_string(), "no connection: sending failed: refused");
        assert_eq!(wrap("sending failed: refused").to_string(), "no connection: sending failed: refused");
        assert_eq!(wrap("x").source().unwrap().to_string(), "x");
        let bare = TransportError::new(TransportErrorKind::Dns, "no such host");
        assert_eq!(
            (bare.to_string().as_str(), bare.source().is_none()),
            ("the host was not found: no such host", true)
        );
    }

    #[test]
    fn d09_a_reason_that_repeats_a_secret_is_not_shown_however_it_is_spelled() {
        let secret = Secret::new("t0k/n");
        for (reason, expected) in
            [("t0k/n", false), ("no t0k%2Fn", false), (r"{t0k\/n}", false), ("t0k-n", true)]
        {
            let shown =
                TransportError::new(TransportErrorKind::Reset, reason).redacted(&[&secret]).to_string();
            assert_eq!(shown.contains(reason), expected, "{shown}");
        }
        let hidden = std::io::Error::other("t0k%2fn");
        let shown = TransportError::from_source(TransportErrorKind::Reset, hidden).redacted(&[&secret]);
        assert!(!format!("{shown} {shown:?}").contains("t0k"), "{shown:?}");
    }
}
