//! `claims` of an `[[issuer]]`: where its tokens say what.

use fanfare_token::{ClaimName, ClaimNames};

use crate::document::Located;
use crate::document::section::{Node, Section, text};

/// Reads `claims = { user = "oid", roles = { claim = "scp", list = "words" } }`.
pub(super) fn read(issuer: &Section<'_>) -> ClaimNames {
    let mut names = ClaimNames::default();
    let Some(claims) = issuer.section("claims") else {
        return names;
    };
    let claims = claims.allow(&["user", "org", "roles", "session"]);
    for (key, name) in [
        ("user", &mut names.user),
        ("org", &mut names.org),
        ("roles", &mut names.roles),
        ("session", &mut names.session),
    ] {
        if let Some(read) = claims.value(key).and_then(|node| one(&claims, key, node)) {
            *name = read;
        }
    }
    names
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
        Some("words") if matches!(key, "roles" | "org") => Some(name.separated_by_spaces()),
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
