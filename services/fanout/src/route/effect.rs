//! What a route does beside its notification: end sessions, change roles.

use fanfare_event::{Event, Id, Kind, Record, Value};

use super::field::{FieldPath, article};
use super::scope::Scope;
use crate::config::section::Section;

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
}

impl EffectRule {
    /// The effect of one event; none if an id in it is not one.
    pub(super) fn of(&self, event: &Event) -> Effect {
        self.read(&event.record).unwrap_or(Effect::None)
    }

    fn read(&self, record: &Record) -> Option<Effect> {
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
    let fault = if *field.kind() != Kind::String {
        format!("`{}` is {} and must be a string", field.name(), article(field.kind()))
    } else if field.nullable() && !nullable {
        format!("`{}` may be null, and `{key}` must not", field.name())
    } else {
        return Some(field);
    };
    scope.document.fault(text.at, fault, None);
    None
}
