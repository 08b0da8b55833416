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
/// of the body, by [`room`](Self::room) and [`filled`](Self::filled). The buffer is as large as the announced length, if
/// there is one that can be believed; it grows with what has come, not with what was promised.
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
    /// The first piece as it came, until there is a second one; then the buffer that both are in.
    Identity(Bytes, Bounded),
    /// The decoder, and room for what it decodes.
    Gzip(Box<MultiGzDecoder<Bounded>>, Vec<u8>),
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
        // Beside chunks the announced length means nothing.
        let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        let expected = announced.filter(|_| !chunked).map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let decoder = if gzip {
            let inflated = expected.saturating_mul(4).min(TRUSTED);
            Decoder::Gzip(Box::new(MultiGzDecoder::new(Bounded::new(limit, inflated))), Vec::new())
        } else if expected > limit {
            return Err(too_large(limit));
        } else {
            Decoder::Identity(Bytes::new(), Bounded::new(limit, expected))
        };
        Ok(Self { decoder, limit, begun: false })
    }

    /// Takes the next bytes from the connection.
    ///
    /// # Errors
    /// When the body exceeds its bound or is not the gzip that it claims to be; nothing more is to be pushed then.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), TransportError> {
        if chunk.is_empty() {
            return Ok(());
        }
        self.begun = true;
        let (outcome, full) = match &mut self.decoder {
            Decoder::Identity(first, sink) => {
                let first = mem::take(first);
                (sink.write_all(&first).and_then(|()| sink.write_all(chunk)), sink.full)
            }
            Decoder::Gzip(decoder, _) => {
                let outcome = decoder.write_all(chunk);
                (outcome, decoder.get_ref().full)
            }
        };
        self.judge(outcome, full)
    }

    /// Takes the next bytes from the connection, and keeps them as they are if they are the only ones.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_bytes(&mut self, chunk: Bytes) -> Result<(), TransportError> {
        match &mut self.decoder {
            Decoder::Identity(first, _) if !self.begun && chunk.len() <= self.limit => {
                self.begun = !chunk.is_empty();
                *first = chunk;
                Ok(())
            }
            _ => self.push(&chunk),
        }
    }

    /// Room for the next bytes from the connection, never empty. Tell by [`filled`](Self::filled) how many came.
    pub fn room(&mut self) -> &mut [u8] {
        match &mut self.decoder {
            Decoder::Identity(first, sink) => {
                // Another way of taking bytes has been used before; what it took stays in order.
                let first = mem::take(first);
                sink.append(&first);
                sink.room()
            }
            Decoder::Gzip(_, input) => {
                input.resize(ROOM, 0);
                input
            }
        }
    }

    /// Takes the first `n` bytes of the room, into which they have been read.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn filled(&mut self, n: usize) -> Result<(), TransportError> {
        self.begun |= n > 0;
        let (outcome, full) = match &mut self.decoder {
            Decoder::Identity(_, sink) => (sink.advance(n), sink.full),
            Decoder::Gzip(decoder, input) => {
                let outcome = decoder.write_all(&input[..n.min(input.len())]);
                (outcome, decoder.get_ref().full)
            }
        };
        self.judge(outcome, full)
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
            Decoder::Gzip(..) if !self.begun => Ok(Bytes::new()),
            Decoder::Gzip(mut decoder, _) => {
                let outcome = decoder.try_finish();
                let full = decoder.get_ref().full;
                match outcome.and_then(|()| decoder.finish()) {
                    Ok(sink) => Ok(sink.into_bytes()),
                    Err(_) if full => Err(too_large(self.limit)),
                    Err(error) => Err(corrupt(&error)),
                }
            }
        }
    }

    fn judge(&self, outcome: io::Result<()>, full: bool) -> Result<(), TransportError> {
        match outcome {
            Ok(()) => Ok(()),
            Err(_) if full => Err(too_large(self.limit)),
            Err(error) => Err(corrupt(&error)),
        }
    }
}

/// A buffer that refuses to grow past its limit.
#[derive(Debug)]
struct Bounded {
    /// What has come, and behind it the room for more.
    bytes: Vec<u8>,
    filled: usize,
    /// How much is expected, by what was announced.
    expected: usize,
    limit: usize,
    full: bool,
}

impl Bounded {
    fn new(limit: usize, expected: usize) -> Self {
        // No slice is longer, so that one more than the limit is a number too.
        let limit = limit.min(isize::MAX.unsigned_abs());
        Self { bytes: Vec::new(), filled: 0, expected: expected.min(limit), limit, full: false }
    }

    /// Room for at least one byte: of one over the limit it has to be seen that it came.
    fn room(&mut self) -> &mut [u8] {
        if self.filled == self.bytes.len() {
            if self.filled == self.bytes.capacity() {
                let more = if self.filled < self.expected {
                    1
                } else {
                    LEAST.min(self.limit.saturating_sub(self.filled) + 1)
                };
                self.reserve(self.filled + more);
            }
            let end = self.bytes.capacity().min(self.filled + ROOM);
            self.bytes.resize(end, 0);
        }
        &mut self.bytes[self.filled..]
    }

    fn advance(&mut self, n: usize) -> io::Result<()> {
        self.filled = self.bytes.len().min(self.filled.saturating_add(n));
        self.full = self.filled > self.limit;
        if self.full { Err(io::Error::from(io::ErrorKind::FileTooLarge)) } else { Ok(()) }
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
        let wanted = capacity.saturating_mul(2).max(whole.min(TRUSTED)).min(most).max(needed);
        self.bytes.reserve_exact(wanted - self.bytes.len());
    }

