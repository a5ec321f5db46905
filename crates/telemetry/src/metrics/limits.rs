//! The configured limits of a fan-out node, so that alerts compare what there is with what there may be.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::names;
use super::shape::{gauge_value, registered};

/// The limits that alerts compare with.
#[derive(Debug, Clone, Copy)]
pub struct NodeLimits {
    /// The most open connections.
    pub connections: usize,
    /// The most retained values.
    pub retained_values: usize,
    /// The most bytes of retained values.
    pub retained_bytes: usize,
    /// The most logouts, and the most users with roles from an event.
    pub revocations: usize,
    /// The most grants and withdrawals, and the most orgs with a state.
    pub grants: usize,
}

#[derive(Clone, Debug)]
pub(super) struct LimitMetrics {
    connections: Gauge,
    retained_values: Gauge,
    retained_bytes: Gauge,
    revocations: Gauge,
    grants: Gauge,
}

impl LimitMetrics {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            connections: registered(r, names::CONNECTIONS_LIMIT, "The most open connections"),
            retained_values: registered(r, names::RETAINED_VALUES_LIMIT, "The most retained values"),
            retained_bytes: registered(r, names::RETAINED_LIMIT_BYTES, "The most bytes of retained values"),
            revocations: registered(r, names::REVOCATIONS_LIMIT, "The most logouts, and the most role overrides"),
            grants: registered(r, names::GRANTS_LIMIT, "The most grants and withdrawals, and the most org states"),
        }
    }
}

impl super::FanoutMetrics {
    /// The node's limits, once they are known.
    pub fn set_limits(&self, limits: &NodeLimits) {
        self.limits.connections.set(gauge_value(limits.connections));
        self.limits.retained_values.set(gauge_value(limits.retained_values));
        self.limits.retained_bytes.set(gauge_value(limits.retained_bytes));
        self.limits.revocations.set(gauge_value(limits.revocations));
        self.limits.grants.set(gauge_value(limits.grants));
    }
}
