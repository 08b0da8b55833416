//! Response bodies: collects, decompresses and bounds them while they are read. Also the bounds on a
//! response's head.

mod bounded_buffer;

use std::io::{self, Write};
use std::mem;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::{AsHeaderName, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};

use self::bounded_buffer::{BoundedBuffer, MAX_PREALLOCATION, READ_CHUNK};
use crate::{TransportError, TransportErrorKind};

/// Collects the body of one response, as a driver reads it from its connection.
///
/// It decodes `Content-Encoding: gzip`, the only encoding that the requests accept, and refuses the first
/// byte over the limit. So neither a long body nor a small one that decompresses without end can fill the
/// memory.
///
/// A driver can pass the bytes in three ways: borrowed, with [`push`](Self::push); owned, with
/// [`push_bytes`](Self::push_bytes), which does not copy a body that arrives in one piece; or read straight
/// into the body's buffer, with [`spare_mut`](Self::spare_mut) and [`advance`](Self::advance). The buffer
/// starts at the announced length, up to 1 MiB, and then grows with the received bytes, not with the
/// announced length.
///
/// ```
/// use billing_core::machine::BodyReader;
/// let mut body = BodyReader::new(&http::HeaderMap::new(), 1024)?;
/// body.push(b"{\"status\":")?;
/// body.push(b"\"Complete\"}")?;
/// assert_eq!(&body.finish()?[..], br#"{"status":"Complete"}"#);
/// # Ok::<(), billing_core::TransportError>(())
/// ```
#[derive(Debug)]
pub struct BodyReader {
    decoder: Decoder,
    limit: usize,
    started: bool,
}

#[derive(Debug)]
enum Decoder {
    /// The first chunk as it was received, until there is a second one; then the buffer that holds both.
    Identity(Bytes, BoundedBuffer),
    /// The decoder with its output buffer, and a buffer for compressed input.
    Gzip(Box<MultiGzDecoder<BoundedBuffer>>, Vec<u8>),
}

impl BodyReader {
    /// Creates a reader for a body of at most `limit` bytes after decompression.
    ///
    /// # Errors
    /// Fails if the headers announce more than `limit` bytes, or an encoding that the request did not accept.
    pub fn new(headers: &HeaderMap, limit: usize) -> Result<Self, TransportError> {
        // The HTTP library decodes chunked bodies. No other transfer coding, and no combination, is decoded
        // anywhere.
        let chunked = match &codings(headers, TRANSFER_ENCODING)[..] {
            [] => false,
            [coding] if coding == "chunked" => true,
            codings => return Err(unsupported_encoding(codings)),
        };
        let gzip = match &codings(headers, CONTENT_ENCODING)[..] {
            [] => false,
            [encoding] if encoding == "gzip" || encoding == "x-gzip" => true,
            encodings => return Err(unsupported_encoding(encodings)),
        };
        // With chunked encoding `Content-Length` has no meaning and is ignored.
        let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        let expected = announced.filter(|_| !chunked).map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let decoder = if gzip {
            // Report JSON shrinks to about a quarter or less; the guess is capped because the header is not
            // trusted.
            let inflated = expected.saturating_mul(4).min(MAX_PREALLOCATION);
            Decoder::Gzip(Box::new(MultiGzDecoder::new(BoundedBuffer::new(limit, inflated))), Vec::new())
        } else if expected > limit {
            return Err(too_large(limit));
        } else {
            Decoder::Identity(Bytes::new(), BoundedBuffer::new(limit, expected))
        };
        Ok(Self { decoder, limit, started: false })
    }

