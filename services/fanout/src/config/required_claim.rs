//! `require_claims` of a hub: the claims that a token must have to connect.

use fanfare_token::{ClaimName, OtherClaims};

use crate::document::section::{Node, Section, text};

/// A claim that a hub requires, and its accepted values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredClaim {
    /// The claim.
    pub claim: Box<str>,
    values: Box<[String]>,
}

impl RequiredClaim {
    /// Whether a token says it.
    #[must_use]
    pub fn is_met(&self, claims: &OtherClaims) -> bool {
        claims.values(&self.claim).iter().any(|held| self.values.contains(held))
    }

    /// The accepted values.
    pub(super) fn values(&self) -> &[String] {
        &self.values
    }
}

const KEY: &str = "require_claims";

/// Reads `require_claims = { subscription = "active", plan = ["pro", "team"] }`.
pub(super) fn read(section: &Section<'_>, public: bool) -> Vec<RequiredClaim> {
    let Some(claims) = section.section(KEY) else { return Vec::new() };
    if public {
        section.fault(KEY, "a public hub cannot require claims", None);
    }
    let mut read = Vec::new();
    for (name, node) in claims.entries() {
        if let Err(error) = ClaimName::parse(name.value) {
            let help = r#"for instance "plan", "app.plan" or 'app."shop.example.com".plan'"#.to_owned();
            claims.fault(name.value, format!("{:?} is not the name of a claim: {error}", name.value), Some(help));
        }
        let values: Box<[String]> = match node.get_ref().as_array() {
            Some(several) => several.iter().filter_map(|node| value(&claims, node)).collect(),
            None => value(&claims, node).into_iter().collect(),
        };
        if values.is_empty() {
            claims.fault(name.value, format!("`{}` has no value that a claim could have", name.value), None);
        }
        read.push(RequiredClaim { claim: name.value.into(), values });
    }
    let is_empty = read.is_empty();
    // Each is a fault of its own by now.
    read.retain(|required| !required.values.is_empty());
    if is_empty {
        let help = "for instance require_claims = { subscription = \"active\" }".to_owned();
        section.fault(KEY, "no claim: everybody would meet it", Some(help));
    }
    read
}

fn value(claims: &Section<'_>, node: Node<'_>) -> Option<String> {
    let value = node.get_ref();
    let plain = text(node).map(|text| text.value.to_owned());
    let plain = plain.or_else(|| value.as_bool().map(|value| value.to_string()));
    let plain = plain.or_else(|| value.as_integer().map(|number| number.as_str().replace('_', "")));
    if plain.is_none() {
        let message = "a claim is compared with a text, a whole number, true or false";
        claims.document().fault(node.span().start, message, None);
    }
    plain
}
