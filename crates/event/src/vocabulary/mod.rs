//! The events of the platform's own services as structs: the newest version of each.

pub mod auth;
pub mod export;
pub mod license;
pub mod system;
#[cfg(test)]
mod tests;

use crate::TypedEvent;

macro_rules! typed_events {
    ($($event:ty => $name:literal),* $(,)?) => {
        /// The names of all event types of the vocabulary.
        pub const TYPES: &[&str] = &[$($name),*];

        $(impl TypedEvent for $event {
            const TYPE: &'static str = $name;
        })*
    };
}

typed_events! {
    auth::UserLoggedIn => "auth.UserLoggedIn",
    auth::UserLoggedOut => "auth.UserLoggedOut",
    auth::RolesChanged => "auth.RolesChanged",
    license::FlagToggled => "license.FlagToggled",
    license::FlagRemoved => "license.FlagRemoved",
    license::LicenseUpdated => "license.LicenseUpdated",
    license::LicenseExpired => "license.LicenseExpired",
    export::ExportProgress => "export.ExportProgress",
    export::ExportCompleted => "export.ExportCompleted",
    export::ExportFailed => "export.ExportFailed",
    system::Alert => "system.Alert",
    system::ConnectionsClosed => "system.ConnectionsClosed",
}