    /// Appends the next bytes from the connection.
    ///
    /// # Errors
    /// Fails if the body exceeds its limit or is not valid gzip although announced as such; push nothing more
    /// after an error.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), TransportError> {
        if chunk.is_empty() {
            return Ok(());
        }
        self.started = true;
        let (outcome, full) = match &mut self.decoder {
            Decoder::Identity(first, sink) => {
                let first = mem::take(first);
                (sink.write_all(&first).and_then(|()| sink.write_all(chunk)), sink.overflowed)
            }
            Decoder::Gzip(decoder, _) => {
                let outcome = decoder.write_all(chunk);
                (outcome, decoder.get_ref().overflowed)
            }
        };
        self.check(outcome, full)
    }

    /// Appends the next bytes from the connection. If they are the whole body, they are not copied.
    ///
    /// # Errors
    /// Fails under the same conditions as [`push`](Self::push).
    pub fn push_bytes(&mut self, chunk: Bytes) -> Result<(), TransportError> {
        match &mut self.decoder {
            Decoder::Identity(first, _) if !self.started && chunk.len() <= self.limit => {
                self.started = !chunk.is_empty();
                *first = chunk;
                Ok(())
            }
            _ => self.push(&chunk),
        }
    }

    /// Returns a buffer for the next bytes from the connection, never empty. Call [`advance`](Self::advance)
    /// with the number of bytes read into it.
    pub fn spare_mut(&mut self) -> &mut [u8] {
        match &mut self.decoder {
            Decoder::Identity(first, sink) => {
                // Bytes from an earlier `push_bytes` go first, so that the order is kept.
                let first = mem::take(first);
                sink.append(&first);
                sink.spare_mut()
            }
            Decoder::Gzip(_, input) => {
                input.resize(READ_CHUNK, 0);
                input
            }
        }
    }

    /// Appends the first `n` bytes of the buffer returned by [`spare_mut`](Self::spare_mut), which were read
    /// into it.
    ///
    /// # Errors
    /// Fails under the same conditions as [`push`](Self::push).
    pub fn advance(&mut self, n: usize) -> Result<(), TransportError> {
        self.started |= n > 0;
        let (outcome, full) = match &mut self.decoder {
            Decoder::Identity(_, sink) => (sink.advance(n), sink.overflowed),
            Decoder::Gzip(decoder, input) => {
                let outcome = decoder.write_all(&input[..n.min(input.len())]);
                (outcome, decoder.get_ref().overflowed)
            }
        };
        self.check(outcome, full)
    }

    /// Returns the whole body.
    ///
    /// # Errors
    /// Fails if compressed data stops before its end, exceeds the limit, or has a wrong checksum.
    pub fn finish(self) -> Result<Bytes, TransportError> {
        match self.decoder {
            Decoder::Identity(first, _) if !first.is_empty() => Ok(first),
            Decoder::Identity(_, sink) => Ok(sink.into_bytes()),
            // An empty body is accepted, although it is not a gzip stream.
            Decoder::Gzip(..) if !self.started => Ok(Bytes::new()),
            Decoder::Gzip(mut decoder, _) => {
                let outcome = decoder.try_finish();
                let full = decoder.get_ref().overflowed;
                match outcome.and_then(|()| decoder.finish()) {
                    Ok(sink) => Ok(sink.into_bytes()),
                    Err(_) if full => Err(too_large(self.limit)),
                    Err(error) => Err(corrupt(&error)),
                }
            }
        }
    }

    fn check(&self, outcome: io::Result<()>, full: bool) -> Result<(), TransportError> {
        match outcome {
            Ok(()) => Ok(()),
            Err(_) if full => Err(too_large(self.limit)),
            Err(error) => Err(corrupt(&error)),
        }
    }
}

/// Returns the codings listed in all headers of this name, in lower case, without `identity`.
pub(crate) fn codings(headers: &HeaderMap, name: impl AsHeaderName) -> Vec<String> {
    let values = headers.get_all(name).into_iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let listed = values.flat_map(|value| {
        value.split(',').map(|coding| coding.trim().to_ascii_lowercase()).collect::<Vec<_>>()
    });
    listed.filter(|coding| !coding.is_empty() && coding != "identity").collect()
}

/// Builds the error for a body in an encoding that the request did not accept.
pub(crate) fn unsupported_encoding(codings: &[String]) -> TransportError {
    let text = format!("the body is encoded as {:?}, which the request did not accept", codings.join(", "));
    TransportError::new(TransportErrorKind::Malformed, text)
}

/// Builds the error for a body of more than `limit` bytes.
pub(crate) fn too_large(limit: usize) -> TransportError {
    TransportError::new(
        TransportErrorKind::TooLarge { limit },
        format!("the body is larger than {limit} bytes"),
    )
}

fn corrupt(error: &io::Error) -> TransportError {
    TransportError::new(
        TransportErrorKind::Truncated,
        format!("the gzip data is cut short or broken: {error}"),
    )
}

/// The largest size of a response's head, in bytes. A driver passes this limit to its HTTP library, which may
/// apply it roughly; a much larger head ends in [`TransportErrorKind::Malformed`].
pub const MAX_HEAD_BYTES: usize = 64 << 10;

/// The largest number of headers of a response; applied like [`MAX_HEAD_BYTES`].
pub const MAX_HEADERS: usize = 128;

#[cfg(test)]
mod tests;
