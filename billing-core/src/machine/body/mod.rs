//! Bodies: collected, inflated and bounded while they are read. And the bounds of what stands before them.

use std::io::{self, Write};
use std::mem;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::{AsHeaderName, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};

use crate::{TransportError, TransportErrorKind};

/// Collects the body of one response, as a driver reads it from its connection.
///
/// It undoes `Content-Encoding: gzip` (the one encoding that the requests ask for), and it refuses the first byte over
/// the bound, so that neither a long body nor a small one that inflates without end fills the memory.
///
/// The bytes are taken as the connection gives them: borrowed by [`push`](Self::push); owned by
/// [`push_bytes`](Self::push_bytes), which does not copy a body that comes in one piece; or read straight into the buffer
/// of the body, by [`room`](Self::spare_mut) and [`filled`](Self::advance). The buffer is as large as the announced length, if
/// there is one that can be believed; it grows with what has come, not with what was promised.
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
    /// The first piece as it came, until there is a second one; then the buffer that both are in.
    Identity(Bytes, BoundedBuffer),
    /// The decoder, and room for what it decodes.
    Gzip(Box<MultiGzDecoder<BoundedBuffer>>, Vec<u8>),
}

impl BodyReader {
    /// Begins a body of at most `limit` bytes after decompression.
    ///
    /// # Errors
    /// When the headers announce more than `limit` bytes, or an encoding that was not asked for.
    pub fn new(headers: &HeaderMap, limit: usize) -> Result<Self, TransportError> {
        // Chunks are the business of whoever reads the connection; nobody undoes another coding, or more than one.
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
        // Beside chunks the announced length means nothing.
        let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        let expected = announced.filter(|_| !chunked).map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let decoder = if gzip {
            let inflated = expected.saturating_mul(4).min(MAX_PREALLOCATION);
            Decoder::Gzip(Box::new(MultiGzDecoder::new(BoundedBuffer::new(limit, inflated))), Vec::new())
        } else if expected > limit {
            return Err(too_large(limit));
        } else {
            Decoder::Identity(Bytes::new(), BoundedBuffer::new(limit, expected))
        };
        Ok(Self { decoder, limit, started: false })
    }

    /// Takes the next bytes from the connection.
    ///
    /// # Errors
    /// When the body exceeds its bound or is not the gzip that it claims to be; nothing more is to be pushed then.
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

    /// Takes the next bytes from the connection, and keeps them as they are if they are the only ones.
    ///
    /// # Errors
    /// As [`push`](Self::push).
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

    /// Room for the next bytes from the connection, never empty. Tell by [`filled`](Self::advance) how many came.
    pub fn spare_mut(&mut self) -> &mut [u8] {
        match &mut self.decoder {
            Decoder::Identity(first, sink) => {
                // Another way of taking bytes has been used before; what it took stays in order.
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

    /// Takes the first `n` bytes of the room, into which they have been read.
    ///
    /// # Errors
    /// As [`push`](Self::push).
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

    /// Ends the body.
    ///
    /// # Errors
    /// When compressed data stops before its end, or its checksum is wrong.
    pub fn finish(self) -> Result<Bytes, TransportError> {
        match self.decoder {
            Decoder::Identity(first, _) if !first.is_empty() => Ok(first),
            Decoder::Identity(_, sink) => Ok(sink.into_bytes()),
            // An empty body is no gzip stream, and no broken one either.
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

/// A buffer that refuses to grow past its limit.
#[derive(Debug)]
struct BoundedBuffer {
    /// What has come, and behind it the room for more.
    bytes: Vec<u8>,
    filled: usize,
    /// How much is expected, by what was announced.
    expected: usize,
    limit: usize,
    overflowed: bool,
}

impl BoundedBuffer {
    fn new(limit: usize, expected: usize) -> Self {
        // No slice is longer, so that one more than the limit is a number too.
        let limit = limit.min(isize::MAX.unsigned_abs());
        Self { bytes: Vec::new(), filled: 0, expected: expected.min(limit), limit, overflowed: false }
    }

    /// Room for at least one byte: of one over the limit it has to be seen that it came.
    fn spare_mut(&mut self) -> &mut [u8] {
        if self.filled == self.bytes.len() {
            if self.filled == self.bytes.capacity() {
                let more = if self.filled < self.expected {
                    1
                } else {
                    MIN_BUFFER.min(self.limit.saturating_sub(self.filled) + 1)
                };
                self.reserve(self.filled + more);
            }
            let end = self.bytes.capacity().min(self.filled + READ_CHUNK);
            self.bytes.resize(end, 0);
        }
        &mut self.bytes[self.filled..]
    }

    fn advance(&mut self, n: usize) -> io::Result<()> {
        self.filled = self.bytes.len().min(self.filled.saturating_add(n));
        self.overflowed = self.filled > self.limit;
        if self.overflowed { Err(io::Error::from(io::ErrorKind::FileTooLarge)) } else { Ok(()) }
    }

    /// Takes what is known to be within the limit.
    fn append(&mut self, chunk: &[u8]) {
        self.bytes.truncate(self.filled);
        self.reserve(self.filled + chunk.len());
        self.bytes.extend_from_slice(chunk);
        self.filled = self.bytes.len();
    }

    /// Makes the buffer large enough for `needed` bytes: at first as large as was announced, as far as that is trusted;
    /// then by doubling, but not past what was announced while that holds, nor past the limit.
    fn reserve(&mut self, needed: usize) {
        let capacity = self.bytes.capacity();
        if needed <= capacity {
            return;
        }
        // One more than announced, in which to see that nothing comes.
        let whole = self.expected + 1;
        let most = if needed <= whole { whole } else { self.limit };
        let wanted = capacity.saturating_mul(2).max(whole.min(MAX_PREALLOCATION)).min(most).max(needed);
        self.bytes.reserve_exact(wanted - self.bytes.len());
    }

    fn into_bytes(mut self) -> Bytes {
        self.bytes.truncate(self.filled);
        self.bytes.into()
    }
}

impl Write for BoundedBuffer {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        if chunk.len() > self.limit.saturating_sub(self.filled) {
            self.overflowed = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.append(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What all headers of that name list, in lower case, but for what changes nothing.
pub(crate) fn codings(headers: &HeaderMap, name: impl AsHeaderName) -> Vec<String> {
    let values = headers.get_all(name).into_iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let listed = values.flat_map(|value| {
        value.split(',').map(|coding| coding.trim().to_ascii_lowercase()).collect::<Vec<_>>()
    });
    listed.filter(|coding| !coding.is_empty() && coding != "identity").collect()
}

pub(crate) fn unsupported_encoding(codings: &[String]) -> TransportError {
    let text = format!("the body is encoded as {:?}, which was not asked for", codings.join(", "));
    TransportError::new(TransportErrorKind::Malformed, text)
}

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

/// How many bytes the head of a response may have. A driver gives this bound to its HTTP library, as nearly as that keeps
/// it: what is far beyond ends in [`TransportErrorKind::Malformed`].
pub const MAX_HEAD_BYTES: usize = 64 << 10;

/// How many headers a response may have; the same holds of it.
pub const MAX_HEADERS: usize = 128;

/// How many bytes an unread header may make us allocate.
const MAX_PREALLOCATION: usize = 1 << 20;

/// How much is read at once, at the most; and how much room there is for a body of which nothing was announced.
const READ_CHUNK: usize = 64 << 10;
const MIN_BUFFER: usize = 8 << 10;

#[cfg(test)]
mod tests;
