//! The trace of the request that made a change continues through the outbox.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use async_trait::async_trait;
use fanfare_event::Encoded;
use fanfare_outbox::{PublishError, Publisher};
use support::{Database, event, quick, start, until};
use tracing::Instrument;

use std::sync::{Arc, Mutex};

/// Notes the current trace while it publishes.
#[derive(Clone, Default)]
struct Tracer(Arc<Mutex<Vec<Option<String>>>>);

#[async_trait]
impl Publisher for Tracer {
    async fn publish(&self, _event: &Encoded) -> Result<(), PublishError> {
        self.0.lock().unwrap().push(fanfare_telemetry::traceparent());
        Ok(())
    }
}

fn trace_id(traceparent: &str) -> &str {
    traceparent.split('-').nth(1).unwrap()
}

#[tokio::test]
async fn the_relay_follows_the_trace_of_the_append() {
    let _guard = fanfare_telemetry::init("outbox-test", fanfare_telemetry::LogFormat::Json).unwrap();
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let span = tracing::info_span!("request");
    let of_request = async {
        let mut tx = outbox.begin().await.unwrap();
        outbox.append(&mut tx, &event("acme", 1)).await.unwrap();
        tx.commit().await.unwrap();
        outbox.wake();
        fanfare_telemetry::traceparent().unwrap()
    }
    .instrument(span)
    .await;
    let tracer = Tracer::default();
    let relay = start(&outbox, tracer.clone(), quick());
    until("the publication", || !tracer.0.lock().unwrap().is_empty()).await;
    relay.stop().await;
    let of_relay = tracer.0.lock().unwrap()[0].clone().unwrap();
    assert_eq!(trace_id(&of_relay), trace_id(&of_request));
    assert_ne!(of_relay, of_request, "the relay has a span of its own");
}
