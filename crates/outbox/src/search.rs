//! Finds the published rows that a broker has lost with the end of its log; pure.
//!
//! Rows are read in pages, the last published first. A log loses its end: of the rows published before the last time at
//! which the log was complete, everything below an existing row exists as well. Rows published since then may have been
//! stored before the loss or after it, so each of them is checked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::publisher::{Found, PublishedRow};

/// How many rows are read after the first existing one of each partition: publications are recorded in batches, so the
/// order of their times is not exactly that of their places.
const BEYOND: usize = 512;

/// The end of a page: the time of its last row, and that row.
pub(crate) type Reached = (i64, i64);

/// The key of a state: its org, type and key.
type StateKey = (Option<String>, String, String);

/// A search backwards from the newest row.
#[derive(Debug)]
pub(crate) struct Search {
    good_until: i64,
    partitions: BTreeSet<u32>,
    reached: Reached,
    /// For each partition the highest place known to exist, of rows published while the log was complete.
    intact: BTreeMap<u32, u64>,
    /// How many rows were read since the last partition was found to be intact.
    beyond: usize,
    /// Whether the newest state of each key read so far is lost.
    later: HashMap<StateKey, bool>,
    lost: Vec<i64>,
}

impl Search {
    /// Starts with the newest of the rows in these partitions; until that time the log was complete.
    pub(crate) fn new(good_until: i64, partitions: BTreeSet<u32>) -> Self {
        Self {
            good_until,
            partitions,
            reached: (i64::MAX, i64::MAX),
            intact: BTreeMap::new(),
            beyond: 0,
            later: HashMap::new(),
            lost: Vec::new(),
        }
    }

    /// How far back it has come.
    pub(crate) fn reached(&self) -> Reached {
        self.reached
    }

    /// Whether this row's place must be checked.
    pub(crate) fn wants(&self, row: &PublishedRow) -> bool {
        let known = self.intact.get(&row.place.partition);
        row.published_at > self.good_until || known.is_none_or(|known| row.place.offset > *known)
    }

    /// Adds a page, with the results for the rows that it [`wants`](Self::wants), and the end of the page.
    pub(crate) fn take(&mut self, page: &[PublishedRow], found: impl IntoIterator<Item = Found>, reached: Reached) {
        let mut found = found.into_iter();
        // As requested: the page's own results count from the next page on.
        let wanted: Vec<bool> = page.iter().map(|row| self.wants(row)).collect();
        for (row, wanted) in page.iter().zip(wanted) {
            self.beyond += 1;
            self.one(row, if wanted { found.next().unwrap_or(Found::Nothing) } else { Found::Itself });
        }
        self.reached = reached;
    }

    fn one(&mut self, row: &PublishedRow, found: Found) {
        let key = state_key(row);
        let newer = key.as_ref().and_then(|key| self.later.get(key).copied());
        let is_lost = match (found, newer) {
            (Found::Itself, _) => false,
            // A newer state of its key replaced it, unless that is lost itself: a broker keeps only the newest state,
            // and it must not be stored after that.
            (Found::Another | Found::Nothing, Some(newer_is_lost)) => newer_is_lost,
            (Found::Another, None) => true,
            // Another writer of this key has replaced it, or it has left the retention.
            (Found::Nothing, None) => false,
        };
        if let Some(key) = key {
            self.later.entry(key).or_insert(is_lost);
        }
        if is_lost {
            self.lost.push(row.seq);
        } else if found == Found::Itself && row.published_at <= self.good_until {
            let known = self.intact.entry(row.place.partition).or_insert_with(|| {
                self.beyond = 0;
                row.place.offset
            });
            *known = (*known).max(row.place.offset);
        }
    }

    /// Whether nothing further back can be lost.
    pub(crate) fn is_over(&self) -> bool {
        self.beyond >= BEYOND && self.partitions.iter().all(|partition| self.intact.contains_key(partition))
    }

    /// The rows that are lost.
    pub(crate) fn into_lost(self) -> Vec<i64> {
        self.lost
    }
}