    fn into_bytes(mut self) -> Bytes {
        self.bytes.truncate(self.filled);
        self.bytes.into()
    }
}

impl Write for Bounded {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        if chunk.len() > self.limit.saturating_sub(self.filled) {
            self.full = true;
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

pub(crate) fn not_asked_for(codings: &[String]) -> TransportError {
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
pub const MAX_HEAD: usize = 64 << 10;

/// How many headers a response may have; the same holds of it.
pub const MAX_HEADERS: usize = 128;

/// How many bytes an unread header may make us allocate.
const TRUSTED: usize = 1 << 20;

/// How much is read at once, at the most; and how much room there is for a body of which nothing was announced.
const ROOM: usize = 64 << 10;
const LEAST: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Read;

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

    /// The same by the other two ways: whole pieces, and through the room as far as it reaches.
    fn owned(headers: &HeaderMap, limit: usize, chunks: &[&[u8]]) -> Result<Bytes, TransportErrorKind> {
        let mut body = BodyReader::new(headers, limit).map_err(|e| e.kind())?;
        for chunk in chunks {
            body.push_bytes(Bytes::copy_from_slice(chunk)).map_err(|e| e.kind())?;
        }
        body.finish().map_err(|e| e.kind())
    }

    fn through_room(
        headers: &HeaderMap,
        limit: usize,
        chunks: &[&[u8]],
    ) -> Result<Bytes, TransportErrorKind> {
        let mut body = BodyReader::new(headers, limit).map_err(|e| e.kind())?;
        for chunk in chunks {
            let mut left = *chunk;
            while !left.is_empty() {
                let n = left.read(body.room()).unwrap();
                body.filled(n).map_err(|e| e.kind())?;
            }
        }
        assert!(!body.room().is_empty());
        body.filled(0).map_err(|e| e.kind())?;
        body.finish().map_err(|e| e.kind())
    }

    #[test]
    fn each_way_of_taking_bytes_comes_to_the_same() {
        let long: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let zipped = gzip(&long);
        let (plain, encoded) = (headers(&[]), headers(&[("content-encoding", "gzip")]));
        let said = headers(&[("content-length", "200000")]);
        let too_little = headers(&[("content-length", "7")]);
        let bodies: [(&HeaderMap, &[u8]); 4] =
            [(&plain, &long), (&said, &long), (&too_little, &long), (&encoded, &zipped)];
        for (headers, bytes) in bodies {
            for size in [1_000, 8 << 10, 70_000, 1 << 20] {
                let chunks: Vec<_> = bytes.chunks(size).collect();
                for limit in [200_000, 200_001, usize::MAX] {
                    assert_eq!(read(headers, limit, &chunks).unwrap(), long);
                    assert_eq!(owned(headers, limit, &chunks).unwrap(), long);
                    assert_eq!(through_room(headers, limit, &chunks).unwrap(), long);
                }
                for limit in [0, 1, 8 << 10, 199_999] {
                    let full = Err(TransportErrorKind::TooLarge { limit });
                    assert_eq!(read(headers, limit, &chunks), full);
                    assert_eq!(owned(headers, limit, &chunks), full);
                    assert_eq!(through_room(headers, limit, &chunks), full);
                }
            }
        }
    }

    #[test]
    fn the_ways_of_taking_bytes_can_be_mixed() {
        let mut body = BodyReader::new(&headers(&[]), 100).unwrap();
        body.push_bytes(Bytes::from_static(b"one ")).unwrap();
        body.room()[..4].copy_from_slice(b"two ");
        body.filled(4).unwrap();
        body.push(b"three ").unwrap();
        body.push_bytes(Bytes::from_static(b"four")).unwrap();
        assert_eq!(body.finish().unwrap(), "one two three four");
    }

    #[test]
    fn a_body_in_one_piece_is_not_copied() {
        let piece = Bytes::from(vec![b' '; 1000]);
        let mut body = BodyReader::new(&headers(&[]), 1000).unwrap();
        body.push_bytes(piece.clone()).unwrap();
        body.push_bytes(Bytes::new()).unwrap();
        assert_eq!(body.finish().unwrap().as_ptr(), piece.as_ptr());
    }

    #[test]
    fn the_buffer_is_as_large_as_what_was_announced_and_came() {
        let capacity = |announced: usize, came: usize| {
            let said = headers(&[("content-length", announced.to_string().as_str())]);
            let mut body = BodyReader::new(&said, 1 << 30).unwrap();
            for chunk in vec![b' '; came].chunks(40_000) {
                body.push(chunk).unwrap();
            }
            let Decoder::Identity(_, sink) = body.decoder else { panic!("not encoded") };
            sink.bytes.capacity()
        };
        assert_eq!(capacity(50_000, 50_000), 50_001);
        assert_eq!(capacity(5 << 20, 5 << 20), (5 << 20) + 1);
        // A length that is a lie makes us allocate no more than a little, or than what came.
        assert_eq!(capacity(1 << 29, 1), TRUSTED);
        assert!(capacity(1 << 29, 5 << 20) <= 10 << 20);
        assert!(capacity(1, 5 << 20) <= 10 << 20);
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
        let Decoder::Gzip(decoder, _) = &body.decoder else { panic!("a gzip body") };
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
