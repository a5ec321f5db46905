//! Turns a request's event into a stored one: checks it against its schema and finds its org.

use fanfare_event::{Attributes, Encoded, Id, Record, Registry, Value};

use super::{Body, IngestError};

/// Brings an event into the form that is stored, with its record.
pub(super) fn read(
    registry: &Registry,
    mut attributes: Attributes,
    body: Body,
) -> Result<(Encoded, Record), IngestError> {
    let name = attributes.event_type.as_str();
    let Some(event_type) = registry.event_type(name) else {
        let suggestion = registry.suggest(name).map(str::to_owned);
        return Err(IngestError::UnknownType { name: name.to_owned(), suggestion });
    };
    let body = match body {
        Body::Avro(bytes) => bytes,
        Body::Json(json) => event_type.encode_json(attributes.data_version, &json)?,
        Body::Called(input) => event_type.encode_call(attributes.data_version, &input)?,
    };
    let record = registry.decode(&body).map_err(|error| IngestError::Undecodable(error.to_string()))?;
    if *record.event_type().name() != attributes.event_type {
        let (said, is) = (name.to_owned(), record.event_type().name().to_string());
        return Err(IngestError::OtherType { said, is });
    }
    attributes.org = resolve_org(&attributes, &record)?;
    let key = record.key();
    Ok((Encoded { attributes, body, key }, record))
}

/// The org of an event: from the headers, or else the body; both must agree.
fn resolve_org(attributes: &Attributes, record: &Record) -> Result<Option<Id>, IngestError> {
    for field in ["org", "user", "session"] {
        if let Some(Value::String(id)) = record.get(field) {
            Id::parse(id).map_err(|error| IngestError::InvalidId { field, reason: error.to_string() })?;
        }
    }
    let Some(in_body) = record.get("org") else { return Ok(attributes.org.clone()) };
    let in_body = match in_body {
        Value::String(org) => Id::parse(org).ok(),
        _ => None,
    };
    if attributes.org.is_some() && attributes.org != in_body {
        let said = attributes.org.as_ref().map(ToString::to_string);
        return Err(IngestError::OtherOrg { said, is: in_body.map(|org| org.to_string()) });
    }
    Ok(in_body)
}
