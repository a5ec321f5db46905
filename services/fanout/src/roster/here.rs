//! Presence by this node's connections.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::{Core, key_of};
use super::paging::Paging;
use super::roll::Source;
use super::sitting::{Sitting, Turn};
use crate::connection::ConnectionId;
use crate::limit::{Rate, TokenBucket};
use crate::presence::{Declared, Member, Room, User};
use crate::rule::{Rule, kept};
use crate::vocabulary::Identity;

/// In how many rooms a user may join at once, and how fast in further ones: faster joins are announced later.
const COMING: Rate = Rate { burst: 200, every: Duration::from_millis(200) };

/// Above this number of users, full budgets are forgotten.
const TIDY: usize = 10_000;

/// One tab in its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat {
    /// Its connection.
    pub id: ConnectionId,
    /// The connection's place in its shard.
    pub key: usize,
    /// The shard.
    pub shard: usize,
}

/// How a tab leaves a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// It asked to, or has no right to be there any more.
    Asked,
    /// Its connection was lost.
    Lost,
}

/// This node's tabs in one room.
#[derive(Debug, Default)]
pub(super) struct Here {
    pub(super) sittings: HashMap<User, Sitting>,
    pub(super) paging: Paging,
}

/// The budgets of users for joining.
#[derive(Debug, Default)]
pub(super) struct Coming(HashMap<User, TokenBucket>);

impl Coming {
    /// Pays for one coming.
    fn pay(&mut self, user: &User, now: Instant) -> Result<(), Duration> {
        if !kept(Rule::ComingIsPaid) {
            return Ok(());
        }
        if self.0.len() >= TIDY {
            self.0.retain(|_, bucket| !bucket.is_full(now));
        }
        self.0.entry(user.clone()).or_insert_with(|| TokenBucket::full(now)).take(COMING, now)
    }
}

impl Core {
    /// A tab is in a room.
    pub fn enter(&mut self, room: &Room, who: &Identity, seat: Seat) {
        let Some(declared) = self.declared(&room.hub, &room.group).cloned() else { return };
        let key = key_of(&mut self.rooms, room.clone());
        self.roll(&key, &declared);
        let user = User::of(who);
        let (now, unix) = (self.now.instant, self.now.unix);
        let here = self.here.entry(Arc::clone(&key)).or_default();
        let sitting = here.sittings.entry(user.clone()).or_insert_with(|| {
            Sitting::new(Arc::new(Member { user: user.clone(), since: unix, about: declared.about(who) }))
        });
        if sitting.enter(seat, now)
            && let Some(roll) = self.rolls.get_mut(&key)
        {
            roll.tabs += 1;
        }
        self.look(&key, &user);
    }

    /// A tab of a user gives a sign of life in a room.
    pub fn touch(&mut self, room: &Room, user: &User, seat: Seat) {
        let now = self.now.instant;
        let Some((key, sitting)) = self.sitting(room, user) else { return };
        if sitting.touch(seat, now) {
            self.look(&key, user);
        }
    }

    /// A tab of a user is in a room no more.
    pub fn leave(&mut self, room: &Room, user: &User, seat: Seat, how: Leaving) {
        let now = self.now.instant;
        let Some(declared) = self.declared(&room.hub, &room.group).cloned() else { return };
        let Some((key, sitting)) = self.sitting(room, user) else { return };
        if !sitting.leave(seat, how, &declared, now) {
            return;
        }
        if let Some(roll) = self.rolls.get_mut(&key) {
            roll.tabs = roll.tabs.saturating_sub(1);
            roll.forget(seat);
        }
        self.look(&key, user);
        self.tidy(&key);
    }

    /// A connection wants a snapshot of a room that it is in.
    pub fn ask(&mut self, room: &Room, seat: Seat) {
        let now = self.now.instant;
        let Some(key) = self.rooms.get(room).cloned() else { return };
        if let Some(roll) = self.rolls.get_mut(&key) {
            roll.ask(seat, now);
            self.note_roll(&key);
        }
    }

    fn sitting(&mut self, room: &Room, user: &User) -> Option<(Arc<Room>, &mut Sitting)> {
        let key = Arc::clone(self.rooms.get(room)?);
        let sitting = self.here.get_mut(&key)?.sittings.get_mut(user)?;
        Some((key, sitting))
    }

    /// Updates the state of a user here, and notes when to look again.
    pub(super) fn look(&mut self, key: &Arc<Room>, user: &User) {
        let now = self.now;
        let Some(declared) = self.declared(&key.hub, &key.group).cloned() else { return };
        let Some(here) = self.here.get_mut(key) else { return };
        let Some(sitting) = here.sittings.get_mut(user) else { return };
        let next = match sitting.turn(&declared, now.instant) {
            Turn::Same => sitting.next(&declared),
            Turn::Comes => match self.coming.pay(user, now.instant) {
                Ok(()) => self.come(key, user, &declared),
                // Later: a user who joins and leaves meanwhile costs nothing.
                Err(wait) => Some(now.instant + wait),
            },
            Turn::Goes => self.go(key, user, &declared),
            Turn::Over => {
                here.sittings.remove(user);
                return self.tidy(key);
            }
        };
        if let Some(at) = next {
            self.schedule(key, user, at);
        }
    }

    fn come(&mut self, key: &Arc<Room>, user: &User, declared: &Declared) -> Option<Instant> {
        let here = self.here.get_mut(key)?;
        let sitting = here.sittings.get_mut(user)?;
        sitting.comes(self.now.instant);
        let since = Arc::make_mut(&mut sitting.member);
        since.since = self.now.unix;
        let page = here.paging.add(user.clone());
        sitting.page = Some(page);
        let (member, next) = (Arc::clone(&sitting.member), sitting.next(declared));
        self.unwritten.insert((Arc::clone(key), page));
        self.rolls.get_mut(key)?.add(Source::Here, &member, self.now.instant);
        self.note_roll(key);
        next
    }

    fn go(&mut self, key: &Arc<Room>, user: &User, declared: &Declared) -> Option<Instant> {
        let here = self.here.get_mut(key)?;
        let sitting = here.sittings.get_mut(user)?;
        sitting.goes(self.now.instant);
        let next = sitting.next(declared);
        if let Some(page) = sitting.page.take() {
            here.paging.remove(page, user);
            self.unwritten.insert((Arc::clone(key), page));
        }
        self.rolls.get_mut(key)?.drop(Source::Here, user, self.now.instant);
        self.note_roll(key);
        next
    }

    /// Notes when a user is to be looked at, unless an earlier time is noted.
    fn schedule(&mut self, key: &Arc<Room>, user: &User, at: Instant) {
        let sitting = self.here.get_mut(key).and_then(|here| here.sittings.get_mut(user));
        let Some(sitting) = sitting else { return };
        if sitting.due.is_none_or(|due| at < due) {
            sitting.due = Some(at);
            self.timers.push(std::cmp::Reverse((at, Arc::clone(key), user.clone())));
        }
    }
}
