//! Intervals of the log during which somebody had access to something.

use std::sync::Arc;

use super::Place;

/// How many changes of one access, or of one user's roles, are remembered: as many as eight intervals have ends.
pub const CHANGES_KEPT: usize = 16;

/// One interval of access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Where it was granted.
    pub from: Place,
    /// Where it was withdrawn, if it was.
    pub to: Option<Place>,
}

impl Interval {
    fn holds(&self, place: Place) -> bool {
        // A withdrawal itself is still sent to the user who loses access.
        place.is_after(self.from) && self.to.is_none_or(|to| !place.is_after(to))
    }
}

/// The intervals of one access, as far as they are still of interest; cheap to copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Intervals(Arc<[Interval]>);

impl Intervals {
    /// Everything after one place.
    #[must_use]
    pub fn since(place: Place) -> Self {
        Self(Arc::new([Interval { from: place, to: None }]))
    }

    /// From changes in the order of their places: where, and whether the access held from there on.
    #[must_use]
    pub fn of(changes: impl Iterator<Item = (Place, bool)>) -> Self {
        let mut intervals: Vec<Interval> = Vec::new();
        let mut open = None;
        for (place, holds) in changes {
            match (open, holds) {
                (None, true) => open = Some(place),
                (Some(from), false) => {
                    intervals.push(Interval { from, to: Some(place) });
                    open = None;
                }
                (Some(_), true) | (None, false) => {}
            }
        }
        intervals.extend(open.map(|from| Interval { from, to: None }));
        Self(intervals.into())
    }

    /// Those of either.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        if other.0.is_empty() {
            return self;
        }
        Self(self.0.iter().chain(other.0.iter()).copied().collect())
    }

    /// Whether an event at this place is for users with this access.
    #[must_use]
    pub fn hold(&self, place: Place) -> bool {
        self.0.iter().any(|interval| interval.holds(place))
    }

    /// The intervals, by where they begin.
    pub fn iter(&self) -> impl Iterator<Item = &Interval> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: i64) -> Place {
        Place { partition: 0, offset: time.unsigned_abs(), time }
    }

    #[test]
    fn what_lay_inside_an_earlier_interval_counts() {
        let changes = [(2, true), (4, true), (6, false), (7, false), (9, true)];
        let intervals = Intervals::of(changes.into_iter().map(|(time, holds)| (at(time), holds)));
        let held: Vec<i64> = (1..12).filter(|time| intervals.hold(at(*time))).collect();
        assert_eq!(held, [3, 4, 5, 6, 10, 11], "the withdrawal itself is told, the grant itself is not");
        assert!(Intervals::since(at(3)).hold(at(4)) && !Intervals::since(at(3)).hold(at(3)));
    }
}
