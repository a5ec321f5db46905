//! What must hold, by a history that knows everything.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use fanfare_broker::{Position, Record, Stream};
use fanfare_event::{Event, Id};

use super::log::{Log, StateKey, key_of};
use super::node::Learnt;
use super::platform::platform;
use super::producer::Producers;
use crate::pipeline::{Written, decode};
use crate::route::{Effect, Retain};
use crate::vocabulary::name::GroupName;
use crate::vocabulary::{Identity, Place};

/// One notification that an event becomes.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) id: String,
    hub: Arc<str>,
    groups: Vec<GroupName>,
    org: Option<Id>,
    cross_org: bool,
    /// Of what is throttled: those of which the newest is owed.
    turn: Option<u64>,
    /// A newer one stands for it: what is retained, or shows progress.
    newest_is_enough: bool,
    logout: bool,
}

/// One record that was ever stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) place: Place,
    pub(super) incarnation: u64,
    /// Whether no record before it carries the same event.
    first: bool,
    /// Of state: whose place the next one of its key takes.
    key: Option<StateKey>,
    notices: Vec<Notice>,
}

/// A logout that was stored.
#[derive(Debug)]
pub(super) struct LoggedOut {
    pub(super) place: Place,
    pub(super) incarnation: u64,
    session: Option<Id>,
    at: i64,
}

/// A change of somebody's access to a list.
#[derive(Debug)]
struct Change {
    user: Id,
    group: GroupName,
    granted: bool,
    revision: Option<i64>,
    place: Place,
    incarnation: u64,
}

/// An event of a list that a replay told somebody of.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) user: Id,
    pub(super) group: GroupName,
    pub(super) place: Place,
    /// How many records the node had learnt from when it let the tab into the group.
    pub(super) learnt: usize,
}

/// Everything that was ever stored.
#[derive(Debug, Default)]
pub(super) struct History {
    stored: Vec<Stored>,
    /// By hub and id.
    by_notice: HashMap<(Arc<str>, String), (usize, usize)>,
    events: HashSet<String>,
    /// Notifications of events that were stored more than once: a node tells of whichever it reads first.
    repeated: HashSet<String>,
    /// By user.
    logouts: HashMap<Id, Vec<LoggedOut>>,
    pub(super) poison: Vec<(u64, Place)>,
    /// The users whose roles an event has changed.
    changed_roles: HashSet<Id>,
    changes: Vec<Change>,
    /// The newest record of each audience and key of what is throttled.
    newest_turn: HashMap<u64, usize>,
    /// The newest record of each key of state.
    newest: HashMap<StateKey, usize>,
}

/// What a tab must have, and what it has.
pub(super) struct Account<'a> {
    pub(super) identity: &'a Identity,
    /// The hub of which it hears.
    pub(super) hub: &'a Arc<str>,
    /// From where on everything is owed.
    pub(super) owed_from: &'a Position,
    /// Up to where, if not up to now.
    pub(super) until: Option<&'a Position>,
    pub(super) got: &'a BTreeMap<String, u32>,
}

/// A notification that somebody hears on a hub.
pub(super) struct Heard<'a> {
    pub(super) id: &'a str,
    pub(super) who: &'a Identity,
    pub(super) hub: &'a Arc<str>,
}

impl History {
    /// Notes a record that the broker has stored.
    pub(super) fn note(&mut self, record: &Record, incarnation: u64) {
        let platform = platform();
        let place = Place::of(record);
        let usable = decode(&platform.registry, record, &Written::Own).ok().flatten();
        let usable = usable.filter(|event| platform.routes.resolve(event).is_ok());
        let Some(event) = usable else {
            return self.poison.push((incarnation, place));
        };
        let first = self.events.insert(event.attributes.dedup_id());
        let at = self.stored.len();
        let mut notices = Vec::new();
        for matched in platform.routes.route(&event) {
            let route = matched.route;
            self.note_effect(&route.effect(&event), &event, incarnation, place, record.time);
            let id = route.notification_id(&event.attributes);
            if !first {
                self.repeated.insert(id.clone());
            }
            let hub = Arc::clone(route.shared_hub());
            self.by_notice.entry((Arc::clone(&hub), id.clone())).or_insert((at, notices.len()));
            let turn = route.pace(&event, &matched.groups).map(|pace| pace.slot);
            if first {
                self.newest_turn.extend(turn.map(|turn| (turn, at)));
            }
            notices.push(Notice {
                id,
                hub,
                turn,
                groups: matched.groups.to_vec(),
                org: event.attributes.org.clone(),
                cross_org: route.cross_org(),
                newest_is_enough: route.retain() != Retain::No
                    || route.conflation_key(&event, &matched.groups).is_some_and(|_| turn.is_none())
                    || matches!(route.effect(&event), Effect::Org { .. }),
                logout: route.effect(&event).is_logout(),
            });
        }
        let key = (record.message.stream == Stream::State).then(|| key_of(&record.message));
        self.newest.extend(key.clone().map(|key| (key, at)));
        self.stored.push(Stored { place, incarnation, first, key, notices });
    }

