//! Lists a shard's connections for an operator: a page by id, in bounded steps.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use fanfare_event::Timestamp;

use super::tab::Tab;
use super::{Core, Key};
use crate::connection::ConnectionId;
use crate::operator::connections::{Connection, Filter, MOST_GROUPS};
use crate::vocabulary::name::GroupName;

/// How many connections and groups are looked at in one turn.
const WORK: usize = 2048;

/// A page that is being looked for.
#[derive(Debug)]
pub struct Listing {
    filter: Filter,
    /// The one connection that is asked for.
    only: Option<ConnectionId>,
    /// Connections up to this one are on earlier pages.
    after: Option<ConnectionId>,
    most: usize,
    /// The place to look at next.
    next: Key,
    found: BTreeMap<ConnectionId, Key>,
    more: bool,
}

impl Listing {
    /// Looks for the first `most` connections after `after`.
    #[must_use]
    pub fn new(filter: Filter, after: Option<ConnectionId>, most: usize) -> Self {
        let only = filter.id.as_deref().and_then(ConnectionId::parse);
        Self { filter, only, after, most, next: 0, found: BTreeMap::new(), more: false }
    }

    /// Whether there are more than fit onto the page.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.more
    }

    /// Whether it looks for one connection alone.
    #[must_use]
    pub fn is_of_one(&self) -> bool {
        self.only.is_some()
    }

    /// The connections found, by id.
    pub fn found(&self) -> impl Iterator<Item = (ConnectionId, Key)> {
        self.found.iter().map(|(id, key)| (*id, *key))
    }

    fn note(&mut self, id: ConnectionId, key: Key) {
        self.found.insert(id, key);
        if self.found.len() > self.most {
            self.found.pop_last();
            self.more = true;
        }
    }

    /// Whether a connection may be on the page at all, before anything dear is asked.
    fn may_hold(&self, id: ConnectionId) -> bool {
        let is_behind = self.after.is_none_or(|after| id > after);
        // One more than a full page only shows that there are more.
        let is_it = self.only.is_none_or(|only| id == only);
        is_it && is_behind && (!self.more || self.found.last_key_value().is_none_or(|(last, _)| id < *last))
    }
}

impl Core {
    /// Looks on for a page, as far as one turn goes. True once it is whole.
    pub fn list(&self, listing: &mut Listing) -> bool {
        let mut work = 0;
        while work < WORK {
            if listing.next >= self.connections.capacity() {
                return true;
            }
            let key = listing.next;
            listing.next += 1;
            work += 1;
            let Some(tab) = self.connections.get(key) else { continue };
            if tab.ending.is_none() && !tab.is_forgotten && listing.may_hold(tab.id) {
                let mut looked = 0;
                if is_asked_for(tab, &listing.filter, &mut looked) {
                    listing.note(tab.id, key);
                }
                work += looked;
            }
        }
        false
    }

    /// One connection as an operator sees it; none if it has ended meanwhile.
    #[must_use]
    pub fn describe(&self, id: ConnectionId, key: Key, node: &str) -> Option<Connection> {
        let tab = self.connections.get(key).filter(|tab| tab.id == id && tab.ending.is_none())?;
        let claims = tab.identity.as_ref().map(|who| who.claims());
        let mut groups: Vec<&GroupName> = tab.subscriptions.groups().collect();
        let all = groups.len();
        groups.truncate(MOST_GROUPS);
        let mut groups: Vec<String> = groups.into_iter().map(ToString::to_string).collect();
        groups.sort_unstable();
        groups.dedup();
        Some(Connection {
            id: id.to_string(),
            hub: tab.hub.path.to_string(),
            user: claims.map(|claims| claims.user.to_string()),
            org: claims.and_then(|claims| claims.org.as_ref()).map(ToString::to_string),
            named_org: tab.identity.as_ref().and_then(|who| who.named_org()).map(ToString::to_string),
            realm: claims.and_then(|claims| claims.realm.as_deref()).map(str::to_owned),
            session: claims.and_then(|claims| claims.session.as_ref()).map(ToString::to_string),
            transport: tab.transport.name().to_owned(),
            client: tab.life.trail.client.as_deref().map(str::to_owned),
            groups,
            more_groups: all.saturating_sub(MOST_GROUPS),
            since: Timestamp(tab.life.since.saturating_mul(1000)).to_rfc3339(),
            node: node.to_owned(),
            timeline: Vec::new(),
        })
    }
}

fn is_asked_for(tab: &Tab, filter: &Filter, looked: &mut usize) -> bool {
    let claims = tab.identity.as_ref().map(|who| who.claims());
    let is = |wanted: &Option<String>, has: Option<&str>| wanted.is_none() || wanted.as_deref() == has;
    let is_of_org = |org: &String| tab.identity.as_ref().is_some_and(|who| who.orgs().any(|own| own.as_str() == org));
    let hub = |path: &String| path.trim_end_matches('/').eq_ignore_ascii_case(&tab.hub.path);
    is(&filter.user, claims.map(|claims| claims.user.as_str()))
        && is(&filter.session, claims.and_then(|claims| claims.session.as_ref()).map(|session| session.as_str()))
        && is(&filter.realm, claims.and_then(|claims| claims.realm.as_deref()))
        && filter.org.as_ref().is_none_or(is_of_org)
        && filter.hub.as_ref().is_none_or(hub)
        && filter.group.as_ref().is_none_or(|wanted| {
            tab.subscriptions.groups().any(|group| {
                *looked += 1;
                reads(group, wanted)
            })
        })
}

/// Whether a group reads so; ends with the first character that differs.
fn reads(group: &GroupName, wanted: &str) -> bool {
    struct Rest<'a>(&'a str);
    impl Write for Rest<'_> {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(part).ok_or(fmt::Error)?;
            Ok(())
        }
    }
    let mut rest = Rest(wanted);
    write!(rest, "{group}").is_ok() && rest.0.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::name::GroupTemplate;

    #[test]
    fn a_group_is_found_by_how_it_reads() {
        let template = GroupTemplate::parse("org:{org}/role:{role}").expect("a template");
        let group = template.name(&["acme", "admin"]).expect("a group");
        assert!(reads(&group, "org:acme/role:admin"));
        for other in ["", "org:acme", "org:acme/role:admins", "org:acme/role:admi", "org:globex/role:admin"] {
            assert!(!reads(&group, other), "{other}");
        }
    }

    #[test]
    fn a_page_holds_the_first_ids_behind_the_last_page() {
        let id = ConnectionId::from_random;
        let mut listing = Listing::new(Filter::default(), Some(id(10)), 2);
        for (key, bits) in [50, 9, 10, 30, 20, 40].into_iter().enumerate() {
            if listing.may_hold(id(bits)) {
                listing.note(id(bits), key);
            }
        }
        assert_eq!(listing.found().map(|(id, _)| id.to_bits()).collect::<Vec<_>>(), [20, 30]);
        assert!(listing.has_more());
    }
}
