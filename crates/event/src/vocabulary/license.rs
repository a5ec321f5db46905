//! Events of the license service.

use serde::{Deserialize, Serialize};

use crate::{Id, Timestamp};

/// A feature flag of an organisation was switched on or off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagToggled {
    /// The organisation.
    pub org: Id,
    /// The name of the flag.
    pub flag: String,
    /// Whether the flag is on.
    pub enabled: bool,
    /// The user who made the change; empty if the platform did.
    pub changed_by: String,
    /// The revision of the flag.
    pub revision: Option<i64>,
}

/// A feature flag of an organisation was removed; it counts as off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagRemoved {
    /// The organisation.
    pub org: Id,
    /// The name of the flag.
    pub flag: String,
    /// The user who made the change; empty if the platform did.
    pub changed_by: String,
    /// The revision of the flag.
    pub revision: Option<i64>,
}

/// The license of an organisation has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseUpdated {
    /// The organisation.
    pub org: Id,
    /// The name of the plan.
    pub plan: String,
    /// The number of users that the license covers.
    pub seats: i32,
    /// When the license ends; none if it does not.
    pub expires_at: Option<Timestamp>,
}

/// The license of an organisation has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenseExpired {
    /// The organisation.
    pub org: Id,
    /// The name of the plan that ended.
    pub plan: String,
    /// When it ended.
    pub expired_at: Timestamp,
}
