//! Dead letters: what cannot be used is kept with its reason, and the stream goes on.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Broker, DeadLetter, Record};
use fanfare_telemetry::metrics::FanoutMetrics;

use super::Unusable;
use crate::clock::unix_millis;

/// How long writing a letter is tried before only its place is logged (SEMANTICS 4.7).
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Writes the letter of a record that cannot be used.
pub(super) async fn write(broker: &Arc<dyn Broker>, metrics: &FanoutMetrics, record: &Record, reason: &Unusable) {
    let (partition, offset) = (record.partition, record.offset);
    metrics.event_dead_lettered(&record.message.topic, reason.label());
    // The reason may quote a field name, never a value: payloads stay out of the log.
    tracing::warn!(partition, offset, topic = record.message.topic, reason = reason.label(), "dead letter");
    let letter = DeadLetter::new(record, text(reason), unix_millis());
    let written = tokio::time::timeout(PATIENCE, async {
        while let Err(error) = broker.dead_letter(letter.clone()).await {
            tracing::warn!(partition, offset, %error, "dead letter not written yet");
            tokio::time::sleep(PAUSE).await;
        }
    });
    if written.await.is_err() {
        tracing::error!(partition, offset, "dead letter lost: only its place is known");
    }
}

/// The reason as a letter has it: the kind of fault in front, by which operators choose letters.
fn text(reason: &Unusable) -> String {
    let (kind, text) = (reason.label(), reason.to_string());
    if text.starts_with(&format!("{kind}:")) { text } else { format!("{kind}: {text}") }
}
