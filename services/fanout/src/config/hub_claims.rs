//! Checks that some token can have the claims that a hub requires.

use fanfare_event::check_name;
use fanfare_token::{IssuerConfig, split_pattern};

use super::hub::HubConfig;
use super::issuer::Issuers;
use super::required_claim::RequiredClaim;
use crate::document::section::Section;

/// Reports each hub to which nobody could connect, because no token can have the claims that it requires.
///
/// Most claims are up to the platform; this reports only what the configuration alone shows. The
/// development key can sign anything; it counts only if there is no issuer of users.
pub(super) fn check(root: &Section<'_>, hubs: &[HubConfig], issuers: &Issuers) {
    let of_users: Vec<_> = issuers.issuers.iter().filter(|issuer| issuers.has_users(&issuer.issuer)).collect();
    for hub in hubs {
        let section = root.section("hub").and_then(|hubs| hubs.section(&hub.path)).unwrap_or_else(|| root.clone());
        let fault = |message: String, help: String| {
            section.fault("require_claims", format!("nobody could connect to {}: {message}", hub.path), Some(help));
        };
        let mut is_faulty = false;
        for required in &hub.require_claims {
            // Of several issuers, the first one that names it decides what is wrong.
            let wrong = of_users.iter().map(|issuer| why_not(issuer, required)).collect::<Option<Vec<_>>>();
            if let Some((message, help)) = wrong.and_then(|wrong| wrong.into_iter().next()) {
                fault(message, help);
                is_faulty = true;
            }
        }
        let says_all = |issuer: &&IssuerConfig| hub.require_claims.iter().all(|one| why_not(issuer, one).is_none());
        if !is_faulty && !of_users.is_empty() && !of_users.iter().any(says_all) {
            let help = "each of them is said by another [[issuer]], and a token is of one".to_owned();
            fault("no token can say all of `require_claims`".to_owned(), help);
        }
    }
}

/// Why no token of an issuer can say a claim, and what would be right.
fn why_not(issuer: &IssuerConfig, required: &RequiredClaim) -> Option<(String, String)> {
    let claim = &*required.claim;
    // A name that no claim can have is a fault of its own.
    let (_, name) = issuer.claims.other.iter().find(|(known, _)| **known == *claim)?;
    let values = required.values();
    let all = |wrong: &dyn Fn(&String) -> bool| values.iter().all(wrong);
    if let Some(error) =
        values.first().and_then(|value| check_name(value).err()).filter(|_| all(&|value| check_name(value).is_err()))
    {
        return Some((format!("no value of `{claim}` can be {}: {error}", listed(values)), "shorten it".to_owned()));
    }
    if name.has_words() && all(&|value| value.contains(' ')) {
        let help = format!("require one of the words; `claims` of [[issuer]] says that `{claim}` is a list of words");
        return Some((format!("no word of `{claim}` can be {}", listed(values)), help));
    }
    if name.as_str() == "iss" && all(&|value| *value != issuer.issuer && split_pattern(&issuer.issuer).is_none()) {
        let help = format!("the issuer of users is {:?}", issuer.issuer);
        return Some((format!("no token that is trusted is issued by {}", listed(values)), help));
    }
    if *name.as_str() == *issuer.claims.org.as_str() && all(&|value| !issuer.orgs.allows(value)) {
        let help = format!("add {:?} to `orgs` of the [[issuer]] that names it", values[0]);
        return Some((format!("no token may name the org {}", listed(values)), help));
    }
    None
}

fn listed(values: &[String]) -> String {
    let names: Vec<_> = values.iter().map(|value| format!("{value:?}")).collect();
    names.join(" or ")
}
