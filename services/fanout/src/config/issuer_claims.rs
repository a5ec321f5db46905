//! `claims` of an `[[issuer]]`: which claims of its tokens hold the user, org, roles and session.

use std::collections::BTreeSet;
use std::sync::Arc;

use fanfare_token::{ClaimName, ClaimNames, IssuerConfig};

use super::hub::HubConfig;
use crate::document::section::{Node, Section, text};
use crate::document::{Located, suggest};

/// Reads `claims = { user = "oid", roles = { claim = "scp", list = "words" } }`.
pub(super) fn read(issuer: &Section<'_>) -> ClaimNames {
    let mut names = ClaimNames::default();
    let Some(claims) = issuer.section("claims") else {
        return names;
    };
    for (key, name) in [("user", &mut names.user), ("org", &mut names.org), ("session", &mut names.session)] {
        if let Some(read) = claims.value(key).and_then(|node| one(&claims, key, node)) {
            *name = read;
        }
    }
    if let Some(node) = claims.value("roles") {
        names.roles = roles(&claims, node);
    }
    for (key, node) in claims.entries().into_iter().filter(|(key, _)| !KNOWN.contains(&key.value)) {
        names.other.extend(one(&claims, key.value, node).map(|name| (Arc::from(key.value), name)));
    }
    names
}

/// What has a meaning of its own.
const KNOWN: [&str; 4] = ["user", "org", "roles", "session"];

/// The most claims that may say roles.
const MAX_ROLE_CLAIMS: usize = 8;

/// Reads `"roles"`, `{ claim = "scp", list = "words" }` or a list of both.
fn roles(claims: &Section<'_>, node: Node<'_>) -> Vec<ClaimName> {
    let Some(several) = node.get_ref().as_array() else {
        return one(claims, "roles", node).into_iter().collect();
    };
    if several.is_empty() || several.len() > MAX_ROLE_CLAIMS {
        let help = format!("1 to {MAX_ROLE_CLAIMS} names, for instance [\"roles\", \"groups\"]");
        claims.fault("roles", "so many claims cannot say roles", Some(help));
    }
    several.iter().filter_map(|node| one(claims, "roles", node)).collect()
}

/// Makes each issuer read the claims that hubs name, and a fault of each that is declared and that nothing names.
pub(super) fn name_others(root: &Section<'_>, issuers: &mut [IssuerConfig], hubs: &[HubConfig]) {
    let named: BTreeSet<&str> = hubs.iter().flat_map(HubConfig::claims).collect();
    for claims in root.sections("issuer").iter().filter_map(|issuer| issuer.section("claims")) {
        for (key, _) in claims.entries() {
            if !KNOWN.contains(&key.value) && !named.contains(key.value) {
                let known = KNOWN.into_iter().chain(named.iter().copied());
                let help = suggest::help(key.value, known);
                let message = format!("`claims` has no key `{}`, and no hub names {{claim.{}}}", key.value, key.value);
                claims.document().fault(key.at, message, help);
            }
        }
    }
    for issuer in issuers {
        let declared = |name: &&&str| !issuer.claims.other.iter().any(|(known, _)| **known == ***name);
        let others: Vec<_> = named.iter().filter(declared).filter_map(|name| by_its_name(name)).collect();
        issuer.claims.other.extend(others);
    }
}

/// A claim that has the name in tokens that hubs know it by.
pub(super) fn by_its_name(name: &str) -> Option<(Arc<str>, ClaimName)> {
    ClaimName::parse(name).ok().map(|claim| (Arc::from(name), claim))
}

fn one(claims: &Section<'_>, key: &str, node: Node<'_>) -> Option<ClaimName> {
    if let Some(name) = text(node) {
        return parse(claims, name);
    }
    let Some(table) = claims.nested(node, &format!("the claim `{key}`")) else {
        let help = "for instance \"sub\" or { claim = \"scp\", list = \"words\" }".to_owned();
        claims.fault(key, format!("`{key}` is not the name of a claim"), Some(help));
        return None;
    };
    let table = table.allow(&["claim", "list"]);
    let name = parse(&table, table.required("claim")?)?;
    match table.string("list").map(|list| list.value) {
        None => Some(name),
        Some("words") if !matches!(key, "user" | "session") => Some(name.separated_by_spaces()),
        Some("words") => {
            table.fault("list", format!("`{key}` is one id and no list"), None);
            None
        }
        Some(other) => {
            let help = "`words` for a text of several, separated by spaces; arrays and maps need no setting";
            table.fault("list", format!("there is no list {other:?}"), Some(help.to_owned()));
            None
        }
    }
}

fn parse(section: &Section<'_>, name: Located<&str>) -> Option<ClaimName> {
    ClaimName::parse(name.value)
        .map_err(|error| {
            let help = r#"for instance "sub", "realm_access.roles" or 'resource_access."shop.example.com".roles'"#;
            let message = format!("{:?} is not the name of a claim: {error}", name.value);
            section.document().fault(name.at, message, Some(help.to_owned()));
        })
        .ok()
}
