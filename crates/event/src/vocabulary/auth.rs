//! Events of the auth service.

use serde::{Deserialize, Serialize};

use crate::Id;

/// A user has logged in and holds a new session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserLoggedIn {
    /// The user.
    pub user: Id,
    /// The organisation.
    pub org: Id,
    /// The new session, the `sid` claim of its tokens.
    pub session: Id,
}

/// A user has logged out, of one session or everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserLoggedOut {
    /// The user.
    pub user: Id,
    /// The organisation.
    pub org: Id,
    /// The session that ended; none if all sessions of the user ended.
    pub session: Option<Id>,
    /// The reason, as shown to the user.
    pub reason: String,
    /// The revision of the user's logouts.
    pub revision: Option<i64>,
}

/// The roles of a user have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolesChanged {
    /// The user whose roles changed.
    pub user: Id,
    /// The organisation.
    pub org: Id,
    /// All roles of the user from now on.
    pub roles: Vec<String>,
    /// The user who made the change; empty if the platform did.
    pub changed_by: String,
    /// The revision of the user's roles.
    pub revision: Option<i64>,
}
