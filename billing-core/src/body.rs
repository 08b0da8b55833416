//! Bodies: collected, inflated and bounded while they are read. And the bounds of what stands before them.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::{AsHeaderName, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};

use crate::{TransportError, TransportErrorKind};

/// Collects the body of one response, chunk by chunk, as a driver reads it from its connection.
///
/// It undoes `Content-Encoding: gzip` (the one encoding that the requests ask for), and it refuses the first byte over
/// the bound, so that neither a long body nor a small one that inflates without end fills the memory.
///
/// ```
/// use billing_core::BodyReader;
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
    begun: bool,
}

#[derive(Debug)]
enum Decoder {
    Identity(Bounded),
    Gzip(Box<MultiGzDecoder<Bounded>>),
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
            codings => return Err(not_asked_for(codings)),
        };
        let gzip = match &codings(headers, CONTENT_ENCODING)[..] {
            [] => false,
            [encoding] if encoding == "gzip" || encoding == "x-gzip" => true,
            encodings => return Err(not_asked_for(encodings)),
        };
        // The announced length is a hint for one allocation, and never trusted for much. Beside chunks it means nothing.
        let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        let expected = announced.filter(|_| !chunked).map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let decoder = if gzip {
            let inflated = expected.saturating_mul(4).min(TRUSTED).min(limit);
            Decoder::Gzip(Box::new(MultiGzDecoder::new(Bounded::new(limit, inflated))))
        } else if expected > limit {
            return Err(too_large(limit));
        } else {
            Decoder::Identity(Bounded::new(limit, expected.min(TRUSTED)))
        };
        Ok(Self { decoder, limit, begun: false })
    }

    /// Takes the next bytes from the connection.
    ///
    /// # Errors
    /// When the body exceeds its bound or is not the gzip that it claims to be; nothing more is to be pushed then.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), TransportError> {
        self.begun |= !chunk.is_empty();
        let (outcome, full) = match &mut self.decoder {
            Decoder::Identity(sink) => (sink.write_all(chunk), sink.full),
            Decoder::Gzip(decoder) => {
                let outcome = decoder.write_all(chunk);
                (outcome, decoder.get_ref().full)
            }
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(_) if full => Err(too_large(self.limit)),
            Err(error) => Err(corrupt(&error)),
        }
    }

    /// Ends the body.
    ///
    /// # Errors
    /// When compressed data stops before its end, or its checksum is wrong.
    pub fn finish(self) -> Result<Bytes, TransportError> {
        match self.decoder {
            Decoder::Identity(sink) => Ok(sink.bytes.into()),
            // An empty body is no gzip stream, and no broken one either.
            Decoder::Gzip(_) if !self.begun => Ok(Bytes::new()),
            Decoder::Gzip(mut decoder) => {
                let outcome = decoder.try_finish();
                let full = decoder.get_ref().full;
                match outcome.and_then(|()| decoder.finish()) {
                    Ok(sink) => Ok(sink.bytes.into()),
                    Err(_) if full => Err(too_large(self.limit)),
                    Err(error) => Err(corrupt(&error)),
                }
            }
        }
    }
}

/// A buffer that refuses to grow past its limit.
#[derive(Debug)]
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    full: bool,
}

impl Bounded {
    fn new(limit: usize, expected: usize) -> Self {
        Self { bytes: Vec::with_capacity(expected), limit, full: false }
    }
}

