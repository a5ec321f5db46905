//! Label values from outside, bounded in number.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

/// A label value that costs a reference count to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Label(Arc<str>);

impl EncodeLabelValue for Label {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        EncodeLabelValue::encode(&self.0.as_ref(), encoder)
    }
}

/// The label for every value that is too long or exceeds the limit.
pub(super) const OTHER: &str = "other";

/// The longest label value; longer ones are not names of ours.
const LONGEST: usize = 160;

/// The first values seen, up to a limit; every later one becomes [`OTHER`].
///
/// Each value is a time series for as long as the process lives, and senders choose the names they send.
#[derive(Clone, Debug)]
pub(super) struct LabelPool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    other: Label,
    known: RwLock<HashSet<Arc<str>>>,
}

impl LabelPool {
    /// A pool of at most `limit` different values.
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Inner { limit, other: Label(OTHER.into()), known: RwLock::default() }))
    }

    /// The label for `value`.
    pub(super) fn label(&self, value: &str) -> Label {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(label) = known.get(value) {
            return Label(label.clone());
        }
        let full = known.len() >= self.0.limit;
        drop(known);
        if full || value.len() > LONGEST {
            return self.0.other.clone();
        }
        self.add(value)
    }

    fn add(&self, value: &str) -> Label {
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        // Between the two locks another thread may have added this value, or the last one that fits.
        if let Some(label) = known.get(value) {
            return Label(label.clone());
        }
        if known.len() >= self.0.limit {
            return self.0.other.clone();
        }
        let label: Arc<str> = value.into();
        known.insert(label.clone());
        Label(label)
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, LabelPool, OTHER};

    #[test]
    fn the_pool_answers_other_once_it_is_full() {
        let pool = LabelPool::new(2);
        let text = |value: &str| pool.label(value).0.to_string();
        assert_eq!([text("a"), text("b"), text("c"), text("a")], ["a", "b", OTHER, "a"]);
    }

    #[test]
    fn a_value_that_is_too_long_takes_no_place() {
        let pool = LabelPool::new(1);
        assert_eq!(&*pool.label(&"x".repeat(LONGEST + 1)).0, OTHER);
        assert_eq!(&*pool.label("kept").0, "kept");
    }

    #[test]
    fn threads_together_do_not_exceed_the_limit() {
        let pool = LabelPool::new(10);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let pool = &pool;
                scope.spawn(move || (0..100).for_each(|n| drop(pool.label(&format!("{thread}-{n}")))));
            }
        });
        assert_eq!(pool.0.known.read().expect("no thread panicked").len(), 10);
    }
}
