//! Draws: pseudo-random numbers that depend only on the seed and on their purpose.

use crate::machine::jitter::draw;

/// A source of draws for one purpose.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeededRandom(u64);

impl SeededRandom {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns an independent source for the purpose `what`.
    pub(super) fn derive(self, what: impl AsRef<[u8]>) -> Self {
        // FNV-1a mixes the bits poorly, which is enough here because `draw` mixes them again.
        let mut hash = self.0 ^ 0xcbf2_9ce4_8422_2325;
        for byte in what.as_ref() {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self(hash)
    }

    /// Returns draw number `n`: a number from `low` to `high`, both inclusive.
    pub(super) fn in_range(self, n: u32, low: u64, high: u64) -> u64 {
        let bound = high.saturating_sub(low);
        let drawn = draw(self.0, n, bound.into());
        low + u64::try_from(drawn).unwrap_or(bound)
    }

    /// Returns draw number `n` as a random (version 4) UUID.
    pub(super) fn uuid(self, n: u32) -> String {
        let [a, b] =
            [n.wrapping_mul(2), n.wrapping_mul(2).wrapping_add(1)].map(|n| self.in_range(n, 0, u64::MAX));
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            (b >> 48) & 0x3fff | 0x8000,
            b & 0xffff_ffff_ffff
        )
    }
}
