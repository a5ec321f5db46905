//! Creates and registers a metric in one step.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry};

/// A family of counters, one for each label set.
pub(super) type Counters<L> = Family<L, Counter>;
/// A family of gauges, one for each label set.
pub(super) type Gauges<L> = Family<L, Gauge>;

/// Creates a metric of any default-constructible shape and registers it.
pub(super) fn registered<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// A size as a gauge's value; no count of ours comes near the limit.
pub(super) fn gauge_value(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
