//! The relay from the outbox to the publisher.

use fanfare_outbox::{Outbox, Publisher, Relay, RelayOptions, RelayStats};
use fanfare_telemetry::metrics::ProducerMetrics;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A fan-out that is back is used again within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a stop waits for publications in flight; otherwise they are published again with the same id.
const GRACE: Duration = Duration::from_secs(1);
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Relays until `shutdown`, and exports the relay's counters as metrics.
pub(crate) async fn run(
    outbox: Outbox,
    publisher: impl Publisher,
    metrics: ProducerMetrics,
    shutdown: CancellationToken,
) {
    let options = RelayOptions { longest_pause: LONGEST_PAUSE, grace: GRACE, ..RelayOptions::default() };
    run_with(outbox, publisher, metrics, options, shutdown).await;
}

/// The same with custom options.
pub async fn run_with(
    outbox: Outbox,
    publisher: impl Publisher,
    metrics: ProducerMetrics,
    options: RelayOptions,
    shutdown: CancellationToken,
) {
    let relay = Relay::new(&outbox, publisher, options);
    let mut counts = Counts { stats: relay.stats(), metrics, published: 0, parked: 0, retries: 0 };
    let run = relay.run(shutdown.cancelled());
    tokio::pin!(run);
    loop {
        tokio::select! {
            () = &mut run => return,
            () = tokio::time::sleep(COUNT_EVERY) => counts.take_over(),
        }
    }
}

/// The counters of the relay that were exported so far.
struct Counts {
    stats: std::sync::Arc<RelayStats>,
    metrics: ProducerMetrics,
    published: u64,
    parked: u64,
    retries: u64,
}

impl Counts {
    fn take_over(&mut self) {
        let more = |now: u64, before: &mut u64| now.saturating_sub(std::mem::replace(before, now));
        self.metrics.set_outbox_pending(usize::try_from(self.stats.pending()).unwrap_or(usize::MAX));
        self.metrics.set_outbox_oldest(std::time::Duration::from_millis(self.stats.oldest_pending_ms()));
        self.metrics.outbox_published(more(self.stats.published(), &mut self.published));
        for _ in 0..more(self.stats.parked(), &mut self.parked) {
            self.metrics.outbox_parked();
        }
        for _ in 0..more(self.stats.retries(), &mut self.retries) {
            self.metrics.outbox_retried();
        }
    }
}
