//! A compiled route: what it takes, what it sends to whom, and its effects.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare_event::{Attributes, Event};
use fanfare_signalr::Value;
use smallvec::SmallVec;

use super::audience::{Audience, BadGroup};
use super::builtin::Shape;
use super::condition::Condition;
use super::effect::{Effect, EffectRule};
use super::realm::{RealmNames, RealmRule};
use super::source::Context;
use super::text::Text;
use super::throttle::{Pace, Throttle};
use super::verify::Unroutable;
use super::wire::Times;
use crate::vocabulary::name::{GroupName, GroupTemplate};

/// How many bytes of a digest make a notification id: enough that two never meet, short enough for a header.
const ID_BYTES: usize = 15;

/// What becomes of a notification after it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retain {
    /// Nothing.
    No,
    /// It is retained for connections that come later, the newest per slot.
    Keep,
    /// The retained notification of its slot is removed.
    Remove,
}

/// A declared rule: this event becomes this notification to these groups of this hub.
#[derive(Debug, Clone)]
pub struct Route {
    pub(super) name: Box<str>,
    pub(super) hub: Arc<str>,
    /// The versions it takes; all of them if empty.
    pub(super) versions: Box<[u32]>,
    pub(super) when: Box<[Condition]>,
    pub(super) audiences: Box<[Audience]>,
    pub(super) shape: Shape,
    pub(super) effect: EffectRule,
    /// In which realm it means its users.
    pub(super) realm: RealmRule,
    pub(super) retain: Retain,
    pub(super) cross_org: bool,
    pub(super) conflate: Option<Text>,
    pub(super) throttle: Option<Throttle>,
    pub(super) times: Times,
    pub(super) hasher: RandomState,
}

impl Route {
    /// The declared name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it changes state that a node keeps: retained values, access, logouts.
    pub(super) fn is_learnt_by(&self) -> bool {
        self.retain != Retain::No || !matches!(self.effect, EffectRule::None)
    }

    /// The path of the hub.
    pub fn hub(&self) -> &str {
        &self.hub
    }

    /// The same, to be kept without a copy.
    pub(crate) fn shared_hub(&self) -> &Arc<str> {
        &self.hub
    }

    /// The method that is invoked on the client.
    pub fn target(&self) -> &str {
        &self.shape.target
    }

    /// Whether connections of other orgs than the event's may receive it.
    pub fn cross_org(&self) -> bool {
        self.cross_org
    }

    /// What becomes of the notification after it was sent.
    pub fn retain(&self) -> Retain {
        self.retain
    }

    /// Where the notification is retained: one per hub, target, org and key. None if it is not.
    pub fn slot(&self, event: &Event) -> Option<String> {
        if self.retain == Retain::No {
            return None;
        }
        let key = event.record.key()?;
        let org = super::verify::org(event).unwrap_or_default();
        // No hub path, target or org contains a control character.
        Some([self.hub(), self.target(), org, &*key].join("\u{1f}"))
    }

    /// The turn that a notification for these groups takes; none if each is sent at once.
    pub fn pace(&self, event: &Event, groups: &[GroupName]) -> Option<Pace> {
        Some(self.throttle.as_ref()?.pace((&self.name, &self.hub), event, groups, &self.hasher))
    }

    /// Whether newer notifications may replace older ones that were not sent.
    pub fn is_throttled(&self) -> bool {
        self.throttle.is_some()
    }

    /// What a newer notification replaces in a tab's queue; none if each is sent.
    pub fn conflation_key(&self, event: &Event, groups: &[GroupName]) -> Option<u64> {
        if let Some(pace) = self.pace(event, groups) {
            return Some(pace.slot);
        }
        let text = self.conflate.as_ref()?;
        // Keyed by chance for this process, so that no one can choose keys that collide.
        let mut hasher = self.hasher.build_hasher();
        (&self.name, super::verify::org(event)).hash(&mut hasher);
        for source in text.sources() {
            source.text(Context::of(event)).hash(&mut hasher);
        }
        Some(hasher.finish())
    }

    /// The event's effect besides its notification.
    pub fn effect(&self, event: &Event) -> Effect {
        self.effect.of(event, &self.realm)
    }

    /// Why the event does not have the effect that the route gives it.
    pub(super) fn effect_fault(&self, event: &Event) -> Option<Unroutable> {
        self.effect.fault(event, &self.realm)
    }

    /// The groups that the event lets someone into.
    pub fn grants(&self) -> Option<&GroupTemplate> {
        self.effect.grants()
    }

    /// Whether its events matter even if nobody is notified: they change access, or close an org.
    pub(super) fn stands_alone(&self) -> bool {
        self.effect.stands_alone()
    }

    /// The notification's id: the same on every node and for every delivery of the event.
    pub fn notification_id(&self, attributes: &Attributes) -> String {
        notification_id(&self.name, attributes)
    }

    /// What it sends to whom, for people.
    pub(super) fn explain(&self) -> String {
        let (name, hub) = (self.name(), self.hub());
        if self.audiences.is_empty() {
            return format!("{name} on {hub} tells nobody and {}", self.effect.explain().unwrap_or("does nothing"));
        }
        let groups: Vec<&str> = self.audiences.iter().map(Audience::written).collect();
        let effect = self.effect.explain().map(|effect| format!(", and {effect}")).unwrap_or_default();
        format!("{name} sends {} on {hub} to {}{effect}", self.target(), groups.join(", "))
    }

    /// The arguments of the notification, borrowed from route and event.
    pub fn arguments<'e>(&'e self, event: &'e Event, cursor: &'e str) -> Vec<Value<'e>> {
        let context = Context { event, cursor, route: &self.name, times: self.times };
        self.shape.arguments.iter().map(|argument| argument.evaluate(context)).collect()
    }

    /// The groups that get the notification of an event.
    pub(crate) fn audience(&self, event: &Event) -> SmallVec<[GroupName; 2]> {
        self.groups(event).0
    }

    /// The event's groups, and why a name in it is not a group.
    pub(super) fn groups(&self, event: &Event) -> (SmallVec<[GroupName; 2]>, Option<BadGroup>) {
        let (mut groups, mut bad) = (SmallVec::new(), self.effect.access(event).and_then(Result::err));
        let mut realms: Option<RealmNames> = None;
        for audience in &self.audiences {
            let named = match (audience.needs_realm(), &realms) {
                // Most routes name no user: then the realm is not asked for.
                (false, _) => audience.names(Context::of(event), None, &mut groups),
                (true, Some(realms)) => audience.names_in(realms, Context::of(event), &mut groups),
                (true, None) => match self.realm.hearing(event, self.effect.is_logout()) {
                    Ok(found) => {
                        let named = audience.names_in(&found, Context::of(event), &mut groups);
                        realms = Some(found);
                        named
                    }
                    Err(_) => Err(BadGroup::Realm),
                },
            };
            if let Err(error) = named {
                bad.get_or_insert(error);
            }
        }
        (groups, bad)
    }
}

/// The id of the notification that a route of this name makes of an event.
pub(super) fn notification_id(route: &str, attributes: &Attributes) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [&attributes.source, &attributes.id, route] {
        // Lengths first: no two triples give the same bytes.
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(&context.finish().as_ref()[..ID_BYTES])
}
