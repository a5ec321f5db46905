//! Publishes for a client: an event that a declared method makes of its arguments.

use std::rc::Rc;
use std::time::Duration;

use fanfare_broker::PublishError;
use fanfare_event::{Attributes, Id, Timestamp, TypeName};
use tracing::Instrument as _;

use super::Shard;
use crate::clock::unix_millis;
use crate::method::declared::{Draft, Refusal};
use crate::pipeline::{Body, IngestError};
use crate::shard::{Key, Publish, Ticket};

/// How long the broker may take.
const DEADLINE: Duration = Duration::from_secs(10);

impl Shard {
    /// Publishes an event of one of the caller's orgs and reports the outcome to the core.
    pub(super) fn publish(self: &Rc<Self>, key: Key, ticket: Ticket, event: Publish) {
        let shard = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let span = event.span.clone();
            let outcome = shard.publish_asked(event).instrument(span).await;
            shard.core().published(key, ticket, outcome);
            shard.carry_out();
        });
    }

    async fn publish_asked(&self, publish: Publish) -> Result<String, Refusal> {
        let Publish { hub, identity, any_org, draft: Draft { event, body, names_org }, .. } = publish;
        let claims = identity.as_ref().map(|who| who.claims());
        let attributes = Attributes {
            id: uuid::Uuid::new_v4().to_string(),
            source: hub.to_string(),
            // The type was found among the schemas at start.
            event_type: TypeName::parse(&event).map_err(|error| Refusal::Event(error.to_string()))?,
            time: Timestamp(unix_millis()),
            subject: None,
            // An event that names its org in its body is of that org, and of no other.
            org: claims.and_then(|claims| claims.org.clone()).filter(|_| !self.shared.ingest.has_org(&event)),
            data_version: None,
            traceparent: fanfare_telemetry::traceparent(),
        };
        let may_concern = |org: Option<&Id>| match (org, &identity) {
            (Some(org), Some(who)) => {
                who.belongs_to(org) || any_org.as_ref().is_some_and(|orgs| orgs.may_name(who.claims(), org.as_str()))
            }
            (Some(_), None) => false,
            (None, _) => !names_org,
        };
        let published = self.shared.ingest.publish_within(attributes, Body::Called(body), may_concern);
        match tokio::time::timeout(DEADLINE, published).await {
            Ok(Ok(id)) => Ok(id),
            Ok(Err(error)) => Err(refusal(error)),
            Err(_) => Err(Refusal::Unknown),
        }
    }
}

fn refusal(error: IngestError) -> Refusal {
    match error {
        IngestError::Forbidden(_) => Refusal::Unauthorized,
        IngestError::Broker(PublishError::NotStored(_)) => Refusal::NotStored,
        IngestError::Broker(PublishError::Unknown(_)) => Refusal::Unknown,
        other => Refusal::Event(format!("{other}.")),
    }
}