impl Write for Bounded {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        let needed = self.bytes.len().saturating_add(chunk.len());
        if needed > self.limit {
            self.full = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        if needed > self.bytes.capacity() {
            // Doubling, but never past the bound: the last step must not take twice what is allowed.
            let capacity = needed.max(self.bytes.capacity().saturating_mul(2)).min(self.limit);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What all headers of that name list, in lower case, but for what changes nothing.
fn codings(headers: &HeaderMap, name: impl AsHeaderName) -> Vec<String> {
    let values = headers.get_all(name).into_iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let listed = values.flat_map(|value| {
        value.split(',').map(|coding| coding.trim().to_ascii_lowercase()).collect::<Vec<_>>()
    });
    listed.filter(|coding| !coding.is_empty() && coding != "identity").collect()
}

fn not_asked_for(codings: &[String]) -> TransportError {
    let text = format!("the body is encoded as {:?}, which was not asked for", codings.join(", "));
    TransportError::new(TransportErrorKind::Malformed, text)
}

fn too_large(limit: usize) -> TransportError {
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
pub const MAX_HEAD: usize = 64 << 10;

/// How many headers a response may have; the same holds of it.
pub const MAX_HEADERS: usize = 128;

/// How many bytes an unread header may make us allocate.
const TRUSTED: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (http::HeaderName::from_static(k), v.parse().unwrap())).collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(headers: &HeaderMap, limit: usize, chunks: &[&[u8]]) -> Result<Bytes, TransportErrorKind> {
        let mut body = BodyReader::new(headers, limit).map_err(|e| e.kind())?;
        for chunk in chunks {
            body.push(chunk).map_err(|e| e.kind())?;
        }
        body.finish().map_err(|e| e.kind())
    }

    #[test]
    fn rule_14_the_bound_holds_while_reading() {
        let full = Err(TransportErrorKind::TooLarge { limit: 4 });
        assert_eq!(read(&headers(&[]), 4, &[b"12", b"34"]).unwrap(), "1234");
        assert_eq!(read(&headers(&[]), 4, &[b"12", b"345"]), full);
        assert_eq!(read(&headers(&[("content-length", "5")]), 4, &[]), full);
        assert_eq!(read(&headers(&[("content-length", "99999999999999999999")]), 4, &[b"1"]).unwrap(), "1");
    }

    #[test]
    fn rule_14_a_bomb_is_stopped_at_the_bound() {
        let bomb = gzip(&vec![0; 8 << 20]);
        let encoded = headers(&[("content-encoding", "gzip")]);
        let mut body = BodyReader::new(&encoded, 1 << 20).unwrap();
        let stopped = bomb.chunks(64).find_map(|chunk| body.push(chunk).err()).unwrap();
        assert_eq!(stopped.kind(), TransportErrorKind::TooLarge { limit: 1 << 20 });
        let Decoder::Gzip(decoder) = &body.decoder else { panic!("a gzip body") };
        assert!(decoder.get_ref().bytes.capacity() <= 1 << 20);
    }

    #[test]
    fn gzip_is_undone_and_its_end_is_checked() {
        let encoded = headers(&[("content-encoding", "GZIP")]);
        let whole = gzip(b"hello, hello, hello");
        for cut in 0..whole.len() {
            let (a, b) = whole.split_at(cut);
            assert_eq!(read(&encoded, 100, &[a, b]).unwrap(), "hello, hello, hello");
            if cut > 0 {
                assert_eq!(read(&encoded, 100, &[a]), Err(TransportErrorKind::Truncated), "cut at {cut}");
            }
        }
        assert_eq!(read(&encoded, 100, &[]).unwrap(), "");
        assert_eq!(read(&encoded, 100, &[b"<html>"]), Err(TransportErrorKind::Truncated));
        let twice = [gzip(b"one"), gzip(b"two")].concat();
        assert_eq!(read(&encoded, 100, &[&twice]).unwrap(), "onetwo");
    }

    #[test]
    fn an_encoding_that_was_not_asked_for_is_an_error() {
        for odd in ["br", "deflate", "gzip, gzip", "br, gzip", "\u{e9}"] {
            let odd = headers(&[("content-encoding", odd)]);
            assert_eq!(read(&odd, 9, &[]), Err(TransportErrorKind::Malformed), "{odd:?}");
        }
        let whole = gzip(b"hello");
        for same in ["gzip", "x-gzip", "identity, GZIP", "gzip,"] {
            assert_eq!(
                read(&headers(&[("content-encoding", same)]), 9, &[&whole]).unwrap(),
                "hello",
                "{same}"
            );
        }
    }

    #[test]
    fn a_second_header_with_another_encoding_is_not_overlooked() {
        let mut two = headers(&[("content-encoding", "gzip")]);
        two.append(CONTENT_ENCODING, "br".parse().unwrap());
        assert_eq!(read(&two, 9, &[&gzip(b"hello")]), Err(TransportErrorKind::Malformed));
    }

    #[test]
    fn a_transfer_coding_that_nobody_undoes_is_an_error() {
        for odd in ["gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked"] {
            let odd = headers(&[("transfer-encoding", odd)]);
            assert_eq!(read(&odd, 9, &[b"hello"]), Err(TransportErrorKind::Malformed), "{odd:?}");
        }
    }

    #[test]
    fn a_length_beside_chunks_means_nothing() {
        let both = headers(&[("transfer-encoding", "Chunked"), ("content-length", "99999999999")]);
        assert_eq!(read(&both, 9, &[b"hello"]).unwrap(), "hello");
    }
}
