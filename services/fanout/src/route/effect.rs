//! What a route does beside its notification: end sessions, change roles, let users into groups.

use fanfare_event::{Event, Id, Kind, Record, Value};
use smallvec::SmallVec;

use super::HubDeclaration;
use super::audience::{Audience, BadGroup};
use super::field::{FieldPath, article};
use super::scope::Scope;
use super::source::Context;
use crate::config::section::Section;
use crate::groups::name::{GroupName, GroupTemplate};

/// What an event does beside the notification that it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// Ends the user's sessions, or one of them.
    Logout {
        /// The user.
        user: Id,
        /// The one session that ends; all of them if absent.
        session: Option<Id>,
    },
    /// Gives the user these roles in place of those of older tokens.
    Roles {
        /// The user.
        user: Id,
        /// The org in which the roles hold.
        org: Id,
        /// All roles of the user.
        roles: Vec<String>,
    },
    /// Lets a user into groups, or takes them out.
    Access {
        /// The user.
        user: Id,
        /// The groups.
        groups: SmallVec<[GroupName; 2]>,
        /// Whether they are let in.
        granted: bool,
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
        group: Audience,
        granted: bool,
    },
}

impl EffectRule {
    /// The effect of one event; none if an id in it is not one.
    pub(super) fn of(&self, event: &Event) -> Effect {
        self.read(event).unwrap_or(Effect::None)
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
            Self::Access { group, .. } => Some(group.names(Context::of(event), &mut SmallVec::new())),
            _ => None,
        }
    }

    fn read(&self, event: &Event) -> Option<Effect> {
        let record = &event.record;
        match self {
            Self::None => None,
            Self::Logout { user, session } => Some(Effect::Logout {
                user: id(user, record)?,
                session: match session {
                    // A session that is no id must not end all sessions.
                    Some(session) if !session.read(record).is_null() => Some(id(session, record)?),
                    _ => None,
                },
            }),
            Self::Access { user, group, granted } => {
                let mut groups = SmallVec::new();
                // Such an event is a dead letter: nothing is done by halves.
                group.names(Context::of(event), &mut groups).ok()?;
                Some(Effect::Access { user: id(user, record)?, groups, granted: *granted })
            }
            Self::Roles { user, org, roles } => {
                let roles = roles.read(record).as_list().unwrap_or_default();
                Some(Effect::Roles {
                    user: id(user, record)?,
                    org: id(org, record)?,
                    roles: roles
                        .iter()
                        .filter_map(Value::as_str)
                        .filter(|role| is_role(role))
                        .map(str::to_owned)
                        .collect(),
                })
            }
        }
    }

    /// Reads `grant = { user = "{user}", group = "list:{list_id}" }`, or `withdraw` of the same form.
    ///
    /// What it says must outlive the window, so its event is a state whose key tells one access from another.
    pub(super) fn access_rule(
        scope: &Scope<'_>,
        section: &Section<'_>,
        hub: &HubDeclaration,
        key: &str,
    ) -> Option<Self> {
        let section = section.section(key)?.allow(&["user", "group"]);
        let user = field(scope, &section, "user", false);
        let group = section.required("group").and_then(|text| Audience::compile(scope, hub, text));
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
        Some(Self::Access { user, group, granted: key == "grant" })
    }

    /// Reads the `user` and `session` of `logout`.
    pub(super) fn logout(scope: &Scope<'_>, logout: &Section<'_>) -> Option<Self> {
        let user = field(scope, logout, "user", false);
        let session = logout.value("session").map(|_| field(scope, logout, "session", true));
        match session {
            Some(session) => Some(Self::Logout { user: user?, session: Some(session?) }),
            None => Some(Self::Logout { user: user?, session: None }),
        }
    }

    /// Reads `roles = { user = "{user}", org = "{org}", roles = "{roles}" }`.
    pub(super) fn roles(scope: &Scope<'_>, section: &Section<'_>) -> Option<Self> {
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

fn id(field: &FieldPath, record: &Record) -> Option<Id> {
    field.read(record).as_str().and_then(|text| Id::parse(text).ok())
}

fn is_role(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    (1..=32).contains(&text.len()) && text.bytes().all(plain)
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
