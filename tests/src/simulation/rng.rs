//! Random numbers, from a seed or a tape and nothing else.
//!
//! `SplitMix64` is implemented here, without a crate, so that a recorded seed means the same run after
//! every update of a dependency. A tape holds bytes that a fuzzer writes to change single draws of a run.

use std::cell::Cell;
use std::rc::Rc;

/// A source of draws. A clone repeats the future draws of the original, unless both read on from a tape.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
    tape: Option<Rc<Tape>>,
}

impl Rng {
    /// Creates the source for a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed, tape: None }
    }

    /// Creates a source that reads a tape, two bytes per draw, and then continues as from a seed. It and
    /// all its forks share one position, so that the tape describes the run in order.
    pub fn from_tape(bytes: &[u8]) -> Self {
        Self { state: 0, tape: Some(Rc::new(Tape { bytes: bytes.into(), next: Cell::new(0) })) }
    }

    /// Creates an independent source for one purpose, so that draws of one part of a run do not change
    /// those of another.
    #[must_use]
    pub fn fork(&self, purpose: u64) -> Self {
        let mut fork = Self::new(self.state ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93));
        fork.draw();
        fork.tape.clone_from(&self.tape);
        fork
    }

    /// Draws any number.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let number = z ^ (z >> 31);
        match self.tape.as_ref().and_then(|tape| tape.read()) {
            // The first digits decide: a small number on the tape is an early choice and a short time.
            Some(first) => u64::from(first) << 48 | number >> 16,
            None => number,
        }
    }

    /// Draws a number below `bound`, or 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        u64::try_from((u128::from(self.draw()) * u128::from(bound)) >> 64).unwrap_or_default()
    }

    /// Draws an index below `length`.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// Draws milliseconds from 0 to `most`.
    pub fn millis(&mut self, most: i64) -> i64 {
        i64::try_from(self.below(most.unsigned_abs() + 1)).unwrap_or_default()
    }

    /// Returns true with a probability of `n` per thousand.
    pub fn permille(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }

    /// Draws one of `choices`.
    ///
    /// # Panics
    /// Panics if there are none.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }
}

/// The bytes of a tape, and the current position.
#[derive(Debug)]
struct Tape {
    bytes: Box<[u8]>,
    next: Cell<usize>,
}

impl Tape {
    fn read(&self) -> Option<u16> {
        let two = self.bytes.get(self.next.get()..)?.first_chunk()?;
        self.next.set(self.next.get() + two.len());
        Some(u16::from_be_bytes(*two))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_what_it_always_meant() {
        // The first number of SplitMix64 for the seed 0, as everybody has it.
        let mut rng = Rng::new(0);
        assert_eq!([rng.draw(), rng.draw()], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
        let mut fork = Rng::new(7).fork(3);
        assert_eq!([fork.draw(), fork.draw()], [0x4079_58e4_78d8_e3c6, 0x549a_c7d0_9501_2894]);
    }

    #[test]
    fn a_tape_is_read_once_by_all_together_and_then_it_is_as_without() {
        let root = Rng::from_tape(&[0x80, 0, 0xff, 0xff, 0, 0, 9]);
        let (mut one, mut other) = (root.fork(1), root.fork(2));
        assert_eq!([one.below(100), other.below(100), one.fork(9).below(100)], [50, 99, 0]);
        let mut without = Rng::new(0).fork(1);
        without.draw();
        assert_eq!(one.draw(), without.draw());
    }
}
