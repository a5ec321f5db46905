//! Compiles route files: looks up every name, checks every type, reports every fault.

use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::Arc;

use fanfare_event::{EventType, Registry};

use super::audience::Audience;
use super::builtin::{self, Shape};
use super::condition::{self, Condition};
use super::effect::EffectRule;
use super::field::FieldPath;
use super::realm::RealmRule;
use super::rule::{Retain, Route};
use super::scope::{Scope, versions};
use super::throttle::{self, Throttle};
use super::{HubDeclaration, RouteSource, canonical, isolation};
use crate::document::section::{Section, text};
use crate::document::{Document, Fault, Located, suggest};

pub(crate) const KEYS: &[&str] = &[
    "name",
    "event",
    "versions",
    "hub",
    "hubs",
    "groups",
    "when",
    "toast",
    "logout",
    "featureFlag",
    "send",
    "roles",
    "grant",
    "withdraw",
    "close_org",
    "open_org",
    "retain",
    "cross_org",
    "realm",
    "conflate",
    "throttle",
];

/// How a throttle is written.
const THROTTLE: &str = "throttle = { key = \"{id}\", per_second = 10 }";

/// What others call a throttle.
const WORDS: [(&str, &str); 6] = [
    ("debounce", THROTTLE),
    ("limit", THROTTLE),
    ("rate", THROTTLE),
    ("rate_limit", THROTTLE),
    ("max_per_second", THROTTLE),
    ("sample", THROTTLE),
];

/// The keys of which a route needs one.
const SHAPES: [&str; 4] = ["toast", "logout", "featureFlag", "send"];

/// The longest name of a route, in bytes.
const MAX_NAME: usize = 64;

/// The routes with the names of their event types.
pub(super) struct Compiled {
    pub(super) routes: Vec<(Box<str>, Route)>,
    pub(super) digest: String,
}

/// Compiles all files; the faults of all of them are found together.
pub(super) fn sources(
    sources: &[RouteSource],
    registry: &Registry,
    hubs: &[HubDeclaration],
    single_org: Option<&str>,
) -> Result<Compiled, Vec<Fault>> {
    let documents: Vec<_> = sources.iter().map(Document::parse).collect();
    let (routes, texts) = {
        let mut compiler = Compiler {
            registry,
            hubs,
            single_org,
            names: HashMap::new(),
            routes: Vec::new(),
            removals: Vec::new(),
            texts: Vec::new(),
        };
        documents.iter().filter(|document| !document.is_faulty()).for_each(|document| compiler.file(document));
        // What should retain may be there and faulty.
        if documents.iter().all(|document| !document.is_faulty()) {
            compiler.check_removals();
        }
        (compiler.routes, compiler.texts)
    };
    let mut faults: Vec<_> = documents.into_iter().flat_map(Document::into_faults).collect();
    if let (true, true, Some(first)) = (faults.is_empty(), routes.is_empty(), sources.first()) {
        faults.push(Fault::whole(&first.path, "declares no [[route]]"));
    }
    if faults.is_empty() { Ok(Compiled { routes, digest: canonical::digest(texts) }) } else { Err(faults) }
}

struct Compiler<'c, 'd> {
    registry: &'c Registry,
    hubs: &'c [HubDeclaration],
    /// The one org of the platform, if it has one.
    single_org: Option<&'c str>,
    /// Every route's name, and where it is declared.
    names: HashMap<&'d str, String>,
    routes: Vec<(Box<str>, Route)>,
    /// Routes with `retain = "remove"`, and their indexes.
    removals: Vec<(Section<'d>, usize)>,
    /// Every route in the form that the digest is made of.
    texts: Vec<String>,
}

impl<'d> Compiler<'_, 'd> {
    fn file(&mut self, document: &'d Document<'d>) {
        let root = document.root().allow(&["hub", "hubs", "route", "event"]);
        let shared = self.hubs(&root);
        for section in root.sections("route") {
            let name = self.name(&section);
            let section = match name {
                Some(name) => section.titled(format!("the route `{}`", name.value)),
                None => section,
            };
            let section = section.allow_or_translate(KEYS, &WORDS);
            let own = self.hubs(&section);
            let hubs = if own.is_empty() { shared.clone() } else { own };
            if hubs.is_empty() && section.value("hub").is_none() && section.value("hubs").is_none() {
                let help = "for instance hub = \"/hubs/notifications\", here or at the top of the file";
                document.fault(section.at(), format!("{} names no hub", section.title()), Some(help.to_owned()));
            }
            let paths: Vec<_> = hubs.iter().map(|hub| hub.path.as_str()).collect();
            self.texts.push(format!("{} {}", paths.join(" "), canonical::text(section.table())));
            self.route(&section, name.map_or("", |name| name.value), &hubs);
        }
    }