    fn note_effect(&mut self, effect: &Effect, event: &Event, incarnation: u64, place: Place, stored_at: i64) {
        match effect {
            Effect::Logout { user, session, .. } => {
                let at = event.attributes.time.0.div_euclid(1000).min(stored_at / 1000 + 60);
                let logout = LoggedOut { place, incarnation, session: session.clone(), at };
                self.logouts.entry(user.clone()).or_default().push(logout);
            }
            Effect::Access { user, groups, granted, .. } => {
                for group in groups {
                    let (user, group, granted) = (user.clone(), group.clone(), *granted);
                    let revision = event.record.revision();
                    self.changes.push(Change { user, group, granted, revision, place, incarnation });
                }
            }
            Effect::Roles { user, .. } => drop(self.changed_roles.insert(user.clone())),
            Effect::None | Effect::Org { .. } => {}
        }
    }

    /// Whether an event has changed the roles of a user.
    pub(super) fn has_changed_roles(&self, user: &str) -> bool {
        self.changed_roles.iter().any(|changed| changed.as_str() == user)
    }

    fn notice(&self, heard: &Heard<'_>) -> Option<(&Stored, &Notice)> {
        let (at, number) = self.by_notice.get(&(Arc::clone(heard.hub), heard.id.to_owned()))?;
        let stored = &self.stored[*at];
        Some((stored, &stored.notices[*number]))
    }

    /// The org of a notification that is not someone's own.
    pub(super) fn other_org(&self, heard: &Heard<'_>) -> Option<&Id> {
        let Heard { who, .. } = heard;
        let (_, notice) = self.notice(heard)?;
        notice.org.as_ref().filter(|org| !notice.cross_org && who.claims().org.as_ref() != Some(*org))
    }

    /// What is wrong about a tab hearing a notification at all, which has asked to come into these groups.
    pub(super) fn misplaced(&self, heard: &Heard<'_>, asked: &BTreeSet<GroupName>) -> Option<String> {
        let Heard { id, who, hub } = heard;
        let Some((stored, notice)) = self.notice(heard) else {
            return Some(format!("a notification {id} of no event for {hub}"));
        };
        let claims = who.claims();
        if let Some(org) = &notice.org
            && !notice.cross_org
            && claims.org.as_ref() != Some(org)
            && !notice.groups.iter().any(|group| group.shape() == "org:{}" && asked.contains(group))
        {
            return Some(format!("{} of {:?} hears of {org}: {:?}", claims.user, claims.org, stored.place));
        }
        let may = notice
            .groups
            .iter()
            .any(|group| self.ever_in(who, group) && (group.shape() != "list:{}" || asked.contains(group)));
        (!may).then(|| format!("{} hears {:?} at {:?} without any grant", claims.user, notice.groups, stored.place))
    }

    /// Where in which log something is that a tab hears in the order of its partition: for its user or org, stored once,
    /// and none that a newer one stands for.
    pub(super) fn place_in_order(&self, heard: &Heard<'_>) -> Option<(u64, Place)> {
        let (stored, notice) = self.notice(heard).filter(|_| !self.repeated.contains(heard.id))?;
        notice.is_owed(heard.who).then_some((stored.incarnation, stored.place))
    }

    /// Whether somebody may ever be in a group. When a grant holds is judged at the node, by what it had read.
    fn ever_in(&self, who: &Identity, group: &GroupName) -> bool {
        let claims = who.claims();
        let values: Vec<&str> = group.values().collect();
        match (group.shape(), &values[..]) {
            ("user:{}", [user]) => claims.user.as_str() == *user,
            ("session:{}", [session]) => claims.session.as_ref().is_some_and(|own| own.as_str() == *session),
            ("list:{}" | "crew:{}", _) => self.changes.iter().any(|change| change.grants(&claims.user, group)),
            _ => true,
        }
    }

