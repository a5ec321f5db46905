//! The metrics of a producer.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::bounded::LabelPool;
use super::labels::RequestLabels;
use super::names;
use super::shape::{Counters, gauge_value, registered};

/// Path templates of a router; what no route matched is one more.
const MOST_ROUTES: usize = 100;

/// What a producer counts.
#[derive(Clone, Debug)]
pub struct ProducerMetrics {
    outbox_pending: Gauge,
    outbox_oldest: Gauge,
    outbox_published: Counter,
    outbox_parked: Counter,
    outbox_retries: Counter,
    requests: Counters<RequestLabels>,
    routes: LabelPool,
}

impl ProducerMetrics {
    /// Makes the metrics and registers them.
    pub fn new(registry: &mut Registry) -> Self {
        let r = registry;
        Self {
            outbox_pending: registered(r, names::OUTBOX_PENDING, "Events that wait in the outbox"),
            outbox_oldest: registered(r, names::OUTBOX_OLDEST_SECONDS, "For how long the oldest of them has waited"),
            outbox_published: registered(r, names::OUTBOX_PUBLISHED, "Events that the relay published"),
            outbox_parked: registered(r, names::OUTBOX_PARKED, "Events refused for good and kept aside"),
            outbox_retries: registered(r, names::OUTBOX_RETRIES, "Attempts to publish that will be repeated"),
            requests: registered(r, names::REQUESTS, "Answers of the HTTP interface"),
            routes: LabelPool::new(MOST_ROUTES),
        }
    }

    /// How many events wait in the outbox.
    pub fn set_outbox_pending(&self, count: usize) {
        self.outbox_pending.set(gauge_value(count));
    }

    /// For how long the oldest event of the outbox has waited; zero if none waits.
    pub fn set_outbox_oldest(&self, waits: Duration) {
        self.outbox_oldest.set(i64::try_from(waits.as_secs()).unwrap_or(i64::MAX));
    }

    /// The relay published events.
    pub fn outbox_published(&self, count: u64) {
        self.outbox_published.inc_by(count);
    }

    /// The relay put an event aside that was refused for good.
    pub fn outbox_parked(&self) {
        self.outbox_parked.inc();
    }

    /// An attempt to publish failed and will be repeated.
    pub fn outbox_retried(&self) {
        self.outbox_retries.inc();
    }

    /// A request was answered. `route` is the router's template (`/orgs/{org}/flags/{flag}`), never the path itself.
    pub fn request_answered(&self, route: &str, status: u16) {
        self.requests.get_or_create(&RequestLabels { route: self.routes.label(route), status }).inc();
    }
}
