//! All routes of a node, by event type.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fanfare_event::{Event, Registry};
use smallvec::SmallVec;

use super::not_taken::NotTaken;
use super::rule::Route;
use super::verify::{self, IdFields, Unroutable};
use super::{HubDeclaration, RouteSource, compile, isolation};
use crate::document::Fault;
use crate::vocabulary::name::GroupName;

/// All routes of a node.
#[derive(Debug)]
pub struct RouteTable {
    /// The schemas that the routes were checked against: routed events are decoded with these only.
    schemas: Registry,
    types: HashMap<Box<str>, Entry>,
    digest: String,
}

#[derive(Debug, Default)]
struct Entry {
    ids: IdFields,
    routes: Vec<Arc<Route>>,
}

/// A route that takes an event, and its groups.
#[derive(Debug, Clone)]
pub struct Match<'t> {
    /// The route.
    pub route: &'t Arc<Route>,
    /// The groups, at least one, each once.
    pub groups: SmallVec<[GroupName; 2]>,
}

impl RouteTable {
    /// Checks route files against the schemas and hubs that they name, and compiles them.
    pub fn compile(sources: &[RouteSource], registry: &Registry, hubs: &[HubDeclaration]) -> Result<Self, Vec<Fault>> {
        Self::compile_for(sources, registry, hubs, None)
    }

    /// The same for a platform that has one org, whose events need not say it.
    pub fn compile_for(
        sources: &[RouteSource],
        registry: &Registry,
        hubs: &[HubDeclaration],
        single_org: Option<&str>,
    ) -> Result<Self, Vec<Fault>> {
        let compiled = compile::sources(sources, registry, hubs, single_org)?;
        let mut types: HashMap<Box<str>, Entry> = HashMap::new();
        for event_type in registry.event_types() {
            let entry = Entry { ids: IdFields::of(event_type), routes: Vec::new() };
            types.insert(event_type.name().as_str().into(), entry);
        }
        for (event, route) in compiled.routes {
            types.entry(event).or_default().routes.push(Arc::new(route));
        }
        Ok(Self { schemas: registry.clone(), types, digest: compiled.digest })
    }

    /// The schemas of the events. Records have their fields in the order of these, and the routes use the same indexes.
    #[must_use]
    pub fn schemas(&self) -> &Registry {
        &self.schemas
    }

    /// The routes that take this event, with their groups; routes without any are left out.
    ///
    /// Invalid group names are left out; [`Self::resolve`] reports them.
    pub fn route<'t>(&'t self, event: &Event) -> SmallVec<[Match<'t>; 2]> {
        let mut matches = SmallVec::new();
        for route in self.of(event).iter().filter(|route| route.takes(event)) {
            let (groups, _) = route.groups(event);
            if !groups.is_empty() || route.stands_alone() {
                matches.push(Match { route, groups });
            }
        }
        matches
    }

    /// Routes an event that can be routed: its type, its ids and the groups that it names are sound.
    ///
    /// What fails here is a dead letter.
    pub fn resolve<'t>(&'t self, event: &Event) -> Result<SmallVec<[Match<'t>; 2]>, Unroutable> {
        self.resolve_noting(event, |_, _| ())
    }

    /// The same, and notes the routes of the event's type that do not take it.
    pub(crate) fn resolve_noting<'t>(
        &'t self,
        event: &Event,
        mut note: impl FnMut(&Arc<Route>, NotTaken),
    ) -> Result<SmallVec<[Match<'t>; 2]>, Unroutable> {
        let (said, body) = (&event.attributes.event_type, event.record.event_type().name());
        if said != body {
            return Err(Unroutable::OtherType { attributes: said.to_string(), body: body.to_string() });
        }
        let mut matches = SmallVec::new();
        let Some(entry) = self.types.get(body.as_str()) else {
            return Ok(matches);
        };
        entry.ids.verify(event)?;
        for route in &entry.routes {
            if let Some(why) = route.refusal(event) {
                note(route, why);
                continue;
            }
            if let Some(fault) = route.effect_fault(event) {
                return Err(fault);
            }
            match route.groups(event) {
                (_, Some(bad)) => {
                    return Err(Unroutable::BadGroup { route: route.name().to_owned(), reason: bad.to_string() });
                }
                (groups, None) if groups.is_empty() && !route.stands_alone() => note(route, NotTaken::Nobody),
                (groups, None) => matches.push(Match { route, groups }),
            }
        }
        Ok(matches)
    }

    /// Whether an event of this type may reach connections of other orgs than its own.
    pub fn crosses_orgs(&self, event_type: &str) -> bool {
        self.types.get(event_type).is_some_and(|entry| entry.routes.iter().any(|route| route.cross_org()))
    }

    /// Checks that an event can be routed, for instance before it is published.
    pub fn verify(&self, event: &Event) -> Result<(), Unroutable> {
        self.resolve(event).map(drop)
    }

    /// The org that an event belongs to, by its attributes or else by its body.
    pub fn org<'e>(&self, event: &'e Event) -> Option<&'e str> {
        verify::org(event)
    }

    /// Every route.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.types.values().flat_map(|entry| &entry.routes)
    }

    /// The routes by which a node learns something that it keeps, by name and with all that they say.
    pub(super) fn learning(&self) -> BTreeSet<(String, String)> {
        let learning =
            self.types.iter().flat_map(|(event, entry)| entry.routes.iter().map(move |route| (event, route)));
        learning
            .filter(|(_, route)| route.is_learnt_by())
            .map(|(event, route)| (route.name().to_owned(), format!("{event} {route:?}")))
            .collect()
    }

    /// The routes of an event type.
    pub fn of_type(&self, event_type: &str) -> impl Iterator<Item = &Arc<Route>> {
        self.types.get(event_type).into_iter().flat_map(|entry| &entry.routes)
    }

    /// One line per route: its event, what it sends to whom, and what keeps other orgs from it.
    pub fn explain(&self, single_org: Option<&str>) -> Vec<String> {
        let mut lines = Vec::new();
        for (event, entry) in &self.types {
            let Some(event_type) = self.schemas.event_type(event) else { continue };
            let isolated = |route: &Route| isolation::explain(event_type, route.cross_org(), single_org);
            lines
                .extend(entry.routes.iter().map(|route| format!("{event}: {} ({})", route.explain(), isolated(route))));
        }
        lines.sort_unstable();
        lines
    }

    /// A short text that is the same for the same routes, wherever they are written.
    pub fn digest(&self) -> String {
        self.digest.clone()
    }

    /// The routes of the body's type: their field indexes are of that type's record and no other's.
    fn of(&self, event: &Event) -> &[Arc<Route>] {
        self.types.get(event.record.event_type().name().as_str()).map_or(&[], |entry| &entry.routes)
    }
}