fn state_key(row: &PublishedRow) -> Option<StateKey> {
    let attributes = &row.event.attributes;
    let org = attributes.org.as_ref().map(ToString::to_string);
    row.event.key.clone().map(|key| (org, attributes.event_type.as_str().to_owned(), key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publisher::Place;
    use crate::testing::encoded;

    const GOOD: i64 = 1000;

    /// An event that is not state.
    fn row(seq: i64, published_at: i64, partition: u32, offset: u64) -> PublishedRow {
        let event = encoded(None, u32::try_from(seq).expect("small"));
        PublishedRow { seq, place: Place { partition, offset }, event, published_at }
    }

    fn state(seq: i64, published_at: i64, offset: u64) -> PublishedRow {
        PublishedRow { event: encoded(Some("acme"), 1), ..row(seq, published_at, 1, offset) }
    }

    /// Searches all rows, newest first, in pages; `found` plays the log.
    fn lost(rows: &[PublishedRow], page: usize, log: impl Fn(&PublishedRow) -> Found) -> (Vec<i64>, usize) {
        let mut search = Search::new(GOOD, rows.iter().map(|row| row.place.partition).collect());
        let mut looks = 0;
        for page in rows.chunks(page) {
            let wanted: Vec<&PublishedRow> = page.iter().filter(|row| search.wants(row)).collect();
            looks += wanted.len();
            let found: Vec<Found> = wanted.into_iter().map(&log).collect();
            search.take(page, found, (0, 0));
            if search.is_over() {
                break;
            }
        }
        let mut lost = search.into_lost();
        lost.sort_unstable();
        (lost, looks)
    }

    fn ends_at(end: u64) -> impl Fn(&PublishedRow) -> Found {
        move |row| if row.place.offset <= end { Found::Itself } else { Found::Another }
    }

    #[test]
    fn the_end_is_found_however_long_it_is_and_not_all_of_the_rest_is_looked_at() {
        let rows: Vec<_> = (1..=10_000).rev().map(|seq| row(seq, GOOD - 10_000 + seq, 0, seq as u64)).collect();
        for end in [10_000, 9_990, 5_000] {
            let (lost, looks) = lost(&rows, 256, ends_at(end));
            assert_eq!(lost, (end as i64 + 1..=10_000).collect::<Vec<_>>());
            assert!(looks <= 10_000 - end as usize + 512, "{looks}");
        }
        assert_eq!(lost(&rows, 256, ends_at(0)).0.len(), 10_000);
    }

    /// Rows that were stored after the loss exist, but prove nothing about those before it.
    #[test]
    fn later_publishes_do_not_hide_a_loss() {
        let newer = (701..=1000).rev().map(|seq| row(seq, GOOD + 1, 0, seq as u64 - 400));
        let older = (1..=700).rev().map(|seq| row(seq, GOOD, 0, seq as u64));
        let rows: Vec<_> = newer.chain(older).collect();
        let log = |row: &PublishedRow| match row.seq {
            ..=300 | 701.. => Found::Itself,
            _ => Found::Another,
        };
        assert_eq!(lost(&rows, 256, log).0, (301..=700).collect::<Vec<_>>());
    }

    #[test]
    fn an_intact_partition_proves_nothing_about_another() {
        let quiet = (1001..=3000).rev().map(|seq| row(seq, GOOD, 2, seq as u64));
        let lossy = (1..=1000).rev().map(|seq| row(seq, GOOD - 1, 0, seq as u64));
        let rows: Vec<_> = quiet.chain(lossy).collect();
        let log = |row: &PublishedRow| if row.place.partition == 2 { Found::Itself } else { ends_at(600)(row) };
        assert_eq!(lost(&rows, 256, log).0, (601..=1000).collect::<Vec<_>>());
    }

    /// The rows of one batch have one time, and places in another order.
    #[test]
    fn a_row_that_is_there_hides_no_row_of_its_batch_behind_it() {
        let rows: Vec<_> = (1..=64).rev().map(|seq| row(seq, GOOD, 0, 65 - seq as u64)).collect();
        for page in [1, 7, 64] {
            assert_eq!(lost(&rows, page, ends_at(40)).0, (1..=24).collect::<Vec<_>>(), "{page}");
        }
    }

    #[test]
    fn a_state_that_a_newer_one_replaced_is_lost_only_with_that() {
        let rows = [state(3, GOOD, 3), state(2, GOOD, 2), state(1, GOOD, 1)];
        let newest_is = |newest: Found| move |row: &PublishedRow| if row.seq == 3 { newest } else { Found::Nothing };
        assert_eq!(lost(&rows, 2, newest_is(Found::Itself)).0, [0; 0]);
        assert_eq!(lost(&rows, 2, newest_is(Found::Another)).0, [1, 2, 3]);
        assert_eq!(lost(&rows, 2, newest_is(Found::Nothing)).0, [0; 0], "somebody else has replaced it");
    }
}
