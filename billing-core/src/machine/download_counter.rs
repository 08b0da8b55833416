//! The passage of a document: from its connection to a sink of the caller's, chunk by chunk, without being kept.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use http::response::Parts;
use http::{Response, StatusCode};

use crate::machine::BodyReader;
use crate::machine::body::{codings, too_large, unsupported_encoding};
use crate::{Reply, Request, TransportError, TransportErrorKind};

/// What a driver that has a sink does with the body of a response; from [`Request::body_target`].
#[derive(Debug)]
pub enum BodyTarget {
    /// Collects it, for the reply.
    Collect(BodyReader),
    /// Opens the sink anew and writes it there: it is the document.
    Stream(DownloadCounter),
}

impl Request {
    /// What is to be done with the body that comes after this head. A driver without a sink need not ask: it collects all
    /// bodies, and has the document in the output of its machine.
    ///
    /// # Errors
    /// When the head announces a body that is over the bound, or encoded as was not asked for.
    pub fn body_target(&self, head: &Parts) -> Result<BodyTarget, TransportError> {
        match self.document() {
            Some(_) if head.status == StatusCode::OK => {
                DownloadCounter::new(&head.headers, self.max_body()).map(BodyTarget::Stream)
            }
            _ => BodyReader::new(&head.headers, self.max_body()).map(BodyTarget::Collect),
        }
    }
}

/// Watches a document pass: that it is not over its bound, and that it is whole at its end.
///
/// ```
/// use billing_core::machine::BodyTarget;
/// use billing_core::{Reply, Request, TransportError, TransportErrorKind};
/// use std::io::{Read, Write};
///
/// /// What a blocking driver does with a response.
/// fn take_in(
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
///             BodyTarget::Stream(ref mut passage) if n > 0 => {
///                 passage.count(&chunk[..n])?;
///                 sink.write_all(&chunk[..n]).map_err(TransportError::from_sink_error)?;
///             }
///             BodyTarget::Collect(reader) => return Ok(http::Response::from_parts(head, reader.finish()?)),
///             BodyTarget::Stream(passage) => {
///                 sink.flush().map_err(TransportError::from_sink_error)?;
///                 return passage.finish(head);
///             }
///         }
///     }
/// }
/// ```
#[derive(Debug)]
#[must_use = "without its end nobody knows whether the document is whole"]
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
        // Beside chunks a length means nothing.
        let expected = announced.filter(|_| !chunked);
        if expected.is_some_and(|n| usize::try_from(n).map_or(true, |n| n > limit)) {
            return Err(too_large(limit));
        }
        Ok(Self { expected, limit, received: 0 })
    }

    /// Takes note of the next bytes, which are to be written to the sink if this is good.
    ///
    /// # Errors
    /// When the document exceeds its bound; nothing more is to be written then.
    pub fn count(&mut self, chunk: &[u8]) -> Result<(), TransportError> {
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.received = self.received.saturating_add(length);
        match usize::try_from(self.received).map_or(true, |passed| passed > self.limit) {
            true => Err(too_large(self.limit)),
            false => Ok(()),
        }
    }

    /// Ends the document, once all of it is in the sink. This is the reply for the machine.
    ///
    /// # Errors
    /// In the reply: when less or more has come than was announced.
    pub fn finish(self, head: Parts) -> Reply {
        if let Some(expected) = self.expected.filter(|expected| *expected != self.received) {
            let text = format!("{} bytes came of a document of {expected}", self.received);
            return Err(TransportError::new(TransportErrorKind::Truncated, text));
        }
        let mut response = Response::from_parts(head, bytes::Bytes::new());
        response.extensions_mut().insert(StreamedLength(self.received));
        Ok(response)
    }
}

/// In a reply without a body: so many bytes have gone to a sink.
#[derive(Clone, Copy, Debug)]
struct StreamedLength(u64);

/// How many bytes the body of a response had, wherever they are now.
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

    fn passage(
        headers: &[(&'static str, &str)],
        limit: usize,
        chunks: &[&[u8]],
    ) -> Result<u64, TransportErrorKind> {
        let head = head(headers);
        let mut passage = DownloadCounter::new(&head.headers, limit).map_err(|e| e.kind())?;
        for chunk in chunks {
            passage.count(chunk).map_err(|e| e.kind())?;
        }
        passage.finish(head).map(|response| body_length(&response)).map_err(|e| e.kind())
    }

    #[test]
    fn d14_a_document_is_bounded_while_it_passes() {
        let full = Err(TransportErrorKind::TooLarge { limit: 4 });
        assert_eq!(passage(&[], 4, &[b"12", b"34"]), Ok(4));
        assert_eq!(passage(&[], 4, &[b"12", b"345"]), full);
        assert_eq!(passage(&[("content-length", "5")], 4, &[]), full);
        assert_eq!(passage(&[("content-length", "18446744073709551615")], 4, &[]), full);
    }

    #[test]
    fn a_document_is_as_long_as_was_announced() {
        let four = [("content-length", "4")];
        assert_eq!(passage(&four, 9, &[b"12", b"34"]), Ok(4));
        for wrong in [&[b"123" as &[u8]][..], &[b"12345"], &[]] {
            assert_eq!(passage(&four, 9, wrong), Err(TransportErrorKind::Truncated));
        }
        let chunked = [("transfer-encoding", "chunked"), ("content-length", "99")];
        assert_eq!(passage(&chunked, 9, &[b"123"]), Ok(3));
    }

    #[test]
    fn an_encoded_document_was_not_asked_for() {
        for odd in [("content-encoding", "gzip"), ("transfer-encoding", "gzip, chunked")] {
            assert_eq!(passage(&[odd], 9, &[]), Err(TransportErrorKind::Malformed), "{odd:?}");
        }
        assert_eq!(passage(&[("content-encoding", "identity")], 9, &[b"1"]), Ok(1));
    }
}
