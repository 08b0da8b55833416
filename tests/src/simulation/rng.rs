//! Chance, from a seed and nothing else.
//!
//! Ten lines of our own (`SplitMix64`) and no crate: a seed that somebody wrote down must mean the same run after every
//! update of a dependency.

/// A source of draws. A clone repeats what the original is going to draw.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The source that `seed` stands for.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A source of its own for one purpose, so that what one part of a run draws does not move what another part draws.
    #[must_use]
    pub fn fork(&self, purpose: u64) -> Self {
        let mut fork = Self(self.0 ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93));
        fork.draw();
        fork
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number under `bound`; 0 where there is none.
    pub fn below(&mut self, bound: u64) -> u64 {
        u64::try_from((u128::from(self.draw()) * u128::from(bound)) >> 64).unwrap_or_default()
    }

    /// An index of something that is so long.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// Milliseconds from 0 to `most`.
    pub fn millis(&mut self, most: i64) -> i64 {
        i64::try_from(self.below(most.unsigned_abs() + 1)).unwrap_or_default()
    }

    /// True so many times in a thousand.
    pub fn permille(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }

    /// One of `choices`.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }
}
