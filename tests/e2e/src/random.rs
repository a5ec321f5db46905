//! Random choices that a seed repeats.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

/// A generator whose seed is printed, so that a failure can be reproduced (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator for one test, with a random seed or that of `FANFARE_TEST_SEED`; prints the seed.
    pub fn new(test: &str) -> Self {
        let given = std::env::var("FANFARE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        eprintln!("{test}: FANFARE_TEST_SEED={seed}");
        Self(seed)
    }

    /// A generator with this seed, which the caller prints.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A time from `least` to `most` milliseconds.
    pub fn milliseconds(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.bits() % (most - least + 1))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `limit` - 1.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.bits() % limit as u64).expect("below a usize")
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of these words.
    pub fn word(&mut self, from: &[&str]) -> String {
        from[self.below(from.len())].to_owned()
    }

    /// Up to `most` of these words.
    pub fn words(&mut self, from: &[&str], most: usize) -> Vec<String> {
        self.some(from, most).into_iter().map(str::to_owned).collect()
    }

    /// Up to `most` of these, each at most once, in the order of the list.
    pub fn some<T: Clone>(&mut self, from: &[T], most: usize) -> Vec<T> {
        let mut left = self.below(most + 1).min(from.len());
        let mut chosen = Vec::new();
        for (at, item) in from.iter().enumerate() {
            if self.below(from.len() - at) < left {
                chosen.push(item.clone());
                left -= 1;
            }
        }
        chosen
    }
}