    /// What is wrong about a replay that told somebody of a list's event: by what the node knew when it let the tab in,
    /// that lies in no grant.
    pub(super) fn not_granted(&self, told: &Told, learnt: &Learnt) -> Option<String> {
        let Told { user, group, place, .. } = told;
        let knew = |change: &&Change| {
            let at = learnt.get(&(change.incarnation, change.place.partition, change.place.offset));
            change.user == *user && change.group == *group && at.is_some_and(|at| *at < told.learnt)
        };
        let mut changes: Vec<&Change> = self.changes.iter().filter(knew).collect();
        changes.sort_by_key(|change| change.place.rank());
        let (mut granted, mut highest) = (false, None);
        for change in changes.into_iter().take_while(|change| place.is_after(change.place)) {
            if change.revision >= highest {
                (granted, highest) = (change.granted, change.revision);
            }
        }
        (!granted).then(|| format!("{user} is told again of {group} at {place:?}, where it was not granted"))
    }

    /// What a tab must have heard and has not.
    pub(super) fn missing(&self, account: &Account<'_>, log: &Log) -> Vec<String> {
        let incarnation = log.incarnation();
        if account.until.is_some_and(|until| until.incarnation() != incarnation) {
            return Vec::new();
        }
        let mut missing = Vec::new();
        for (at, stored) in self.stored.iter().enumerate() {
            let same = account.owed_from.incarnation() == incarnation;
            let is_told = same && stored.place.is_within(account.owed_from);
            let is_later = account.until.is_some_and(|until| !stored.place.is_within(until));
            // A node that has read state ahead tells of the newest alone, and a broker may keep no other. What left the
            // retention is owed all the same: a resume would have said so.
            let superseded = stored.key.as_ref().is_some_and(|key| self.newest.get(key) != Some(&at));
            if !stored.first || stored.incarnation != incarnation || is_told || is_later || superseded {
                continue;
            }
            let of_hub = stored.notices.iter().filter(|notice| notice.hub == *account.hub);
            for notice in of_hub.filter(|notice| notice.is_owed(account.identity)) {
                let is_overtaken = notice.turn.is_some_and(|turn| self.newest_turn.get(&turn) != Some(&at));
                if !is_overtaken && !account.got.contains_key(&notice.id) {
                    missing.push(format!("{:?} for {:?}", stored.place, notice.groups));
                }
            }
        }
        missing
    }

    /// The logout that makes a token worthless, among those that a node has learnt.
    pub(super) fn ended_by(&self, who: &Identity, learnt: &Learnt) -> Option<&LoggedOut> {
        let has_read = |logout: &LoggedOut| {
            learnt.contains_key(&(logout.incarnation, logout.place.partition, logout.place.offset))
        };
        self.logouts_of(who).find(|logout| logout.ends(who) && has_read(logout))
    }

    /// Whether any logout makes a token worthless.
    pub(super) fn is_ended(&self, who: &Identity) -> bool {
        self.logouts_of(who).any(|logout| logout.ends(who))
    }

    fn logouts_of(&self, who: &Identity) -> impl Iterator<Item = &LoggedOut> {
        self.logouts.get(&who.claims().user).into_iter().flatten()
    }
}

impl Notice {
    /// Whether a tab must have it: its groups are the tab's for as long as the tab lives.
    fn is_owed(&self, who: &Identity) -> bool {
        let claims = who.claims();
        let own = |group: &GroupName| {
            let values: Vec<&str> = group.values().collect();
            match (group.shape(), &values[..]) {
                ("user:{}", [user]) => claims.user.as_str() == *user,
                ("org:{}", [org]) => claims.org.as_ref().is_some_and(|own| own.as_str() == *org),
                _ => false,
            }
        };
        let of_its_org = self.org.is_none() || self.cross_org || self.org == claims.org;
        !self.logout && !self.newest_is_enough && of_its_org && self.groups.iter().any(own)
    }
}

impl Change {
    fn grants(&self, user: &Id, group: &GroupName) -> bool {
        self.granted && self.user == *user && self.group == *group
    }
}

impl LoggedOut {
    fn ends(&self, who: &Identity) -> bool {
        let claims = who.claims();
        match &self.session {
            Some(session) => claims.session.as_ref() == Some(session),
            None => claims.issued_at <= self.at,
        }
    }
}

/// The flags of an org as they must be shown, by what their producer knows.
pub(super) fn true_flags(producers: &Producers, org: &str) -> BTreeMap<String, bool> {
    let of_org = producers.flags.iter().filter(|((of, _), _)| of == org);
    of_org.filter_map(|((_, flag), state)| Some((flag.clone(), (*state)?))).collect()
}

/// The flags that a node retains for an org.
pub(super) fn retained_flags(values: &[Arc<Event>]) -> BTreeMap<String, bool> {
    let text = |event: &Event| event.record.get("flag").and_then(|value| value.as_str().map(str::to_owned));
    let on = |event: &Event| matches!(event.record.get("enabled"), Some(fanfare_event::Value::Bool(true)));
    values.iter().filter_map(|event| Some((text(event)?, on(event)))).collect()
}
