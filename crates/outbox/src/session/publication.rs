//! The publication of one event.

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::publisher::{Place, PublishError, Publisher};
use crate::row::Row;

/// A row and its outcome.
pub(crate) type Outcome = (Arc<Row>, Result<Option<Place>, PublishError>);

/// Publishes one row while the lease is held.
pub(crate) async fn publish<P: Publisher>(
    publisher: Arc<P>,
    row: Arc<Row>,
    held_until: watch::Receiver<Instant>,
) -> Outcome {
    let outcome = match &row.event {
        Ok(event) => {
            let attributes = &event.attributes;
            let org = attributes.org.as_ref().map(tracing::field::display);
            let span = tracing::info_span!("relay", event_id = attributes.id, event_type = %attributes.event_type, org);
            if let Some(traceparent) = &attributes.traceparent {
                fanfare_telemetry::follow(&span, traceparent);
            }
            let publication = while_held(held_until, publisher.publish_placed(event)).instrument(span);
            publication.await.unwrap_or_else(|| Err(PublishError::Retry("the lease ran out meanwhile".into())))
        }
        Err(reason) => Err(PublishError::Rejected(reason.clone())),
    };
    (row, outcome)
}

/// Runs the work until the lease expires, which renewals postpone.
async fn while_held<T>(mut held_until: watch::Receiver<Instant>, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    loop {
        let until = *held_until.borrow_and_update();
        if until <= Instant::now() {
            return None;
        }
        if let Ok(done) = timeout_at(until, &mut work).await {
            return Some(done);
        }
    }
}
