//! A digest of the state, by which tests compare two nodes.

use std::hash::{DefaultHasher, Hash, Hasher as _};

/// State of which two nodes can tell whether they have the same.
pub(super) trait Digest {
    /// A number that is the same for the same knowledge, in whatever order it came.
    fn digest(&self) -> u64;

    /// The same for what counts now only, whatever was known before and wherever in the log it was.
    fn digest_of_now(&self) -> u64;
}

/// The digest of one value.
pub(super) fn of(value: &impl Hash) -> u64 {
    // The same in every process.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The digest of values in any order.
pub(super) fn of_set<T: Hash>(values: impl Iterator<Item = T>) -> u64 {
    values.map(|value| of(&value)).fold(0, u64::wrapping_add)
}
