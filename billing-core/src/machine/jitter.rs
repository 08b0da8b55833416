//! Jitter: pseudo-random numbers that depend only on a seed.

use std::time::Duration;

/// Returns a number from 0 to `bound` that depends only on `seed` and `n`.
pub(crate) fn draw(seed: u64, n: u32, bound: u128) -> u128 {
    // SplitMix64's finalizer: every input bit flips half of the output bits on average.
    let mut z = seed.wrapping_add(u64::from(n).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (u128::from(z) * (bound.min(u128::from(u64::MAX)) + 1)) >> 64
}

/// Returns a duration in milliseconds, at most `u64::MAX` of them.
pub(crate) fn saturating_millis(millis: u128) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}
