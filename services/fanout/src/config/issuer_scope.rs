//! What an `[[issuer]]` may issue: whether it has users, their realm, and which orgs and roles it may name.

use fanfare_event::check_name;
use fanfare_token::{NameList, split_pattern};

use crate::document::Located;
use crate::document::section::Section;

/// The most tenants of one issuer.
const MAX_TENANTS: usize = 10_000;

/// What each issuer must say once there are several of users, why, and the line that says it.
const APART: [(&str, &str, &str); 3] = [
    (
        "realm",
        "users of two issuers are two users, even with the same id",
        "realm = \"partner\", or the same realm as the other's if they issue tokens of the same people",
    ),
    ("orgs", "its tokens could name any org", "orgs = [\"acme\"], or orgs = [\"*\"] if it may name all of them"),
    (
        "roles",
        "its tokens could name any role",
        "roles = [\"*\"] for all but superadmin, or roles = [\"*\", \"superadmin\"]",
    ),
];

/// Checks that it is known which issuer has users, and what keeps the users of several issuers apart.
pub(super) fn check_users(issuers: &[Section<'_>]) {
    for issuer in issuers.iter().filter(|issuer| issuer.value("users").is_none() && issuer.value("publish").is_none()) {
        let message = format!("{} does not say whether it issues tokens of users", named(issuer));
        let help = "write users = true, or users = false if it issues tokens of producers only";
        issuer.document().fault(issuer.at(), message, Some(help.to_owned()));
    }
    let users: Vec<_> = issuers.iter().filter(|issuer| issuer.boolean("users") == Some(true)).collect();
    if users.len() < 2 {
        return;
    }
    for issuer in users {
        for (key, why, line) in APART.iter().filter(|(key, ..)| issuer.value(key).is_none()) {
            let message = format!("{} is one of several issuers of users and says no `{key}`: {why}", named(issuer));
            issuer.document().fault(issuer.at(), message, Some(format!("write {line}")));
        }
    }
}

fn named(issuer: &Section<'_>) -> String {
    let title = issuer.title();
    issuer.string("issuer").map_or_else(|| title.to_owned(), |name| format!("{title} {}", name.value))
}

/// Reads `orgs` or `roles`: exact names, or such as end in `*`. Without the key any name is allowed.
pub(super) fn names(issuer: &Section<'_>, key: &str) -> NameList {
    let Some(names) = issuer.strings(key) else {
        return NameList::any();
    };
    if names.is_empty() {
        let help = format!("leave `{key}` out, or write {key} = [\"*\"]");
        issuer.fault(key, format!("`{key}` lists nothing, so no token could name any"), Some(help));
    }
    NameList::of(names.into_iter().filter(|name| is_name(issuer, *name)).map(|name| name.value.to_owned()))
}

/// Whether a text can be the name of a realm, an org or a role.
pub(super) fn is_name(issuer: &Section<'_>, name: Located<&str>) -> bool {
    let checked = check_name(name.value);
    if let Err(error) = &checked {
        issuer.document().fault(name.at, format!("{:?} is no name: {error}", name.value), None);
    }
    checked.is_ok()
}

/// Reads `tenants`, which stand for the name in braces of the issuer.
pub(super) fn tenants(section: &Section<'_>, issuer: Option<Located<&str>>) -> Vec<String> {
    let tenants = section.strings("tenants").unwrap_or_default();
    let is_pattern = issuer.is_some_and(|issuer| split_pattern(issuer.value).is_some());
    if is_pattern && tenants.is_empty() {
        let help = "write tenants = [\"...\"] with the ids of the tenants whose tokens are trusted";
        section.fault("issuer", "the issuer is a pattern, and no tenants are listed", Some(help.to_owned()));
    }
    if !is_pattern && section.value("tenants").is_some() {
        let help = "for instance issuer = \"https://login.microsoftonline.com/{tenantid}/v2.0\"";
        section.fault("tenants", "the issuer has no name in braces that tenants stand for", Some(help.to_owned()));
    }
    if tenants.len() > MAX_TENANTS {
        section.fault("tenants", format!("at most {MAX_TENANTS} tenants can be listed"), None);
    }
    // A tenant must not reach beyond its place in the issuer.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    for tenant in &tenants {
        if tenant.value.is_empty() || !tenant.value.chars().all(plain) {
            let help = "letters, digits and - _ . as in an id or a domain".to_owned();
            section.document().fault(tenant.at, format!("{:?} is not a tenant", tenant.value), Some(help));
        }
    }
    tenants.into_iter().map(|tenant| tenant.value.to_owned()).collect()
}
