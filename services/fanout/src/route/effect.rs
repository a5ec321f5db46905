//! The effects of a route besides its notification: it ends sessions, changes roles, grants access to groups.

use std::sync::Arc;

use fanfare_event::{Event, Id, Kind, Record, Value, check_name};
use smallvec::SmallVec;

use super::HubDeclaration;
use super::audience::{Audience, BadGroup};
use super::field::{FieldPath, article};
use super::org_state::OrgRule;
use super::realm::{InRealm, RealmRule};
use super::scope::Scope;
use super::source::Context;
use super::verify::Unroutable;
use crate::document::section::Section;
use crate::vocabulary::name::{GroupName, GroupTemplate};

/// The keys of effects; a route has at most one.
const EFFECTS: [&str; 6] = ["logout", "roles", "grant", "withdraw", "close_org", "open_org"];

/// The effect of an event, besides its notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Ends the user's sessions, or one of them.
    Logout {
        /// In which realms.
        realm: InRealm,
        /// The user.
        user: Id,
        /// The one session that ends; all of them if absent.
        session: Option<Id>,
    },
    /// Gives the user these roles in place of those of older tokens.
    Roles {
        /// The realm of the user.
        realm: Option<Arc<str>>,
        /// The user.
        user: Id,
        /// The org in which the roles hold.
        org: Id,
        /// All roles of the user.
        roles: Vec<String>,
    },
    /// Lets a user into groups, or takes them out.
    Access {
        /// The realm of the user.
        realm: Option<Arc<str>>,
        /// The user.
        user: Id,
        /// The groups.
        groups: SmallVec<[GroupName; 2]>,
        /// Whether access is granted.
        granted: bool,
        /// Whether the user's connections are in such a group without a call.
        joins: bool,
    },
    /// Closes the event's org to the hub, or opens it again.
    Org {
        /// The org.
        org: Id,
        /// Why it is closed; none if it is open.
        closed: Option<Arc<str>>,
    },
}

impl Effect {
    /// Whether it ends sessions.
    pub fn is_logout(&self) -> bool {
        matches!(self, Self::Logout { .. })
    }
}

/// Where the values of an effect are.
#[derive(Debug, Clone, Default)]
pub(super) enum EffectRule {
    #[default]
    None,
    Logout {
        user: FieldPath,
        session: Option<FieldPath>,
    },
    Roles {
        user: FieldPath,
        org: FieldPath,
        roles: FieldPath,
    },
    Access {
        user: FieldPath,
        group: Box<Audience>,
        granted: bool,
        joins: bool,
    },
    Org(OrgRule),
}

impl EffectRule {
    /// Reads what a route does that is the same for all of its hubs: `logout`, `roles`, `close_org` or `open_org`.
    pub(super) fn compile(scope: &Scope<'_>, section: &Section<'_>) -> Option<Self> {
        let given: Vec<&str> = EFFECTS.into_iter().filter(|key| section.value(key).is_some()).collect();
        if let [first, second, ..] = *given.as_slice() {
            section.fault(second, format!("`{first}` and `{second}` exclude each other"), None);
        }
        if let Some(logout) = section.section("logout") {
            let shaped = section.value("send").is_some();
            let keys: &[&str] = if shaped { &["user", "session"] } else { &["user", "session", "reason"] };
            return Self::logout(scope, &logout.allow(keys));
        }
        if section.value("close_org").is_some() || section.value("open_org").is_some() {
            return OrgRule::compile(scope, section).map(Self::Org);
        }
        match section.section("roles") {
            Some(roles) => Self::roles(scope, &roles),
            None => Some(Self::None),
        }
    }

    /// The effect of one event; none if an id or a role in it is invalid, which [`Self::fault`] reports.
    pub(super) fn of(&self, event: &Event, realm: &RealmRule) -> Effect {
        self.read(event, realm).unwrap_or(Effect::None)
    }

    /// Why the event has no effect though its route has: nothing is done by halves, and nothing left out in silence.
    pub(super) fn fault(&self, event: &Event, realm: &RealmRule) -> Option<Unroutable> {
        self.read(event, realm).err()
    }

    /// Whether it ends sessions.
    pub(super) fn is_logout(&self) -> bool {
        matches!(self, Self::Logout { .. })
    }

    /// The field of the user whom it is about.
    pub(super) fn user(&self) -> Option<&FieldPath> {
        match self {
            Self::None | Self::Org(_) => None,
            Self::Logout { user, .. } | Self::Roles { user, .. } | Self::Access { user, .. } => Some(user),
        }
    }

    /// The groups that it lets someone into.
    pub(super) fn grants(&self) -> Option<&GroupTemplate> {
        match self {
            Self::Access { group, granted: true, .. } => Some(group.template()),
            _ => None,
        }
    }

    /// Whether it lets someone into groups, or takes them out, and why some of what the event names is no group.
    pub(super) fn access(&self, event: &Event) -> Option<Result<(), BadGroup>> {
        match self {
            Self::Access { group, .. } => Some(group.names(Context::of(event), None, &mut SmallVec::new())),
            _ => None,
        }
    }

    /// Whether a route with this effect makes sense without a notification.
    pub(super) fn stands_alone(&self) -> bool {
        matches!(self, Self::Access { .. } | Self::Org(_))
    }

