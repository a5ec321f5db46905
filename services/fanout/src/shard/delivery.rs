//! Delivers notifications to the members of their groups.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

#[cfg(test)]
use super::Observed;
use super::lines::say_pushed;
use super::tab::Tab;
use super::{Context, Core};
use crate::groups::Delivery;
use crate::limit::OldestFirst;
use crate::rule::{Rule, kept};
use crate::vocabulary::Place;
use crate::vocabulary::name::GroupName;

/// How many keys of conflated notifications are remembered; the oldest is forgotten first.
const REMEMBERED: usize = 16_384;

/// Where the newest notification of each conflated key was delivered: a replay never turns one back (rule 2.9).
#[derive(Debug)]
pub(super) struct Overtaken(OldestFirst<u64, (Place, Box<[GroupName]>)>);

impl Default for Overtaken {
    fn default() -> Self {
        Self(OldestFirst::new(REMEMBERED))
    }
}

impl Overtaken {
    fn note(&mut self, key: u64, delivery: &Delivery) {
        self.0.insert(key, (delivery.place, delivery.groups.to_vec().into_boxed_slice()));
    }

    /// Notes what was read from the log for a connection that has fallen behind: it may come before its delivery does.
    pub(super) fn note_read(&mut self, key: u64, place: Place, groups: &[GroupName]) {
        if self.newest(key).is_none_or(|(newest, _)| place.is_after(newest)) {
            self.0.insert(key, (place, groups.into()));
        }
    }

    /// Where the newest of a key was delivered, and to whom.
    pub(super) fn newest(&self, key: u64) -> Option<(Place, &[GroupName])> {
        self.0.get(&key).map(|(place, groups)| (*place, &**groups))
    }
}

/// How many connections get a notification later: counted where that is decided, as most get it at once.
#[derive(Default)]
struct Later {
    /// It waits for them in memory.
    held: u64,
    /// They have fallen behind, and read it from the log.
    behind: u64,
}

/// The outcome of a delivery to one connection.
enum Given {
    /// It does not hear this, or not yet.
    No,
    /// So many bytes are queued, or wait in the tab's flow.
    Bytes(usize),
    /// So many bytes, and the tab's queue is to be written.
    ToWrite(usize),
}

impl Core {
    /// Queues a notification for each member of its audience; the caller writes the queues.
    pub fn deliver(&mut self, delivery: &Arc<Delivery>, now_millis: i64) {
        self.look_after_joining();
        let _push = tracing::info_span!(parent: &delivery.span, "push", shard = self.index).entered();
        self.deliveries += 1;
        let Self { members, connections, dirty, context, waiting, .. } = self;
        #[cfg(test)]
        let observed = &mut self.observed;
        // Asked once: it is not for free where there are ten thousand members.
        let says = tracing::enabled!(tracing::Level::DEBUG);
        let (mut given, mut bytes, mut later) = (0u64, 0u64, Later::default());
        for group in &delivery.groups {
            for key in members.of(&delivery.hub, group) {
                let Some(tab) = connections.get_mut(key) else { continue };
                if std::mem::replace(&mut tab.last_delivery, self.deliveries) == self.deliveries {
                    continue;
                }
                let size = match give(tab, delivery, context, waiting, &mut later) {
                    Given::No => continue,
                    Given::Bytes(size) => size,
                    Given::ToWrite(size) => {
                        dirty.push(key);
                        size
                    }
                };
                given += 1;
                if says {
                    say_pushed(tab, group);
                }
                #[cfg(test)]
                observed.push(Observed::Live(key, Arc::clone(delivery)));
                bytes += size as u64;
            }
        }
        context.metrics.delivered(given, bytes);
        let waited = now_millis.saturating_sub(delivery.stored_at).max(0).unsigned_abs();
        if !delivery.is_late {
            context.metrics.pushed(Duration::from_millis(waited));
        }
        if let Some(key) = delivery.conflation {
            self.overtaken.note(key, delivery);
        }
        self.handled += 1;
        self.last = Some(Arc::clone(delivery));
        if let Some(reach) = delivery.reach {
            let (queued, later) = (given - later.held, later.held + later.behind);
            self.context.groups.reaches().note(reach, |reached| reached.count(queued, later));
            if queued > 0 {
                self.begin_writing(reach, delivery, waited);
            }
        }
    }
}

fn give(tab: &mut Tab, delivery: &Arc<Delivery>, context: &Context, waiting: &mut usize, later: &mut Later) -> Given {
    let groups = audible(tab, delivery, context);
    if !tab.is_live_for(&groups, delivery) {
        return Given::No;
    }
    let frame = tab.frame(delivery).wire(tab.form()).clone();
    let size = frame.len();
    // A logout is never held: it says why the connection ends.
    if let Some(flow) = &mut tab.flow
        && delivery.ends.is_none()
    {
        flow.live.push(delivery, size, context.bounds.queue_bytes() / 2);
        later.held += 1;
        return Given::Bytes(size);
    }
    let idle = tab.queue.is_empty();
    let pushed = if !idle && *waiting > context.shard_bytes {
        Err(())
    } else if tab.unacknowledged.is_some() {
        // Messages that stateful reconnect has numbered cannot be replaced by newer ones.
        tab.push(frame, true, context.bounds.queue_bytes()).map_err(|_| ())
    } else {
        tab.queue.push(frame, delivery.conflation, context.bounds.queue_bytes()).map_err(|_| ())
    };
    if pushed.is_err() {
        Core::fall_behind(tab, delivery);
        later.behind += 1;
        return Given::No;
    }
    tab.was_told = true;
    // A queue that was not empty already waits for its link.
    if idle {
        return Given::ToWrite(size);
    }
    tab.account(waiting);
    Given::Bytes(size)
}

/// The groups through which a tab may hear of a delivery; none if it may not.
fn audible<'d>(tab: &Tab, delivery: &'d Delivery, context: &Context) -> Cow<'d, [GroupName]> {
    if let (Some(ends), Some(who)) = (&delivery.ends, &tab.identity)
        && !ends.ends(who)
    {
        return Cow::Borrowed(&[]);
    }
    if !kept(Rule::OrgsChecked) {
        return Cow::Borrowed(&delivery.groups);
    }
    let groups = tab.audible(delivery);
    if groups.is_empty() {
        context.metrics.isolation_dropped(1);
    }
    groups
}
