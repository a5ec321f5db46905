//! Several values of one key, and which of them counts: the same one, in whatever order they are read.

use smallvec::SmallVec;

use crate::vocabulary::Place;

/// One thing that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version<T> {
    /// The producer's revision, if it gave one.
    pub revision: Option<i64>,
    /// Where it was said.
    pub place: Place,
    /// What was said.
    pub value: T,
}

/// What became of something that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precedence {
    /// It counts from now on.
    Newest,
    /// It was said at this very place before.
    Again,
    /// Something else counts.
    Older,
}

/// How much of the past is remembered besides what counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// So many versions at most.
    pub versions: usize,
    /// Values before this time (broker time, in milliseconds) are forgotten, except what counted then.
    pub horizon: i64,
}

impl Memory {
    /// Nothing besides what counts.
    pub(super) const NONE: Self = Self { versions: 0, horizon: i64::MAX };
}

/// The versions of one thing, by place.
///
/// Of the versions with a revision the highest revision counts, of equal ones the later place; of those without
/// one the latest place. Where there are both, the later of these two counts: a producer that gives no revision
/// means "as of now". Each of the two is the greatest of its kind in a total order, so the outcome depends on
/// what was said alone and not on the order in which partitions were read (rule 4.3).
#[derive(Debug, Clone)]
pub(super) struct Versions<T>(SmallVec<[Version<T>; 1]>);

impl<T> Default for Versions<T> {
    fn default() -> Self {
        Self(SmallVec::new())
    }
}

impl<T> Versions<T> {
    /// Adds what was said; with it what is forgotten for it.
    pub(super) fn add(&mut self, version: Version<T>, memory: Memory) -> (Precedence, SmallVec<[Version<T>; 1]>) {
        let rank = version.place.rank();
        let Err(at) = self.0.binary_search_by_key(&rank, |known| known.place.rank()) else {
            return (Precedence::Again, SmallVec::new());
        };
        self.0.insert(at, version);
        let added = if self.newest() == Some(at) { Precedence::Newest } else { Precedence::Older };
        (added, self.forget(memory))
    }

    /// What counts.
    pub(super) fn current(&self) -> Option<&Version<T>> {
        self.newest().map(|at| &self.0[at])
    }

    /// The highest revision that was given, and where.
    pub(super) fn highest_revision(&self) -> Option<(i64, Place)> {
        let version = &self.0[self.last_revised()?];
        Some((version.revision?, version.place))
    }

    /// What was said at a place.
    pub(super) fn at_mut(&mut self, place: Place) -> Option<&mut Version<T>> {
        self.0.iter_mut().find(|version| version.place == place)
    }

    /// What counted in turn, as somebody saw it who read everything in the order of places.
    pub(super) fn timeline(&self) -> impl Iterator<Item = &Version<T>> {
        let mut highest = None;
        self.0.iter().filter(move |version| {
            let counts = version.revision.is_none() || version.revision >= highest;
            highest = highest.max(version.revision);
            counts
        })
    }

    /// Everything that is remembered, by place.
    pub(super) fn all(&self) -> &[Version<T>] {
        &self.0
    }

    fn newest(&self) -> Option<usize> {
        self.last_revised().max(self.last_plain())
    }

    fn last_revised(&self) -> Option<usize> {
        last_revised(&self.0)
    }

    fn last_plain(&self) -> Option<usize> {
        last_plain(&self.0)
    }

    /// Forgets what is no longer needed. What stays depends only on the values themselves: the last few, and the greatest
    /// of each kind, of all and of those before the last few.
    pub(super) fn forget(&mut self, memory: Memory) -> SmallVec<[Version<T>; 1]> {
        let begins = self.0.partition_point(|version| version.place.time < memory.horizon);
        let first = self.0.len().saturating_sub(memory.versions).max(begins);
        // What counted at the start of what stays. The last one before it need not: its revision may be an older one, and
        // without the higher one before it, it would count.
        let before = &self.0[..first];
        let greatest = [self.last_revised(), self.last_plain(), last_revised(before), last_plain(before)];
        let stays = |at: usize| at >= first || greatest.contains(&Some(at));
        if (0..self.0.len()).all(stays) {
            return SmallVec::new();
        }
        let (mut kept, mut gone) = (SmallVec::new(), SmallVec::new());
        for (at, version) in std::mem::take(&mut self.0).into_iter().enumerate() {
            if stays(at) { kept.push(version) } else { gone.push(version) }
        }
        self.0 = kept;
        gone
    }
}

