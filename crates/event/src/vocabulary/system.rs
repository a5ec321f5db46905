//! Events of the platform as a whole.

use serde::{Deserialize, Serialize};

use crate::Id;

/// A message to an organisation, a user or the admins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The organisation that should see it.
    pub org: Option<Id>,
    /// The user who should see it.
    pub user: Option<Id>,
    /// How urgent it is.
    pub severity: Severity,
    /// The headline.
    pub title: String,
    /// The text below the headline.
    pub message: String,
    /// The user who raised the alert; empty if the platform did.
    pub raised_by: String,
    /// A link to more information: https or relative.
    pub link: Option<String>,
}

/// An operator closes connections: those that match everything named here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionsClosed {
    /// One connection.
    pub connection: Option<String>,
    /// The user whose connections are closed.
    pub user: Option<Id>,
    /// The session whose connections are closed.
    pub session: Option<Id>,
    /// The realm of user and session; none for every realm.
    pub realm: Option<String>,
}

/// How urgent a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Information.
    Info,
    /// Something may need attention.
    Warning,
    /// Something failed.
    Error,
    /// Something went well.
    Success,
}

impl Severity {
    /// All severities, in the order of the schema.
    pub const ALL: [Self; 4] = [Self::Info, Self::Warning, Self::Error, Self::Success];
}