    /// A name that no other route has.
    fn name(&mut self, section: &Section<'d>) -> Option<Located<&'d str>> {
        let name = section.required("name")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let document = section.document();
        if name.value.is_empty() || name.value.len() > MAX_NAME || !name.value.chars().all(plain) {
            let help = format!("1 to {MAX_NAME} letters, digits and - _ .");
            document.fault(name.at, format!("{:?} is not a name", name.value), Some(help));
        }
        let place = document.place(name.at);
        if let Some(first) = self.names.get(name.value) {
            let help = "ids of notifications are made of the name, so it must be unique";
            document.fault(
                name.at,
                format!("`{}` is also the name of the route at {first}", name.value),
                Some(help.to_owned()),
            );
        } else {
            self.names.insert(name.value, place);
        }
        Some(name)
    }

    /// The hubs that `hub` or `hubs` names.
    fn hubs(&self, section: &Section<'_>) -> Vec<HubDeclaration> {
        if section.value("hub").is_some() && section.value("hubs").is_some() {
            section.fault("hubs", "`hub` and `hubs` exclude each other", None);
        }
        let mut named: Vec<_> = section.string("hub").into_iter().collect();
        named.extend(section.strings("hubs").unwrap_or_default());
        let mut hubs: Vec<HubDeclaration> = Vec::new();
        for path in named {
            match self.hubs.iter().find(|hub| hub.path == path.value) {
                Some(hub) if hubs.iter().any(|other| other.path == hub.path) => {
                    section.document().fault(path.at, format!("{} is listed twice", path.value), None);
                }
                Some(hub) => hubs.push(hub.clone()),
                None => {
                    let help = suggest::help(path.value, self.hubs.iter().map(|hub| hub.path.as_str()));
                    let message = format!("the configuration declares no hub {}", path.value);
                    section.document().fault(path.at, message, help);
                }
            }
        }
        hubs
    }

    fn event(&self, section: &Section<'_>) -> Option<Arc<EventType>> {
        let name = section.required("event")?;
        let event_type = self.registry.event_type(name.value);
        if event_type.is_none() {
            let help = match self.registry.suggest(name.value) {
                Some(near) => Some(format!("did you mean `{near}`?")),
                None => suggest::help(name.value, self.registry.event_types().map(|known| known.name().as_str())),
            };
            section.document().fault(name.at, format!("there is no event `{}`", name.value), help);
        }
        event_type.cloned()
    }

    fn route(&mut self, section: &Section<'d>, name: &str, hubs: &[HubDeclaration]) {
        let Some(event_type) = self.event(section) else { return };
        let scope = Scope {
            document: section.document(),
            schema: event_type.newest(),
            versions: versions(section, &event_type),
        };
        let when = section.section("when").map(|when| condition::compile(&scope, &when)).unwrap_or_default();
        let (shape, effect) = (shape(&scope, section), EffectRule::compile(&scope, section));
        let retain = retain(&scope, section, &when);
        let conflate = throttle::conflate(&scope, section, retain);
        let cross_org = section.boolean("cross_org").unwrap_or(false);
        if !cross_org && self.single_org.is_none() {
            isolation::check(section, &event_type);
        }
        let silent = is_silent(section);
        let user = effect.as_ref().and_then(EffectRule::user);
        // All hubs of a node have the same issuers.
        let realms = hubs.first().map(|hub| hub.realms.clone()).unwrap_or_default();
        let realm = RealmRule::compile(&scope, section, &realms);
        let audiences: Vec<_> =
            hubs.iter().map(|hub| if silent { Vec::new() } else { audiences(&scope, section, hub, user) }).collect();
        let effects: Vec<_> = hubs.iter().map(|hub| access(&scope, section, hub)).collect();
        let (Some(shape), Some(effect)) = (shape, effect) else { return };
        let event: Box<str> = event_type.name().as_str().into();
        for ((hub, audiences), access) in hubs.iter().zip(audiences).zip(effects) {
            let throttle = Throttle::compile(&scope, section, retain, &audiences);
            let route = Route {
                name: name.into(),
                hub: hub.path.as_str().into(),
                versions: scope.versions.iter().map(|version| version.version).collect(),
                when: when.clone().into(),
                audiences: audiences.into(),
                shape: shape.clone(),
                effect: access.unwrap_or_else(|| effect.clone()),
                realm: realm.clone(),
                retain,
                cross_org,
                conflate: conflate.clone(),
                throttle,
                times: hub.times,
                hasher: RandomState::new(),
            };
            if retain == Retain::Remove {
                self.removals.push((section.clone(), self.routes.len()));
            }
            self.routes.push((event.clone(), route));
        }
    }

    /// A route that removes needs one that retains, of the same hub and target, in whatever file.
    fn check_removals(&self) {
        for (section, index) in &self.removals {
            let removing = &self.routes[*index].1;
            let retains = |route: &Route| {
                route.retain == Retain::Keep && route.hub == removing.hub && route.target() == removing.target()
            };
            if !self.routes.iter().any(|(_, route)| retains(route)) {
                let (hub, target) = (removing.hub(), removing.target());
                section.fault("retain", format!("no route of {hub} retains a `{target}` that could be removed"), None);
            }
        }
    }
}

fn audiences(
    scope: &Scope<'_>,
    section: &Section<'_>,
    hub: &HubDeclaration,
    user: Option<&FieldPath>,
) -> Vec<Audience> {
    let Some(templates) = section.strings("groups") else {
        if section.value("groups").is_none() {
            section.required("groups");
        }
        return Vec::new();
    };
    if templates.is_empty() {
        section.fault("groups", "no group is listed: nobody would hear of it", None);
    }
    templates.into_iter().filter_map(|text| Audience::compile(scope, hub, text, user)).collect()
}

/// The one notification that the route makes. `logout` may leave its shape to `send`.
fn shape(scope: &Scope<'_>, section: &Section<'_>) -> Option<Shape> {
    let given: Vec<&str> = SHAPES.into_iter().filter(|key| section.value(key).is_some()).collect();
    let key = match *given.as_slice() {
        [key] => key,
        ["logout", "send"] => "send",
        [] if is_silent(section) => {
            for key in
                ["groups", "retain", "conflate", "throttle"].into_iter().filter(|key| section.value(key).is_some())
            {
                section.fault(
                    key,
                    format!("{} sends nothing, and `{key}` is about what is sent", section.title()),
                    None,
                );
            }
            return Some(Shape::silent());
        }
        [] => {
            let message = format!("{} sends nothing", section.title());
            section.document().fault(
                section.at(),
                message,
                Some(format!("it needs one of {}; send = true sends the event as it is", SHAPES.join(", "))),
            );
            return None;
        }
        [_, second, ..] => {
            section.fault(second, format!("{} exclude each other", given.join(" and ")), None);
            return None;
        }
    };
    if key == "send" && section.value(key).and_then(|node| node.get_ref().as_bool()) == Some(true) {
        return Some(builtin::send_event(scope));
    }
    let shape = section.section(key)?;
    match key {
        "toast" => builtin::toast(scope, &shape),
        "logout" => builtin::logout(scope, &shape),
        "featureFlag" => builtin::feature_flag(scope, &shape),
        _ => builtin::send(scope, &shape),
    }
}

/// Whether the route only changes access or closes an org, and sends nothing.
fn is_silent(section: &Section<'_>) -> bool {
    let says = ["grant", "withdraw", "close_org", "open_org"].iter().any(|key| section.value(key).is_some());
    says && SHAPES.iter().all(|key| section.value(key).is_none())
}

/// Who has access to which groups of a hub.
fn access(scope: &Scope<'_>, section: &Section<'_>, hub: &HubDeclaration) -> Option<EffectRule> {
    let key = ["grant", "withdraw"].into_iter().find(|key| section.value(key).is_some())?;
    EffectRule::access_rule(scope, section, hub, key)
}

fn retain(scope: &Scope<'_>, section: &Section<'_>, when: &[Condition]) -> Retain {
    let Some(node) = section.value("retain") else {
        return Retain::No;
    };
    let retain = match (node.get_ref().as_bool(), text(node).map(|text| text.value)) {
        (Some(true), _) => Retain::Keep,
        (Some(false), _) => Retain::No,
        (_, Some("remove")) => Retain::Remove,
        _ => {
            section.fault("retain", "`retain` must be true, false or \"remove\"", None);
            return Retain::No;
        }
    };
    if retain == Retain::No {
        return retain;
    }
    if !scope.schema.is_stateful() {
        let message = format!("{} has no key to retain it under", scope.schema.event_type);
        let help = "its schema needs \"fanfare.key\": the fields that name what its state is about";
        section.fault("retain", message, Some(help.to_owned()));
    }
    // An event that is passed over would leave an older value standing as the current one.
    if let Some(test) = when.iter().find(|test| !scope.schema.key.contains(&test.field().index())) {
        let message = format!("a retained notification cannot depend on `{}`", test.field().name());
        section.fault("when", message, Some("only fields of the key can be tested".to_owned()));
    }
    retain
}
