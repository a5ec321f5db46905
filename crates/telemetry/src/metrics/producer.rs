//! The metrics of a producer.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::bounded::LabelPool;
use super::labels::RequestLabels;
use super::names;
use super::shape::{Counters, gauge_value, registered};

/// Path templates of a router; all unmatched requests share one more.
const MOST_ROUTES: usize = 100;

/// The counters of a producer.
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
    /// Creates and registers the metrics.
    pub fn new(registry: &mut Registry) -> Self {
        let r = registry;
        Self {
            outbox_pending: registered(r, names::OUTBOX_PENDING, "Events that wait in the outbox"),
            outbox_oldest: registered(r, names::OUTBOX_OLDEST_SECONDS, "How long the oldest of them has waited"),
            outbox_published: registered(r, names::OUTBOX_PUBLISHED, "Events that the relay published"),
            outbox_parked: registered(r, names::OUTBOX_PARKED, "Events that were finally refused and are parked"),
            outbox_retries: registered(r, names::OUTBOX_RETRIES, "Attempts to publish that will be retried"),
            requests: registered(r, names::REQUESTS, "Answers of the HTTP interface"),
            routes: LabelPool::new(MOST_ROUTES),
        }
    }

    /// Sets how many events wait in the outbox.
    pub fn set_outbox_pending(&self, count: usize) {
        self.outbox_pending.set(gauge_value(count));
    }

    /// Sets how long the oldest event in the outbox has waited; zero if none waits.
    pub fn set_outbox_oldest(&self, waits: Duration) {
        self.outbox_oldest.set(i64::try_from(waits.as_secs()).unwrap_or(i64::MAX));
    }

    /// Counts events that the relay published.
    pub fn outbox_published(&self, count: u64) {
        self.outbox_published.inc_by(count);
    }

    /// Counts an event that was finally refused and parked.
    pub fn outbox_parked(&self) {
        self.outbox_parked.inc();
    }

    /// Counts a failed attempt to publish that will be retried.
    pub fn outbox_retried(&self) {
        self.outbox_retries.inc();
    }

    /// Counts an answered request. `route` is the router's template (`/orgs/{org}/flags/{flag}`), never the path
    /// itself.
    pub fn request_answered(&self, route: &str, status: u16) {
        self.requests.get_or_create(&RequestLabels { route: self.routes.label(route), status }).inc();
    }
}
