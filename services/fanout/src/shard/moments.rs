//! The moments of a connection that an operator asks for: eight bytes each, the first few and the newest.

use std::time::Instant;

use fanfare_event::Timestamp;
use smallvec::SmallVec;

use super::{Core, Key};
use crate::connection::ConnectionId;
use crate::operator::connections::{Moment, What};

/// How many are kept.
const MOST: usize = 16;

/// How many of the first are kept.
const FIRST: usize = 4;

/// What a connection has been through since it was opened.
#[derive(Debug, Default)]
pub(super) struct Moments {
    /// Two are in place, as many as most connections have: to be admitted, and to have caught up.
    kept: SmallVec<[Kept; 2]>,
    left_out: u32,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    /// Milliseconds since the connection was opened; seven weeks at most.
    after: u32,
    /// How many notifications it is about.
    count: u16,
    what: What,
}

impl Moments {
    pub(super) fn note(&mut self, opened: Instant, now: Instant, what: What, count: usize) {
        if self.kept.len() == MOST {
            self.kept.remove(FIRST);
            self.left_out = self.left_out.saturating_add(1);
        }
        let after = u32::try_from(now.saturating_duration_since(opened).as_millis()).unwrap_or(u32::MAX);
        self.kept.push(Kept { after, count: u16::try_from(count).unwrap_or(u16::MAX), what });
    }
}

impl Core {
    /// Notes what happens to a connection.
    pub(super) fn note_moment(&mut self, key: Key, what: What, count: usize) {
        let now = self.now();
        if let Some(tab) = self.connections.get_mut(key) {
            let opened = tab.life.opened;
            tab.life.moments.note(opened, now, what, count);
        }
    }

    /// The moments of a connection, the first one first; none if it has ended meanwhile.
    #[must_use]
    pub fn timeline(&self, id: ConnectionId, key: Key) -> Vec<Moment> {
        let Some(tab) = self.connections.get(key).filter(|tab| tab.id == id) else { return Vec::new() };
        let at =
            |after: u32| Timestamp(tab.life.since.saturating_mul(1000).saturating_add(i64::from(after))).to_rfc3339();
        let Moments { kept, left_out } = &tab.life.moments;
        let moment = |kept: &Kept| Moment { at: at(kept.after), what: kept.what, count: u32::from(kept.count) };
        let mut moments = vec![Moment { at: at(0), what: What::Opened, count: 0 }];
        moments.extend(kept.iter().map(moment));
        if *left_out > 0 {
            // In the place of those that were forgotten.
            let next = kept.get(FIRST).map_or(0, |kept| kept.after);
            moments.insert(1 + FIRST, Moment { at: at(next), what: What::LeftOut, count: *left_out });
        }
        moments
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn of_many_moments_the_first_and_the_newest_are_kept_in_little_memory() {
        assert_eq!(size_of::<Kept>(), 8);
        let (start, mut moments) = (Instant::now(), Moments::default());
        for number in 0..1000_u32 {
            moments.note(start, start + Duration::from_millis(u64::from(number)), What::Replayed, 100_000);
        }
        let after: Vec<u32> = moments.kept.iter().map(|kept| kept.after).collect();
        assert_eq!((after.len(), moments.left_out), (MOST, 1000 - 16));
        assert_eq!((&after[..FIRST], after[FIRST], after[MOST - 1]), (&[0, 1, 2, 3][..], 988, 999));
        assert_eq!(moments.kept[0].count, u16::MAX);
        moments.note(start, start + Duration::from_secs(1 << 40), What::Behind, 0);
        assert_eq!(moments.kept[MOST - 1].after, u32::MAX);
    }
}
