//! Streamed downloads: counts a document's bytes while a driver writes them to the caller's sink.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use http::response::Parts;
use http::{Response, StatusCode};

use crate::machine::BodyReader;
use crate::machine::body::{codings, too_large, unsupported_encoding};
use crate::{Reply, Request, TransportError, TransportErrorKind};

/// The destination of a response body, for a driver with a sink; from [`Request::body_target`].
#[derive(Debug)]
pub enum BodyTarget {
    /// A reader that collects the body for the reply.
    Collect(BodyReader),
    /// A counter for a document, which the driver writes to the sink from its start.
    Stream(DownloadCounter),
}

impl Request {
    /// Returns the destination of the body that follows this head. A driver without a sink need not call
    /// this: it collects all bodies, and its machine returns the document.
    ///
    /// # Errors
    /// Fails if the head announces a body over the limit, or an encoding that the request did not accept.
    pub fn body_target(&self, head: &Parts) -> Result<BodyTarget, TransportError> {
        match self.document() {
            Some(_) if head.status == StatusCode::OK => {
                DownloadCounter::new(&head.headers, self.max_body()).map(BodyTarget::Stream)
            }
            _ => BodyReader::new(&head.headers, self.max_body()).map(BodyTarget::Collect),
        }
    }
}

/// Counts the bytes of a document, and checks its limit and its announced length.
///
/// ```
/// use billing_core::machine::BodyTarget;
/// use billing_core::{Reply, Request, TransportError, TransportErrorKind};
/// use std::io::{Read, Write};
///
/// /// Reads a response, as a blocking driver does.
/// fn read_reply(
///     request: &Request,
///     response: http::Response<impl Read>,
///     mut sink: impl Write,
/// ) -> Reply {
///     let (head, mut body) = response.into_parts();
///     let mut body_target = request.body_target(&head)?;
///     let mut chunk = [0; 4096];
///     loop {
///         let lost = |error| TransportError::from_source(TransportErrorKind::Truncated, error);
///         let n = body.read(&mut chunk).map_err(lost)?;
///         match body_target {
///             BodyTarget::Collect(ref mut reader) if n > 0 => reader.push(&chunk[..n])?,
///             BodyTarget::Stream(ref mut counter) if n > 0 => {
///                 counter.count(&chunk[..n])?;
///                 sink.write_all(&chunk[..n]).map_err(TransportError::from_sink_error)?;
///             }
///             BodyTarget::Collect(reader) => return Ok(http::Response::from_parts(head, reader.finish()?)),
///             BodyTarget::Stream(counter) => {
///                 sink.flush().map_err(TransportError::from_sink_error)?;
///                 return counter.finish(head);
///             }
///         }
///     }
/// }
/// ```
#[derive(Debug)]
#[must_use = "call `finish` to check that the document is complete"]
pub struct DownloadCounter {
    expected: Option<u64>,
    limit: usize,
    received: u64,
}

impl DownloadCounter {
    fn new(headers: &HeaderMap, limit: usize) -> Result<Self, TransportError> {
        let chunked = match &codings(headers, TRANSFER_ENCODING)[..] {
            [] => false,
            [coding] if coding == "chunked" => true,
            codings => return Err(unsupported_encoding(codings)),
        };
        match &codings(headers, CONTENT_ENCODING)[..] {
            [] => {}
            encodings => return Err(unsupported_encoding(encodings)),
        }
        let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        // With chunked encoding `Content-Length` has no meaning and is ignored.
        let expected = announced.filter(|_| !chunked);
        if expected.is_some_and(|n| usize::try_from(n).map_or(true, |n| n > limit)) {
            return Err(too_large(limit));
        }
        Ok(Self { expected, limit, received: 0 })
    }

    /// Counts the next bytes. Write them to the sink only if this succeeds.
    ///
    /// # Errors
    /// Fails if the document exceeds its limit; write nothing more after an error.
    pub fn count(&mut self, chunk: &[u8]) -> Result<(), TransportError> {
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.received = self.received.saturating_add(length);
        match usize::try_from(self.received).map_or(true, |received| received > self.limit) {
            true => Err(too_large(self.limit)),
            false => Ok(()),
        }
    }

    /// Ends the document after all of it was written to the sink, and returns the reply for the machine.
    ///
    /// # Errors
    /// The reply is an error if fewer or more bytes arrived than announced.
    pub fn finish(self, head: Parts) -> Reply {
        if let Some(expected) = self.expected.filter(|expected| *expected != self.received) {
            let text = format!("received {} bytes of a document of {expected} bytes", self.received);
            return Err(TransportError::new(TransportErrorKind::Truncated, text));
        }
        let mut response = Response::from_parts(head, bytes::Bytes::new());
        response.extensions_mut().insert(StreamedLength(self.received));
        Ok(response)
    }
}

/// The number of bytes written to a sink, as an extension of a reply without a body.
#[derive(Clone, Copy, Debug)]
struct StreamedLength(u64);

/// Returns the length of a response's body in bytes, collected or written to a sink.
pub(crate) fn body_length<B: AsRef<[u8]>>(response: &Response<B>) -> u64 {
    match response.extensions().get::<StreamedLength>() {
        Some(StreamedLength(length)) => *length,
        None => u64::try_from(response.body().as_ref().len()).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &[(&'static str, &str)]) -> Parts {
        let mut response = Response::builder();
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(()).unwrap().into_parts().0
    }

    fn count(
        headers: &[(&'static str, &str)],
        limit: usize,
        chunks: &[&[u8]],
    ) -> Result<u64, TransportErrorKind> {
        let head = head(headers);
        let mut counter = DownloadCounter::new(&head.headers, limit).map_err(|e| e.kind())?;
        for chunk in chunks {
            counter.count(chunk).map_err(|e| e.kind())?;
        }
        counter.finish(head).map(|response| body_length(&response)).map_err(|e| e.kind())
    }

    #[test]
    fn d14_a_document_is_bounded_while_it_passes() {
        let full = Err(TransportErrorKind::TooLarge { limit: 4 });
        assert_eq!(count(&[], 4, &[b"12", b"34"]), Ok(4));
        assert_eq!(count(&[], 4, &[b"12", b"345"]), full);
        assert_eq!(count(&[("content-length", "5")], 4, &[]), full);
        assert_eq!(count(&[("content-length", "18446744073709551615")], 4, &[]), full);
    }

    #[test]
    fn a_document_is_as_long_as_was_announced() {
        let four = [("content-length", "4")];
        assert_eq!(count(&four, 9, &[b"12", b"34"]), Ok(4));
        for wrong in [&[b"123" as &[u8]][..], &[b"12345"], &[]] {
            assert_eq!(count(&four, 9, wrong), Err(TransportErrorKind::Truncated));
        }
        let chunked = [("transfer-encoding", "chunked"), ("content-length", "99")];
        assert_eq!(count(&chunked, 9, &[b"123"]), Ok(3));
    }

    #[test]
    fn an_encoded_document_was_not_asked_for() {
        for odd in [("content-encoding", "gzip"), ("transfer-encoding", "gzip, chunked")] {
            assert_eq!(count(&[odd], 9, &[]), Err(TransportErrorKind::Malformed), "{odd:?}");
        }
        assert_eq!(count(&[("content-encoding", "identity")], 9, &[b"1"]), Ok(1));
    }
}
