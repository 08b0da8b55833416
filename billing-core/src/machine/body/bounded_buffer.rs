//! A growing buffer with a limit, for response bodies.

use std::io::{self, Write};

use bytes::Bytes;

/// A buffer that refuses to grow past its limit.
#[derive(Debug)]
pub(super) struct BoundedBuffer {
    /// The received bytes, followed by spare room.
    pub(super) bytes: Vec<u8>,
    /// The number of received bytes.
    filled: usize,
    /// The announced length in bytes, or 0.
    expected: usize,
    limit: usize,
    pub(super) overflowed: bool,
}

impl BoundedBuffer {
    pub(super) fn new(limit: usize, expected: usize) -> Self {
        // No slice is longer than `isize::MAX`; so `limit + 1` cannot overflow.
        let limit = limit.min(isize::MAX.unsigned_abs());
        Self { bytes: Vec::new(), filled: 0, expected: expected.min(limit), limit, overflowed: false }
    }

    /// Returns room for at least one byte, even at the limit: a byte over the limit must be detected.
    pub(super) fn spare_mut(&mut self) -> &mut [u8] {
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

    pub(super) fn advance(&mut self, n: usize) -> io::Result<()> {
        self.filled = self.bytes.len().min(self.filled.saturating_add(n));
        self.overflowed = self.filled > self.limit;
        if self.overflowed { Err(io::Error::from(io::ErrorKind::FileTooLarge)) } else { Ok(()) }
    }

    /// Appends a chunk that is known to fit the limit.
    pub(super) fn append(&mut self, chunk: &[u8]) {
        self.bytes.truncate(self.filled);
        self.reserve(self.filled + chunk.len());
        self.bytes.extend_from_slice(chunk);
        self.filled = self.bytes.len();
    }

    /// Grows the buffer to at least `needed` bytes. The first allocation has the announced length, up to
    /// `MAX_PREALLOCATION`. Later ones double the capacity, but stop at the announced length until more than
    /// that arrives, and at the limit.
    fn reserve(&mut self, needed: usize) {
        let capacity = self.bytes.capacity();
        if needed <= capacity {
            return;
        }
        // One byte more than announced, to detect the end without growing the buffer.
        let whole = self.expected + 1;
        let most = if needed <= whole { whole } else { self.limit };
        let wanted = capacity.saturating_mul(2).max(whole.min(MAX_PREALLOCATION)).min(most).max(needed);
        self.bytes.reserve_exact(wanted - self.bytes.len());
    }

    pub(super) fn into_bytes(mut self) -> Bytes {
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

/// The largest allocation that a `Content-Length` header alone can cause, in bytes.
pub(super) const MAX_PREALLOCATION: usize = 1 << 20;

/// The largest number of bytes read at once.
pub(super) const READ_CHUNK: usize = 64 << 10;
/// The first buffer size for a body of unknown length, in bytes.
const MIN_BUFFER: usize = 8 << 10;
