//! Simulated responses, as the server sends them and as the client sees them.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use crate::machine::BodyReader;
use crate::{Reply, TransportError, TransportErrorKind};

/// The reaction of the simulated network and server to a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SimulatedResponse {
    /// A complete response.
    Response(Response<Bytes>),
    /// The connection closes before the head of a response.
    Reset,
    /// The head of a response and the given number of bytes of its body, fewer than `Content-Length` announces; then the connection
    /// closes.
    Truncated(Response<Bytes>, usize),
    /// No response at all.
    NoResponse,
    /// A failure on the client's side, such as a host name that is not found. On a real server
    /// [`SimulatedResponse::Reset`] comes closest.
    TransportError(TransportErrorKind),
}

impl SimulatedResponse {
    /// Returns the reply of a driver that allows `max_body` bytes of body.
    pub fn into_reply(self, max_body: usize) -> Reply {
        let fail = |kind| Err(TransportError::new(kind, "so it was asked of the sandbox"));
        match self {
            Self::Response(response) => {
                let (head, body) = response.into_parts();
                let mut reader = BodyReader::new(&head.headers, max_body)?;
                reader.push(&body)?;
                Ok(Response::from_parts(head, reader.finish()?))
            }
            Self::Truncated(response, sent) => {
                let mut reader = BodyReader::new(response.headers(), max_body)?;
                reader.push(response.body().get(..sent).unwrap_or(response.body()))?;
                fail(TransportErrorKind::Truncated)
            }
            Self::Reset => fail(TransportErrorKind::Reset),
            Self::NoResponse => fail(TransportErrorKind::Timeout),
            Self::TransportError(kind) => fail(kind),
        }
    }

    /// Compresses the body if allowed, and adds its length.
    pub(super) fn with_transfer_headers(self, may_compress: bool, request: &HeaderMap) -> Self {
        let compress = may_compress && accepts_gzip(request);
        match self {
            Self::Response(response) => Self::Response(set_length_and_encoding(response, compress)),
            Self::Truncated(response, _) => {
                let response = set_length_and_encoding(response, compress);
                let half = response.body().len() / 2;
                Self::Truncated(response, half)
            }
            other => other,
        }
    }
}

/// Compresses `bytes` followed by the given number of spaces, which JSON ignores.
pub(super) fn gzip(bytes: &[u8], mut spaces: usize) -> Bytes {
    const CHUNK: [u8; 4096] = [b' '; 4096];
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let mut written = encoder.write_all(bytes);
    while spaces > 0 && written.is_ok() {
        let n = spaces.min(CHUNK.len());
        written = encoder.write_all(&CHUNK[..n]);
        spaces -= n;
    }
    written
        .and_then(|()| encoder.finish())
        .unwrap_or_else(|_| unreachable!("writing to memory does not fail"))
        .into()
}

fn set_length_and_encoding(mut response: Response<Bytes>, compress: bool) -> Response<Bytes> {
    let status = response.status();
    if status == StatusCode::NO_CONTENT || response.headers().is_empty() {
        return response;
    }
    let bare = !response.headers().contains_key(CONTENT_ENCODING);
    if compress && bare && !response.body().is_empty() {
        *response.body_mut() = gzip(response.body(), 0);
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let length = response.body().len();
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("gzip"))
}
