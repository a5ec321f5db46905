//! Publishing: an event from outside, checked and stored in the log.

use std::sync::Arc;

use fanfare_broker::{Broker, PublishError};
use fanfare_event::{Attributes, Encoded, Id, JsonMismatch, Record, Registry, Value};
use fanfare_token::Publish;
use thiserror::Error;
use tracing::Instrument as _;

use super::decode::org_name;
use super::to_message;

/// The body of a published event.
#[derive(Debug, Clone)]
pub enum Body {
    /// An Avro record in single-object encoding.
    Avro(Vec<u8>),
    /// JSON to be checked against the schema.
    Json(serde_json::Value),
}

/// Why an event was not published.
#[derive(Debug, Error)]
pub enum IngestError {
    /// No schema of this name; with what is known instead.
    #[error("unknown event type `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownType {
        /// The name that was given.
        name: String,
        /// A known name that is close to it.
        suggestion: Option<String>,
    },
    /// The JSON does not fit the schema.
    #[error(transparent)]
    Mismatch(#[from] JsonMismatch),
    /// The Avro body cannot be read.
    #[error("the body is not a record of a known schema: {0}")]
    Undecodable(String),
    /// The body is a record of another type than the headers say.
    #[error("the headers say {said}, the body is a {is}")]
    OtherType {
        /// The type in the headers.
        said: String,
        /// The type of the body.
        is: String,
    },
    /// The body names another org than the headers.
    #[error("the headers name {}, the body {}", org_name(.said.as_deref()), org_name(.is.as_deref()))]
    OtherOrg {
        /// The org in the headers.
        said: Option<String>,
        /// The org in the body.
        is: Option<String>,
    },
    /// An id in the body is none.
    #[error("field `{field}` is not an id: {reason}")]
    InvalidId {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The source has used the id before, for something else.
    #[error("the id was used before, for another event of this source")]
    Conflict,
    /// The token does not allow this event.
    #[error("the token does not allow to publish {0}")]
    Forbidden(String),
    /// The broker did not take it.
    #[error(transparent)]
    Broker(#[from] PublishError),
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// Takes events from outside into the log.
#[derive(Clone)]
pub struct Ingest {
    broker: Arc<dyn Broker>,
    registry: Arc<Registry>,
}

impl Ingest {
    /// Publishes to this broker, checking against these schemas.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>, registry: Arc<Registry>) -> Self {
        Self { broker, registry }
    }

    /// Checks an event, stores it and gives its id.
    ///
    /// The answer comes when the broker has it. Trying again with the same id is always safe.
    ///
    /// # Errors
    /// [`IngestError`] with whose fault it is.
    pub async fn publish(
        &self,
        attributes: Attributes,
        body: Body,
        permission: &Publish,
    ) -> Result<String, IngestError> {
        let event = Self::encode_with(&self.registry, attributes, body)?;
        permit(&event.attributes, permission)?;
        self.store(event).await
    }

    /// The same for an event whose org may be one of these alone.
    ///
    /// # Errors
    /// [`IngestError`] with whose fault it is.
    pub async fn publish_within(
        &self,
        attributes: Attributes,
        body: Body,
        may_concern: impl Fn(Option<&Id>) -> bool,
    ) -> Result<String, IngestError> {
        let event = Self::encode_with(&self.registry, attributes, body)?;
        if !may_concern(event.attributes.org.as_ref()) {
            return Err(IngestError::Forbidden("events of this org".to_owned()));
        }
        self.store(event).await.map_err(for_client)
    }

    /// Whether events of this type name their org in a field.
    #[must_use]
    pub fn has_org(&self, event_type: &str) -> bool {
        self.registry.event_type(event_type).is_some_and(|known| known.newest().index_of("org").is_some())
    }

    async fn store(&self, event: Encoded) -> Result<String, IngestError> {
        let id = event.attributes.id.clone();
        let user = Self::user(&self.registry, &event);
        let message = to_message(event, user.as_deref());
        let published = self.broker.publish(message).instrument(tracing::info_span!("broker")).await?;
        // Only the first is stored; who sent the other must not believe that theirs is.
        if published.conflicting { Err(IngestError::Conflict) } else { Ok(id) }
    }

    /// The user of an event that is of no org.
    pub(crate) fn user(registry: &Registry, event: &Encoded) -> Option<String> {
        if event.attributes.org.is_some() {
            return None;
        }
        let record = registry.decode(&event.body).ok()?;
        record.get("user").and_then(Value::as_str).map(str::to_owned)
    }

    /// Checks an event and brings it into the form that is stored.
    ///
    /// # Errors
    /// [`IngestError`] if it does not fit its schema or contradicts itself.
    pub fn encode_with(registry: &Registry, mut attributes: Attributes, body: Body) -> Result<Encoded, IngestError> {
        let name = attributes.event_type.as_str();
        let Some(event_type) = registry.event_type(name) else {
            let suggestion = registry.suggest(name).map(str::to_owned);
            return Err(IngestError::UnknownType { name: name.to_owned(), suggestion });
        };
        let body = match body {
            Body::Avro(bytes) => bytes,
            Body::Json(json) => event_type.encode_json(attributes.data_version, &json)?,
        };
        let record = registry.decode(&body).map_err(|error| IngestError::Undecodable(error.to_string()))?;
        if *record.event_type().name() != attributes.event_type {
            let (said, is) = (name.to_owned(), record.event_type().name().to_string());
            return Err(IngestError::OtherType { said, is });
        }
        let org = settle_org(&attributes, &record)?;
        attributes.org = org;
        let key = record.key();
        Ok(Encoded { attributes, body, key })
    }
}

/// The org of an event: what the headers name, or else the body; both must agree.
fn settle_org(attributes: &Attributes, record: &Record) -> Result<Option<Id>, IngestError> {
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

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest").finish_non_exhaustive()
    }
}

/// A producer's token lists the types, sources and orgs that it may publish (SEMANTICS 5.2).
fn permit(attributes: &Attributes, permission: &Publish) -> Result<(), IngestError> {
    let forbid = |what: String| Err(IngestError::Forbidden(what));
    if !permission.allows_type(&attributes.event_type) {
        return forbid(format!("events of type {}", attributes.event_type));
    }
    if !permission.allows_source(&attributes.source) {
        return forbid(format!("events of source {}", attributes.source));
    }
    if !permission.allows_org(attributes.org.as_ref()) {
        return forbid(
            attributes.org.as_ref().map_or("events of no org".to_owned(), |org| format!("events of org {org}")),
        );
    }
    Ok(())
}

/// What a client is told: to it, what the broker refuses is only not stored. The reason is told where somebody can
/// change it.
fn for_client(error: IngestError) -> IngestError {
    match error {
        IngestError::Broker(PublishError::Refused(reason)) => {
            tracing::warn!(reason, "the broker does not take an event of a client");
            IngestError::Broker(PublishError::NotStored(reason))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_a_client_what_the_broker_refuses_is_not_stored() {
        let refused = PublishError::Refused("no right to write to the topic events.system".to_owned());
        let told = for_client(refused.into());
        assert!(matches!(told, IngestError::Broker(PublishError::NotStored(_))), "{told:?}");
        let told = for_client(PublishError::Unknown("no answer".to_owned()).into());
        assert!(matches!(told, IngestError::Broker(PublishError::Unknown(_))), "{told:?}");
    }
}
