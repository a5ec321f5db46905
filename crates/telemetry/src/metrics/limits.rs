//! The configured limits of a fan-out node, so that alerts can compare actual values with them.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::names;
use super::shape::{gauge_value, registered};

/// The limits that alerts use.
#[derive(Debug, Clone, Copy)]
pub struct NodeLimits {
    /// The largest number of open connections.
    pub connections: usize,
    /// The largest number of retained values.
    pub retained_values: usize,
    /// The largest size of all retained values, in bytes.
    pub retained_bytes: usize,
    /// The largest number of logouts, and of users with roles from an event.
    pub revocations: usize,
    /// The largest number of grants and withdrawals, and of orgs with a state.
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
            connections: registered(r, names::CONNECTIONS_LIMIT, "The largest number of open connections"),
            retained_values: registered(r, names::RETAINED_VALUES_LIMIT, "The largest number of retained values"),
            retained_bytes: registered(r, names::RETAINED_LIMIT_BYTES, "The largest size of all retained values"),
            revocations: registered(
                r,
                names::REVOCATIONS_LIMIT,
                "The largest number of logouts, and of role overrides",
            ),
            grants: registered(
                r,
                names::GRANTS_LIMIT,
                "The largest number of grants and withdrawals, and of org states",
            ),
        }
    }
}

impl super::FanoutMetrics {
    /// Sets the node's limits, once they are known.
    pub fn set_limits(&self, limits: &NodeLimits) {
        self.limits.connections.set(gauge_value(limits.connections));
        self.limits.retained_values.set(gauge_value(limits.retained_values));
        self.limits.retained_bytes.set(gauge_value(limits.retained_bytes));
        self.limits.revocations.set(gauge_value(limits.revocations));
        self.limits.grants.set(gauge_value(limits.grants));
    }
}
