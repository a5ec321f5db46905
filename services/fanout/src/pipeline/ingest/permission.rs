//! What a producer's token allows (rule 5.2). A refusal says what would be allowed, and nothing about schemas.

use fanfare_event::{Attributes, Id, Registry, TypeName};
use fanfare_token::Publish;
use serde_json::Value;

use super::IngestError;
use crate::projection::Closing;

/// Type and source, and the org where the attributes name one.
pub(super) fn of_attributes(attributes: &Attributes, permission: &Publish) -> Result<(), IngestError> {
    of_own(&attributes.event_type)?;
    if !permission.allows_type(&attributes.event_type) {
        let allowed = permission.types.iter().map(ToString::to_string).collect::<Vec<_>>();
        return forbid(&format!("events of type {}", attributes.event_type), "publish", &allowed);
    }
    if !permission.allows_source(&attributes.source) {
        return forbid(&format!("events of source {}", attributes.source), "publish_sources", &permission.sources);
    }
    // Without an org here, the body says whether there is one.
    match &attributes.org {
        Some(org) => of_org(Some(org), permission),
        None => Ok(()),
    }
}

/// Types that only nodes may publish.
pub(super) fn of_own(event_type: &TypeName) -> Result<(), IngestError> {
    if event_type.as_str() != Closing::EVENT {
        return Ok(());
    }
    Err(IngestError::Forbidden(format!("events of type {event_type}: an operator closes connections through a node")))
}

/// The org that an event is of, or that it is of none.
pub(super) fn of_org(org: Option<&Id>, permission: &Publish) -> Result<(), IngestError> {
    if permission.allows_org(org) {
        return Ok(());
    }
    let what = org.map_or_else(|| "events of no org".to_owned(), |org| format!("events of org {org}"));
    if !permission.issuer_may_name(org) {
        return Err(IngestError::Forbidden(format!("{what}: `orgs` of its [[issuer]] leaves them out")));
    }
    forbid(&what, "publish_orgs", &permission.orgs)
}

/// The org that a JSON body names, before the rest of it is looked at.
pub(super) fn of_json(
    registry: &Registry,
    event_type: &TypeName,
    json: &Value,
    permission: &Publish,
) -> Result<(), IngestError> {
    let Some(known) = registry.event_type(event_type.as_str()) else { return Ok(()) };
    let Some(field) = known.newest().field("org") else { return Ok(()) };
    let mut names = std::iter::once(&field.name).chain(&field.aliases);
    let named = names.find_map(|name| json.get(&**name)).and_then(Value::as_str);
    match named.map(Id::parse) {
        Some(Ok(org)) => of_org(Some(&org), permission),
        // An invalid id is reported as such.
        _ => Ok(()),
    }
}

/// A refusal that names no event type but those that the token allows.
pub(super) fn without_what_is_not_theirs(error: IngestError, permission: &Publish) -> IngestError {
    let theirs = |name: &str| TypeName::parse(name).is_ok_and(|name| permission.allows_type(&name));
    match error {
        IngestError::UnknownType { name, suggestion } => {
            IngestError::UnknownType { name, suggestion: suggestion.filter(|known| theirs(known)) }
        }
        IngestError::OtherType { said, is } if !theirs(&is) => {
            IngestError::Undecodable(format!("it is none of {said}"))
        }
        other => other,
    }
}

fn forbid(what: &str, claim: &str, allowed: &[String]) -> Result<(), IngestError> {
    let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    Err(IngestError::Forbidden(format!("{what}: its claim `{claim}` allows {allowed}")))
}
