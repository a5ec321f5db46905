//! What must hold, by a history that knows everything.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use fanfare_broker::{Position, Record};
use fanfare_event::{Event, Id};

use super::platform::platform;
use super::producer::Producers;
use crate::connection::Identity;
use crate::groups::name::GroupName;
use crate::pipeline::{Written, decode};
use crate::projection::Place;
use crate::route::{Effect, Retain};

/// One notification that an event becomes.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) id: String,
    groups: Vec<GroupName>,
    org: Option<Id>,
    cross_org: bool,
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
    notices: Vec<Notice>,
}

/// A logout that was stored.
#[derive(Debug)]
pub(super) struct LoggedOut {
    pub(super) place: Place,
    pub(super) incarnation: u64,
    user: Id,
    session: Option<Id>,
    at: i64,
}

/// A change of somebody's access to a list.
#[derive(Debug)]
struct Change {
    user: Id,
    group: GroupName,
    granted: bool,
    place: Place,
}

/// An event of a list that a replay told somebody of.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) user: Id,
    pub(super) group: GroupName,
    pub(super) place: Place,
}

/// Everything that was ever stored.
#[derive(Debug, Default)]
pub(super) struct History {
    stored: Vec<Stored>,
    by_notice: HashMap<String, (usize, usize)>,
    events: HashSet<String>,
    pub(super) logouts: Vec<LoggedOut>,
    pub(super) poison: Vec<(u64, Place)>,
    changes: Vec<Change>,
}

/// What a tab must have, and what it has.
pub(super) struct Account<'a> {
    pub(super) identity: &'a Identity,
    /// From where on everything is owed.
    pub(super) owed_from: &'a Position,
    pub(super) got: &'a BTreeMap<String, u32>,
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
            self.by_notice.entry(id.clone()).or_insert((at, notices.len()));
            notices.push(Notice {
                id,
                groups: matched.groups.to_vec(),
                org: event.attributes.org.clone(),
                cross_org: route.cross_org(),
                newest_is_enough: route.retain() != Retain::No || route.conflation_key(&event).is_some(),
                logout: route.effect(&event).is_logout(),
            });
        }
        self.stored.push(Stored { place, incarnation, first, notices });
    }

    fn note_effect(&mut self, effect: &Effect, event: &Event, incarnation: u64, place: Place, stored_at: i64) {
        match effect {
            Effect::Logout { user, session } => {
                let at = event.attributes.time.0.div_euclid(1000).min(stored_at / 1000 + 60);
                let (user, session) = (user.clone(), session.clone());
                self.logouts.push(LoggedOut { place, incarnation, user, session, at });
            }
            Effect::Access { user, groups, granted } => {
                for group in groups {
                    let (user, group, granted) = (user.clone(), group.clone(), *granted);
                    self.changes.push(Change { user, group, granted, place });
                }
            }
            Effect::None | Effect::Roles { .. } => {}
        }
    }

    /// What is wrong about a tab hearing a notification at all.
    pub(super) fn misplaced(&self, id: &str, who: &Identity) -> Option<String> {
        let Some((at, number)) = self.by_notice.get(id) else {
            return Some(format!("a notification {id} of no event"));
        };
        let stored = &self.stored[*at];
        let notice = &stored.notices[*number];
        let claims = who.claims();
        if let Some(org) = &notice.org
            && !notice.cross_org
            && claims.org.as_ref() != Some(org)
        {
            return Some(format!("{} of {:?} hears of {org}: {:?}", claims.user, claims.org, stored.place));
        }
        let may = notice.groups.iter().any(|group| self.ever_in(who, group));
        (!may).then(|| format!("{} hears {:?} at {:?} without any grant", claims.user, notice.groups, stored.place))
    }

    /// Whether somebody may ever be in a group. When a grant holds is judged at the node, by what it had read.
    fn ever_in(&self, who: &Identity, group: &GroupName) -> bool {
        let claims = who.claims();
        let values: Vec<&str> = group.values().collect();
        match (group.shape(), &values[..]) {
            ("user:{}", [user]) => claims.user.as_str() == *user,
            ("session:{}", [session]) => claims.session.as_ref().is_some_and(|own| own.as_str() == *session),
            ("list:{}", _) => self.changes.iter().any(|change| change.grants(&claims.user, group)),
            _ => true,
        }
    }

    /// What is wrong about a replay that told somebody of a list's event: it lies before every grant.
    pub(super) fn too_early(&self, told: &Told) -> Option<String> {
        let Told { user, group, place } = told;
        let granted = self.changes.iter().any(|change| change.grants(user, group) && place.is_after(change.place));
        (!granted).then(|| format!("{user} is told again of {group} at {place:?}, before any grant"))
    }

    /// What a tab must have heard and has not.
    pub(super) fn missing(
        &self,
        account: &Account<'_>,
        incarnation: u64,
        is_stored: &dyn Fn(Place) -> bool,
    ) -> Vec<String> {
        let mut missing = Vec::new();
        for stored in self.stored.iter().filter(|stored| stored.first && stored.incarnation == incarnation) {
            let same = account.owed_from.incarnation() == incarnation;
            if (same && stored.place.is_within(account.owed_from)) || !is_stored(stored.place) {
                continue;
            }
            for notice in stored.notices.iter().filter(|notice| notice.is_owed(account.identity)) {
                if !account.got.contains_key(&notice.id) {
                    missing.push(format!("{:?} for {:?}", stored.place, notice.groups));
                }
            }
        }
        missing
    }

    /// The logout that makes a token worthless, among those that `has_read` a node.
    pub(super) fn ended_by(&self, who: &Identity, has_read: impl Fn(&LoggedOut) -> bool) -> Option<&LoggedOut> {
        self.logouts.iter().find(|logout| logout.ends(who) && has_read(logout))
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
            None => claims.user == self.user && claims.issued_at <= self.at,
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