    /// The effect in words, for people.
    pub(super) fn explain(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Logout { .. } => Some("ends sessions"),
            Self::Roles { .. } => Some("changes roles"),
            Self::Access { .. } => Some("changes who is in a group"),
            Self::Org(rule) => Some(rule.explain()),
        }
    }

    fn read(&self, event: &Event, realm: &RealmRule) -> Result<Effect, Unroutable> {
        let record = &event.record;
        match self {
            Self::None => Ok(Effect::None),
            Self::Org(rule) => rule.of(event),
            Self::Logout { user, session } => Ok(Effect::Logout {
                realm: realm.of_logout(event)?,
                user: id(user, record)?,
                session: match session {
                    // A session that is no id must not end all sessions.
                    Some(session) if !session.read(record).is_null() => Some(id(session, record)?),
                    _ => None,
                },
            }),
            Self::Access { user, group, granted, joins } => {
                let mut groups = SmallVec::new();
                // A list with a faulty item gives the items before it; the caller that asks for groups gets the reason.
                let realm = realm.one(event)?;
                if group.names(Context::of(event), realm.as_deref(), &mut groups).is_err() {
                    return Ok(Effect::None);
                }
                let (granted, joins) = (*granted, *joins);
                Ok(Effect::Access { realm, user: id(user, record)?, groups, granted, joins })
            }
            Self::Roles { user, org, roles } => Ok(Effect::Roles {
                realm: realm.one(event)?,
                user: id(user, record)?,
                org: id(org, record)?,
                roles: role_names(roles, record)?,
            }),
        }
    }

    /// Reads `grant = { user = "{user}", group = "list:{list_id}" }`, or `withdraw` of the same form.
    ///
    /// This must outlive the window, so its event is a state whose key tells one access from another.
    pub(super) fn access_rule(
        scope: &Scope<'_>,
        section: &Section<'_>,
        hub: &HubDeclaration,
        key: &str,
    ) -> Option<Self> {
        let section = section.section(key)?;
        if section.value("join").is_some() {
            let help = "whether a connection is in it without a call says the hub: join = [{ group = \"list:{id}\", granted = true }]";
            section.fault("join", format!("`{key}` has no key `join`"), Some(help.to_owned()));
            return None;
        }
        let section = section.allow(&["user", "group"]);
        let user = field(scope, &section, "user", false);
        let group = section.required("group").and_then(|text| Audience::compile(scope, hub, text, user.as_ref()));
        let (user, group) = (user?, group?);
        let schema = scope.schema;
        if !schema.is_stateful() {
            let message = format!("{} has no key, and what it says would be forgotten", schema.event_type);
            let help = "its schema needs \"fanfare.key\": the fields of the user and of the group";
            section.fault("user", message, Some(help.to_owned()));
            return None;
        }
        for path in group.fields().chain([&user]) {
            let of_the_org = schema.fields.get(path.index()).is_some_and(|field| field.is_called("org"));
            if !of_the_org && !schema.key.contains(&path.index()) {
                let (event, name) = (&schema.event_type, path.name());
                let message = format!("`{name}` is not in the key of {event}: the newest of all would stand for each");
                section.document().fault(section.at(), message, Some("add it to \"fanfare.key\"".to_owned()));
            }
        }
        let joins = hub.granted.iter().any(|template| template.same_family(group.template()));
        Some(Self::Access { user, group: Box::new(group), granted: key == "grant", joins })
    }

    /// Reads the `user` and `session` of `logout`.
    fn logout(scope: &Scope<'_>, logout: &Section<'_>) -> Option<Self> {
        let user = field(scope, logout, "user", false);
        let session = logout.value("session").map(|_| field(scope, logout, "session", true));
        match session {
            Some(session) => Some(Self::Logout { user: user?, session: Some(session?) }),
            None => Some(Self::Logout { user: user?, session: None }),
        }
    }

    /// Reads `roles = { user = "{user}", org = "{org}", roles = "{roles}" }`.
    fn roles(scope: &Scope<'_>, section: &Section<'_>) -> Option<Self> {
        let section = section.clone().allow(&["user", "org", "roles"]);
        let user = field(scope, &section, "user", false);
        let org = field(scope, &section, "org", false);
        let roles = section.required("roles").and_then(|text| {
            let roles = scope.only_field(text, "roles")?;
            if matches!(roles.kind(), Kind::Array(item) if **item == Kind::String) {
                return Some(roles);
            }
            let message = format!("`{}` is {} and must be an array of strings", roles.name(), article(roles.kind()));
            scope.document.fault(text.at, message, None);
            None
        });
        Some(Self::Roles { user: user?, org: org?, roles: roles? })
    }
}

fn id(field: &FieldPath, record: &Record) -> Result<Id, Unroutable> {
    let bad = |reason: String| Unroutable::BadId { field: field.name().to_owned(), reason };
    let text = field.read(record).as_str().ok_or_else(|| bad("it is null".to_owned()))?;
    Id::parse(text).map_err(|error| bad(error.to_string()))
}

fn role_names(field: &FieldPath, record: &Record) -> Result<Vec<String>, Unroutable> {
    let names = field.read(record).as_list().unwrap_or_default().iter().filter_map(Value::as_str);
    let checked = names.map(|name| match check_name(name) {
        Ok(()) => Ok(name.to_owned()),
        Err(error) => Err(Unroutable::BadRole { field: field.name().to_owned(), reason: error.to_string() }),
    });
    checked.collect()
}

fn field(scope: &Scope<'_>, section: &Section<'_>, key: &str, nullable: bool) -> Option<FieldPath> {
    let text = section.required(key)?;
    let field = scope.only_field(text, key)?;
    let fault = if !matches!(field.kind(), Kind::String | Kind::Uuid) {
        format!("`{}` is {} and must be a string", field.name(), article(field.kind()))
    } else if field.nullable() && !nullable {
        format!("`{}` may be null, and `{key}` must not", field.name())
    } else {
        return Some(field);
    };
    scope.document.fault(text.at, fault, None);
    None
}
