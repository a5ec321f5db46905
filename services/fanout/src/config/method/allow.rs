//! `allow` of a method: who may call it.

use super::template;
use crate::document::section::{Node, Section, text};
use crate::method::declared::{Allow, Claim, Condition, MAX_CONDITIONS, Names, OneOf, Template};

/// Reads `true`, a condition such as `{ roles = ["admin"], org = "{orgId}" }`, or a list of these.
pub(super) fn read<'d>(section: &Section<'d>, node: Node<'d>, names: Names<'_>) -> Option<Allow> {
    match node.get_ref().as_bool() {
        Some(true) => return Some(Allow::default()),
        Some(false) => {
            section.fault("allow", "nobody could call it", Some("leave the method out".to_owned()));
            return None;
        }
        None => {}
    }
    let Some(several) = node.get_ref().as_array() else {
        let condition = condition(&section.section("allow")?, names);
        return Some(Allow { conditions: [condition].into() });
    };
    if several.is_empty() || several.len() > MAX_CONDITIONS {
        let help = format!("1 to {MAX_CONDITIONS} conditions of which one must hold, or allow = true");
        section.fault("allow", "so many conditions cannot be held against a call", Some(help));
        return None;
    }
    let mut conditions = Vec::with_capacity(several.len());
    for node in several {
        let Some(table) = section.nested(node, "a condition of `allow`") else {
            let help = "for instance [{ org = \"{orgId}\" }, { roles = [\"superadmin\"] }]".to_owned();
            section.document().fault(node.span().start, "a condition is a table", Some(help));
            return None;
        };
        conditions.push(condition(&table, names));
    }
    Some(Allow { conditions: conditions.into() })
}

fn condition(table: &Section<'_>, names: Names<'_>) -> Condition {
    let table = table.clone().allow(&["roles", "user", "org", "session", "realm", "claim"]);
    if table.entries().is_empty() {
        let help = "for whoever is connected, write allow = true".to_owned();
        table.document().fault(table.at(), format!("{} says nothing", table.title()), Some(help));
    }
    let roles: Option<Box<[String]>> =
        table.strings("roles").map(|roles| roles.iter().map(|role| role.value.to_owned()).collect());
    if matches!(&roles, Some(roles) if roles.is_empty()) {
        table.fault("roles", "no roles: nobody could call it", None);
    }
    let mut claims = Vec::new();
    for (name, claim) in Claim::ALL {
        let Some(text) = table.string(name) else { continue };
        if let Some(template) = template(&table, text, names) {
            claims.push((claim, template));
        }
    }
    Condition { roles, claims: claims.into(), other: others(&table, names) }
}

/// Reads `claim = { plan = ["pro", "team"], beta = true }`.
fn others(table: &Section<'_>, names: Names<'_>) -> Box<[OneOf]> {
    let Some(claims) = table.section("claim") else { return Box::default() };
    let read = claims.entries().into_iter().map(|(name, node)| {
        let values: Vec<Template> = match node.get_ref().as_array() {
            Some(several) => several.iter().filter_map(|node| value(&claims, node, names)).collect(),
            None => value(&claims, node, names).into_iter().collect(),
        };
        if values.is_empty() {
            claims.fault(name.value, format!("`{}` has no value that a claim could have", name.value), None);
        }
        OneOf { claim: name.value.into(), values: values.into() }
    });
    let read: Box<[_]> = read.collect();
    if read.is_empty() {
        let help = "for instance claim = { plan = \"pro\" }".to_owned();
        table.fault("claim", "no claim: everybody would meet it", Some(help));
    }
    read
}

fn value(claims: &Section<'_>, node: Node<'_>, names: Names<'_>) -> Option<Template> {
    if let Some(text) = text(node) {
        return template(claims, text, names);
    }
    let plain = match node.get_ref() {
        value if value.as_bool().is_some() => value.as_bool().map(|value| value.to_string()),
        value => value.as_integer().map(|number| number.as_str().replace('_', "")),
    };
    let parsed = plain.and_then(|text| Template::parse(&text, names).ok());
    if parsed.is_none() {
        let message = "a claim is compared with a text, a whole number, true or false";
        claims.document().fault(node.span().start, message, None);
    }
    parsed
}
