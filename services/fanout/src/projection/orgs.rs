//! Which orgs events have closed to which hubs.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_event::Id;

use super::Update;
use super::digest::{self, Digest};
use super::versions::{Memory, Version, Versions};
use crate::vocabulary::{Identity, Place};

/// An org that an event has closed to a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedOrg {
    /// The hub.
    pub hub: Arc<str>,
    /// The org.
    pub org: Id,
    /// The reason that its members get.
    pub reason: Arc<str>,
}

impl ClosedOrg {
    /// Whether it is the own org of this identity.
    #[must_use]
    pub fn concerns(&self, who: &Identity) -> bool {
        who.claims().org.as_ref() == Some(&self.org)
    }
}

/// Of each org why it is closed to a hub, if it is.
type OfHub = HashMap<Id, Versions<Option<Arc<str>>>>;

/// What events said of orgs: why each is closed to a hub, or that it is open again.
#[derive(Debug, Clone)]
pub struct Orgs {
    states: HashMap<Arc<str>, OfHub>,
    count: usize,
    limit: usize,
}

impl Orgs {
    /// Nothing said yet; of at most `limit` orgs and hubs it is remembered.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { states: HashMap::new(), count: 0, limit }
    }

    /// Notes that an org is closed to a hub, or open.
    ///
    /// That it was opened stays known, so that a late older event does not close it again.
    pub fn set(
        &mut self,
        (hub, org): (&Arc<str>, &Id),
        closed: Option<Arc<str>>,
        revision: Option<i64>,
        place: Place,
    ) -> Update {
        let of_hub = self.states.entry(Arc::clone(hub)).or_default();
        if !of_hub.contains_key(org) {
            if self.count >= self.limit {
                return Update::Full;
            }
            self.count += 1;
        }
        let versions = of_hub.entry(org.clone()).or_default();
        versions.add(Version { revision, place, value: closed }, Memory::NONE);
        let counts = versions.current().is_some_and(|now| now.place == place);
        if counts { Update::Newest } else { Update::Older }
    }

    /// Why an org is closed to a hub; none if it is open.
    #[must_use]
    pub fn closed(&self, hub: &str, org: &Id) -> Option<&Arc<str>> {
        self.states.get(hub)?.get(org)?.current()?.value.as_ref()
    }

    /// The highest revision that is known of an org, and where it was said.
    pub(super) fn revision(&self, hub: &str, org: &Id) -> Option<(i64, Place)> {
        self.states.get(hub)?.get(org)?.highest_revision()
    }

    /// Of how many orgs and hubs something is remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn all(&self) -> impl Iterator<Item = (&Arc<str>, &Id, &Versions<Option<Arc<str>>>)> {
        self.states.iter().flat_map(|(hub, orgs)| orgs.iter().map(move |(org, versions)| (hub, org, versions)))
    }
}

impl Digest for Orgs {
    fn digest(&self) -> u64 {
        digest::of_set(self.all().map(|(hub, org, versions)| {
            let said: Vec<_> = versions.all().iter().map(|said| (said.revision, said.place, &said.value)).collect();
            (hub, org, said)
        }))
    }

    fn digest_of_now(&self) -> u64 {
        digest::of_set(self.all().map(|(hub, org, versions)| {
            let now = versions.current();
            (hub, org, now.map(|now| (now.revision, &now.value)))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Place {
        Place { partition: 0, offset, time: offset.cast_signed() }
    }

    #[test]
    fn an_org_is_closed_to_one_hub_until_a_newer_event_opens_it() {
        let (mut orgs, hub) = (Orgs::new(2), Arc::from("/hub"));
        let acme = Id::parse("acme").expect("an id");
        let mut set = |closed: Option<&str>, revision, offset| {
            orgs.set((&hub, &acme), closed.map(Arc::from), Some(revision), at(offset))
        };
        assert_eq!(set(Some("expired"), 1, 1), Update::Newest);
        assert_eq!(set(None, 3, 2), Update::Newest);
        assert_eq!(set(Some("late"), 2, 3), Update::Older);
        assert_eq!(orgs.closed("/hub", &acme), None);
        assert_eq!(orgs.set((&hub, &acme), Some("again".into()), Some(4), at(4)), Update::Newest);
        assert_eq!(orgs.closed("/hub", &acme).map(AsRef::as_ref), Some("again"));
        assert_eq!(orgs.closed("/other", &acme), None);
        let other = Id::parse("globex").expect("an id");
        assert_eq!(orgs.set((&hub, &other), None, None, at(5)), Update::Newest);
        assert_eq!(orgs.set((&Arc::from("/other"), &other), Some("r".into()), None, at(6)), Update::Full);
    }
}