/// The version with the highest revision, of equal ones the last.
fn last_revised<T>(versions: &[Version<T>]) -> Option<usize> {
    let revised = versions.iter().enumerate().filter_map(|(at, version)| Some((version.revision?, at)));
    revised.max().map(|(_, at)| at)
}

/// The last version without a revision.
fn last_plain<T>(versions: &[Version<T>]) -> Option<usize> {
    versions.iter().rposition(|version| version.revision.is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(revision: Option<i64>, time: i64) -> Version<i64> {
        Version { revision, place: Place { partition: 0, offset: 0, time }, value: time }
    }

    /// What counts, which is the same whether much or nothing beyond it is remembered.
    fn current(said: &[Version<i64>]) -> Option<i64> {
        let [little, much] = [Memory::NONE, Memory { versions: 100, horizon: 0 }].map(|memory| {
            let mut versions = Versions::default();
            for version in said {
                versions.add(version.clone(), memory);
            }
            versions.current().map(|version| version.value)
        });
        assert_eq!(little, much, "{said:?}");
        much
    }

    #[test]
    fn the_highest_revision_counts_and_what_has_none_counts_as_of_its_time() {
        assert_eq!(current(&[said(Some(2), 1), said(Some(1), 5)]), Some(1));
        assert_eq!(current(&[said(Some(2), 1), said(None, 5)]), Some(5));
        assert_eq!(current(&[said(None, 5), said(Some(1), 7)]), Some(7));
        assert_eq!(current(&[said(Some(2), 1), said(Some(2), 3)]), Some(3), "of equal revisions the later one");
        assert_eq!(current(&[said(Some(1), 10), said(None, 8), said(Some(2), 5)]), Some(8));
    }

    #[test]
    fn the_timeline_leaves_out_what_never_counted() {
        let mut versions = Versions::default();
        for version in [said(Some(1), 1), said(Some(3), 3), said(Some(2), 5), said(None, 6), said(Some(4), 9)] {
            versions.add(version, Memory { versions: 8, horizon: 0 });
        }
        assert_eq!(versions.timeline().map(|version| version.value).collect::<Vec<_>>(), [1, 3, 6, 9]);
    }

    /// A late withdrawal of an older revision would count once the grant before it is forgotten, and the other way round.
    #[test]
    fn what_never_counted_does_not_count_once_what_overruled_it_is_old() {
        let all = [said(Some(18), 1), said(Some(7), 3), said(Some(19), 5), said(Some(20), 6)];
        for memory in [Memory { versions: 3, horizon: 0 }, Memory { versions: 100, horizon: 4 }] {
            let mut versions = Versions::default();
            for version in all.clone() {
                versions.add(version, memory);
            }
            assert_eq!(versions.timeline().map(|version| version.value).collect::<Vec<_>>(), [1, 5, 6]);
        }
    }

    #[test]
    fn what_lies_before_the_horizon_is_forgotten_but_for_the_last() {
        let mut versions = Versions::default();
        for time in 1..=9 {
            versions.add(said(None, time), Memory { versions: 100, horizon: time - 3 });
        }
        assert_eq!(versions.all().iter().map(|version| version.value).collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
        assert_eq!(versions.add(said(None, 9), Memory::NONE).0, Precedence::Again);
    }

    proptest! {
        /// Any order of reading ends alike, in what counts, in what is remembered and in what counted when.
        #[test]
        fn the_order_of_reading_does_not_matter(
            all in prop::collection::vec((prop::option::of(0i64..6), 0i64..30), 1..20),
            order in prop::collection::vec(any::<prop::sample::Index>(), 20),
            kept in 0usize..5,
        ) {
            let all: Vec<_> = all.into_iter().map(|(revision, time)| said(revision, time)).collect();
            let mut shuffled = all.clone();
            for (at, index) in order.iter().enumerate().take(shuffled.len()) {
                let other = index.index(shuffled.len());
                shuffled.swap(at, other);
            }
            // Two things cannot be said at one place.
            let mut places = std::collections::HashMap::new();
            let all: Vec<_> = all.into_iter().filter(|v| places.insert(v.place, v.clone()).is_none()).collect();
            let shuffled: Vec<_> = shuffled.into_iter().filter(|v| all.contains(v)).collect();
            let fold = |all: &[Version<i64>]| {
                let mut versions = Versions::default();
                for version in all {
                    versions.add(version.clone(), Memory { versions: kept, horizon: 10 });
                }
                (versions.current().cloned(), versions.all().to_vec())
            };
            prop_assert_eq!(fold(&all), fold(&shuffled));
        }
    }
}
