//! The targets of figures; table and chart mark a missed one.

use super::figure::Figure;

/// A bound on a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Target {
    /// The value is at most this.
    Value(f64),
    /// The ratio to the floor is at most this.
    Ratio(f64),
}

/// Scenario, figure, bound. `*` is any scenario.
const TARGETS: &[(&str, &str, Target)] = &[
    ("*", "failures", Target::Value(0.0)),
    ("*", "listen_overflows", Target::Value(0.0)),
    ("*", "missed", Target::Value(0.0)),
    ("publish_latency_1k", "latency_p50_ms", Target::Value(2.0)),
    ("publish_latency_1k", "latency_p99_ms", Target::Value(10.0)),
    ("broadcast_1k", "cpu_us_per_delivery", Target::Ratio(1.15)),
    ("broadcast_1k_burst8", "cpu_us_per_delivery", Target::Ratio(0.25)),
    ("idle_memory", "rss_bytes_per_connection", Target::Value(2560.0)),
    ("connect_storm_5k", "cpu_us_per_connection", Target::Ratio(3.0)),
    // Smaller differences are not measurable on a machine with other load.
    ("slow_reader_1k", "others_latency_p99_ms", Target::Ratio(1.2)),
    ("decode_route", "ns_per_event", Target::Value(3000.0)),
    // Beside a hostile client: the latency of another product of the field on the same machine.
    ("*", "others_latency_p99_ms", Target::Value(16.0)),
    ("*", "others_connect_slowest_ms", Target::Value(50.0)),
    ("*", "others_logout_ms", Target::Value(50.0)),
    ("*", "others_not_delivered", Target::Value(0.0)),
    ("*", "others_dropped", Target::Value(0.0)),
    ("*", "others_not_connected", Target::Value(0.0)),
    ("*", "readers_dropped", Target::Value(0.0)),
    // Four tabs with as much as may wait for each, and a backlog that the node keeps anyway.
    ("hostile_unread_answers", "server_memory_growth_bytes", Target::Value(16_777_216.0)),
    ("hostile_unread_pongs", "server_memory_growth_bytes", Target::Value(8_388_608.0)),
];

impl Target {
    /// The target of a figure, if it has one.
    pub(super) fn of(figure: &Figure) -> Option<Self> {
        let fits = |scenario: &str| scenario == "*" || scenario == figure.scenario;
        TARGETS
            .iter()
            .find(|(scenario, name, _)| fits(scenario) && *name == figure.figure)
            .map(|(_, _, target)| *target)
    }

    /// Whether a figure meets it.
    pub(super) fn is_met(self, figure: &Figure) -> bool {
        match self {
            Self::Value(most) => figure.value <= most,
            Self::Ratio(most) => figure.ratio.is_some_and(|ratio| ratio <= most),
        }
    }

    /// The largest value that meets it.
    pub(super) fn most(self, figure: &Figure) -> Option<f64> {
        match self {
            Self::Value(most) => Some(most),
            Self::Ratio(most) => figure.floor.map(|floor| floor * most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(scenario: &'static str, name: &'static str, value: f64, ratio: Option<f64>) -> Figure {
        let (floor, spread) = (ratio.map(|ratio| value / ratio), None);
        Figure { scenario, figure: name, unit: "", value, floor, ratio, pairs: 1, spread }
    }

    #[test]
    fn a_ratio_is_held_against_the_floor_and_a_value_against_itself() {
        let good = figure("broadcast_1k", "cpu_us_per_delivery", 7.0, Some(1.1));
        let bad = figure("broadcast_1k", "cpu_us_per_delivery", 9.0, Some(1.5));
        let target = Target::of(&good).expect("a target");
        assert!(target.is_met(&good) && !target.is_met(&bad));
        let failed = figure("anything", "failures", 1.0, None);
        assert!(!Target::of(&failed).expect("a target").is_met(&failed));
        assert_eq!(Target::of(&figure("growth", "latency_p50_ms", 1.0, None)), None);
    }
}
