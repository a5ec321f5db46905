//! The connections of one user in one room: when the user has joined, and when they have left.
//!
//! A user joins with the first connection and leaves with the last. If none of the connections gives a sign for long
//! enough, the user leaves as well, and joins again with the next sign. A user who leaves again and again is removed
//! later each time, so that a client in a loop costs a bounded number of records and notifications.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::here::{Leaving, Seat};
use crate::presence::{Declared, Member};
use crate::rule::{Rule, kept};

/// How much later a user is gone with the second time that they leave; twice as much with each further one.
const FIRST_DELAY: Duration = Duration::from_millis(250);

/// How much later at most.
const MOST_DELAY: Duration = Duration::from_secs(8);

/// How long it is remembered that a user has left.
const REMEMBERED: Duration = Duration::from_secs(30);

/// The tabs of one user in one room.
#[derive(Debug)]
pub(super) struct Sitting {
    pub(super) member: Arc<Member>,
    tabs: SmallVec<[Tab; 1]>,
    /// Whether the user counts as being there.
    pub(super) counts: bool,
    /// When the user is gone if no tab comes, once none is left.
    gone_at: Option<Instant>,
    /// How often the user has left lately, and when they did last.
    leaves: u32,
    left_at: Option<Instant>,
    /// The record of the user.
    pub(super) page: Option<u32>,
    /// The time that is noted for it.
    pub(super) due: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Tab {
    seat: Seat,
    heard: Instant,
}

/// The change of a sitting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing new.
    Same,
    /// The user should count from now on.
    Comes,
    /// The user counts no more.
    Goes,
    /// There is nothing left to remember.
    Over,
}

impl Sitting {
    pub(super) fn new(member: Arc<Member>) -> Self {
        Self {
            member,
            tabs: SmallVec::new(),
            counts: false,
            gone_at: None,
            leaves: 0,
            left_at: None,
            page: None,
            due: None,
        }
    }

    /// A tab has come; true if it was not there.
    pub(super) fn enter(&mut self, seat: Seat, now: Instant) -> bool {
        if self.touch(seat, now) {
            return false;
        }
        self.gone_at = None;
        self.tabs.push(Tab { seat, heard: now });
        true
    }

    /// A tab gives a sign; false if it is not here.
    pub(super) fn touch(&mut self, seat: Seat, now: Instant) -> bool {
        let tab = self.tabs.iter_mut().find(|tab| tab.seat == seat);
        tab.map(|tab| tab.heard = now).is_some()
    }

    /// A tab has left; true if it was here.
    pub(super) fn leave(&mut self, seat: Seat, how: Leaving, declared: &Declared, now: Instant) -> bool {
        let before = self.tabs.len();
        self.tabs.retain(|tab| tab.seat != seat);
        if self.tabs.is_empty() && before > 0 {
            let stays = match how {
                Leaving::Asked => Duration::ZERO,
                Leaving::Lost if kept(Rule::LostLingers) => declared.linger,
                Leaving::Lost => Duration::ZERO,
            };
            self.gone_at = Some(now + stays.max(self.delay(now)));
        }
        self.tabs.len() < before
    }

    /// How much later than at once the user may leave again.
    fn delay(&self, now: Instant) -> Duration {
        let lately = self.left_at.is_some_and(|at| now.saturating_duration_since(at) < REMEMBERED);
        if !lately || self.leaves == 0 || !kept(Rule::LeavesAreBounded) {
            return Duration::ZERO;
        }
        FIRST_DELAY.saturating_mul(1 << (self.leaves - 1).min(6)).min(MOST_DELAY)
    }

    /// The change of it by now.
    pub(super) fn turn(&self, declared: &Declared, now: Instant) -> Turn {
        let is_there = self.active_until(declared).is_some_and(|until| until.is_none_or(|until| now < until));
        let lingers = self.tabs.is_empty() && self.gone_at.is_some_and(|at| now < at);
        match self.counts {
            false if is_there => Turn::Comes,
            true if !is_there && !lingers => Turn::Goes,
            false if self.tabs.is_empty() && self.forget_at().is_none_or(|at| at <= now) => Turn::Over,
            _ => Turn::Same,
        }
    }

    /// Until when a tab counts: none if there is no tab, no end if tabs count for as long as they are there.
    fn active_until(&self, declared: &Declared) -> Option<Option<Instant>> {
        let heard = self.tabs.iter().map(|tab| tab.heard).max()?;
        Some(declared.inactive_after.filter(|_| kept(Rule::SilentIsGone)).map(|after| heard + after))
    }

    fn forget_at(&self) -> Option<Instant> {
        self.left_at.map(|at| at + REMEMBERED)
    }

    /// The user counts from now on.
    pub(super) fn comes(&mut self, now: Instant) {
        self.counts = true;
        self.gone_at = None;
        if self.forget_at().is_some_and(|at| at <= now) {
            self.leaves = 0;
        }
    }

    /// The user counts no more.
    pub(super) fn goes(&mut self, now: Instant) {
        self.counts = false;
        self.gone_at = None;
        let lately = self.forget_at().is_some_and(|at| now < at);
        self.leaves = if lately { self.leaves.saturating_add(1) } else { 1 };
        self.left_at = Some(now);
    }

    /// When it must be looked at again.
    pub(super) fn next(&self, declared: &Declared) -> Option<Instant> {
        if self.tabs.is_empty() {
            return if self.counts { self.gone_at } else { self.forget_at() };
        }
        self.active_until(declared).flatten().filter(|_| self.counts)
    }
}
