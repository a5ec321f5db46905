//! Roles of users.

use fanfare_producer::caller::SUPERADMIN;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const LONGEST: usize = 32;
/// The largest number of roles per user: every token contains them.
const MOST: usize = 32;

/// The name of a role: `[a-z0-9_-]{1,32}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Role(String);

/// Why roles are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RolesError {
    /// A name is invalid.
    #[error("a role is 1 to 32 lower-case letters, digits, underscores and hyphens")]
    Name,
    /// There are too many.
    #[error("a user has {MOST} roles at most")]
    TooMany,
}

impl TryFrom<String> for Role {
    type Error = RolesError;

    fn try_from(text: String) -> Result<Self, RolesError> {
        let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b'-');
        match !text.is_empty() && text.len() <= LONGEST && text.bytes().all(fits) {
            true => Ok(Self(text)),
            false => Err(RolesError::Name),
        }
    }
}

/// The roles of a user: a set, so that order and duplicates do not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Role>")]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// Whether the superadmin role is among them.
    pub fn include_superadmin(&self) -> bool {
        self.0.iter().any(|role| role.0 == SUPERADMIN)
    }

    /// Their names, sorted.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|role| role.0.clone()).collect()
    }
}

impl TryFrom<Vec<Role>> for Roles {
    type Error = RolesError;

    fn try_from(roles: Vec<Role>) -> Result<Self, RolesError> {
        let roles: BTreeSet<Role> = roles.into_iter().collect();
        match roles.len() <= MOST {
            true => Ok(Self(roles)),
            false => Err(RolesError::TooMany),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Roles, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn roles_are_a_set() {
        let roles = parse(r#"["user","admin","user"]"#).expect("roles");
        assert_eq!(roles.names(), ["admin", "user"]);
        assert_eq!(roles, parse(r#"["admin","user"]"#).expect("roles"));
        assert_eq!(serde_json::to_string(&roles).expect("json"), r#"["admin","user"]"#);
    }

    #[test]
    fn bad_roles_are_refused() {
        for wrong in [r#"["Admin"]"#, r#"[""]"#, r#"["a b"]"#, r#"["é"]"#, r#""admin""#, "[1]"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let many: Vec<String> = (0..33).map(|n| format!("r{n}")).collect();
        assert!(parse(&serde_json::to_string(&many).expect("json")).is_err());
        assert!(parse(&format!("[\"{}\"]", "x".repeat(33))).is_err());
    }
}
