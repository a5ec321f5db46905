//! Checks that some token can have the roles that a hub requires.

use super::hub::HubConfig;
use super::issuer::Issuers;
use crate::document::section::Section;

/// Makes a fault of each hub that nobody could connect to, because no token can carry a role that it requires.
///
/// The development key can sign anything; it counts only if there is no issuer of users.
pub(super) fn check(root: &Section<'_>, hubs: &[HubConfig], issuers: &Issuers, development: bool) {
    let of_users: Vec<_> = issuers.issuers.iter().filter(|issuer| issuers.has_users(&issuer.issuer)).collect();
    if of_users.is_empty() && development {
        return;
    }
    for hub in hubs {
        let Some(required) = hub.require_roles.as_ref().filter(|required| !required.is_empty()) else { continue };
        let carried = |role: &String| of_users.iter().any(|issuer| issuer.roles.allows(role));
        if of_users.is_empty() || required.iter().any(carried) {
            continue;
        }
        let message = format!("nobody could connect to {}: no token can carry {}", hub.path, listed(required));
        let help = format!("add {:?} to `roles` of the [[issuer]] that gives it", required[0]);
        root.section("hub").unwrap_or_else(|| root.clone()).fault(&hub.path, message, Some(help));
    }
}

fn listed(roles: &[String]) -> String {
    let names: Vec<_> = roles.iter().map(|role| format!("{role:?}")).collect();
    names.join(" or ")
}
