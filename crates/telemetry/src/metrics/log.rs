//! The metrics of the log that a fan-out node reads, and of the state it builds from it.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::bounded::LabelPool;
use super::labels::{DigestLabel, KindLabel, OutcomeLabel, PartitionLabel};
use super::names;
use super::shape::{Counters, Gauges, gauge_value, registered};

/// The largest number of partitions with labels of their own; the rest is counted together.
const MOST_PARTITIONS: usize = 256;

/// The bits of a partition's number that are its number within the topic.
const WITHIN_TOPIC: u32 = 12;

#[derive(Clone, Debug)]
pub(super) struct LogMetrics {
    position: Gauges<PartitionLabel>,
    head: Gauges<PartitionLabel>,
    lag: Gauges<PartitionLabel>,
    lost: Counter,
    standstills: Counter,
    unwritable: Gauge,
    risks: Gauges<KindLabel>,
    age_clock_behind: Gauge<f64, AtomicU64>,
    replaced: Counter,
    read_back: Gauge,
    read_back_goal: Gauge,
    letters_waiting: Gauge,
    letters_lost: Counter,
    routes: Gauges<DigestLabel>,
    reloads: Counters<OutcomeLabel>,
    reload_refused: Gauge,
    config_reloads: Counters<OutcomeLabel>,
    config_refused: Gauge,
    retained_values: Gauge,
    retained_bytes: Gauge,
    revocations: Gauge,
    role_overrides: Gauge,
    grants: Gauge,
    org_states: Gauge,
    bytes: Gauge,
    partitions: LabelPool,
}

impl LogMetrics {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            position: registered(r, names::READER_POSITION, "The last offset read of each partition"),
            head: registered(r, names::READER_HEAD, "The last offset of each partition"),
            lag: registered(r, names::READER_LAG_RECORDS, "Records of each partition that are not read yet"),
            lost: registered(r, names::RECORDS_LOST, "Records that left the retention before they were read"),
            standstills: registered(r, names::READER_STANDSTILLS, "Readers of the log that were stuck and reopened"),
            unwritable: registered(r, names::LOG_UNWRITABLE, "1 while the log cannot be written"),
            risks: registered(
                r,
                names::BROKER_RISK,
                "1 for each way in which the broker may lose acknowledged records",
            ),
            age_clock_behind: registered(
                r,
                names::AGE_CLOCK_BEHIND_SECONDS,
                "How far the clock for removals is behind the newest record",
            ),
            replaced: registered(r, names::LOG_REPLACED, "How often the log was recreated or had lost its end"),
            read_back: registered(r, names::READ_BACK_RECORDS, "Records read back since the start"),
            read_back_goal: registered(r, names::READ_BACK_GOAL, "Records to read back, as far as known"),
            letters_waiting: registered(r, names::DEAD_LETTER_QUEUE, "Dead letters that wait to be written"),
            letters_lost: registered(r, names::DEAD_LETTERS_LOST, "Dead letters that could not be written"),
            reloads: registered(r, names::ROUTE_RELOADS, "Reloads of the route files, by outcome"),
            reload_refused: registered(
                r,
                names::ROUTES_REFUSED,
                "1 while the route files differ from this node's routes",
            ),
            config_reloads: registered(r, names::CONFIG_RELOADS, "Reloads of the configuration"),
            config_refused: registered(
                r,
                names::CONFIG_REFUSED,
                "1 while the configuration differs from what this node runs with",
            ),
            routes: registered(r, names::ROUTES_INFO, "1, with the digest of this node's routes"),
            retained_values: registered(r, names::RETAINED_VALUES, "Retained values on this node"),
            retained_bytes: registered(r, names::RETAINED_BYTES, "The approximate size of the retained values"),
            revocations: registered(r, names::REVOCATIONS, "Logouts in force on this node"),
            role_overrides: registered(r, names::ROLE_OVERRIDES, "Users whose roles come from an event"),
            grants: registered(r, names::GRANTS, "Grants and withdrawals on this node"),
            org_states: registered(
                r,
                names::ORG_STATES,
                "Orgs whose state (closed to a hub, or opened again) is known on this node",
            ),
            bytes: registered(r, names::PROJECTION_BYTES, "The approximate memory of this node's state from the log"),
            partitions: LabelPool::new(MOST_PARTITIONS),
        }
    }
}

/// The label of a partition: its topic's number if it has one, and its own.
fn name(partition: u32) -> String {
    match partition >> WITHIN_TOPIC {
        0 => partition.to_string(),
        topic => format!("{topic:05x}/{}", partition & ((1 << WITHIN_TOPIC) - 1)),
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl super::FanoutMetrics {
    /// Sets how far each partition was read, and its end: partition, last offset read, last offset.
    pub fn set_partitions(&self, parts: impl Iterator<Item = (u32, u64, u64)>) {
        let log = &self.log;
        // Beyond the limit several partitions share a label: their lags are added up.
        let mut rows = BTreeMap::new();
        for (partition, read, head) in parts {
            let partition = log.partitions.label(&name(partition));
            let row: &mut (u64, u64, u64) = rows.entry(partition).or_default();
            *row = (read, head, row.2.saturating_add(head.saturating_sub(read)));
        }
        for (partition, (read, head, lag)) in rows {
            let label = PartitionLabel { partition };
            log.position.get_or_create(&label).set(gauge(read));
            log.head.get_or_create(&label).set(gauge(head));
            log.lag.get_or_create(&label).set(gauge(lag));
        }
    }

    /// Counts records that left the retention before this node read them.
    pub fn records_lost(&self, records: u64) {
        self.log.lost.inc_by(records);
    }

    /// Counts a reader of the log that was stuck although the broker answered.
    pub fn reader_stood_still(&self) {
        self.log.standstills.inc();
    }

    /// Sets whether the log cannot be written.
    pub fn set_log_unwritable(&self, unwritable: bool) {
        self.log.unwritable.set(i64::from(unwritable));
    }

    /// Sets whether the broker may lose acknowledged records, by kind of risk.
    pub fn set_broker_risk(&self, kind: &'static str, holds: bool) {
        self.log.risks.get_or_create(&KindLabel { kind }).set(i64::from(holds));
    }

    /// Sets how far the clock for removals is behind the newest record.
    pub fn set_age_clock_behind(&self, behind: Duration) {
        self.log.age_clock_behind.set(behind.as_secs_f64());
    }

    /// Counts that the log was recreated or has lost its end.
    pub fn log_replaced(&self) {
        self.log.replaced.inc();
    }

    /// Sets how many records were read back, and of how many.
    pub fn set_read_back(&self, read: u64, of: u64) {
        self.log.read_back.set(gauge(read));
        self.log.read_back_goal.set(gauge(of));
    }

    /// Counts a dead letter that waits to be written.
    pub fn dead_letter_queued(&self) {
        self.log.letters_waiting.inc();
    }

    /// Counts a dead letter that no longer waits.
    pub fn dead_letter_done(&self) {
        self.log.letters_waiting.dec();
    }

    /// Counts a dead letter that could not be written.
    pub fn dead_letter_lost(&self) {
        self.log.letters_lost.inc();
    }

    /// Counts a reload of the route files, by outcome; the digest is that of the current routes.
    pub fn routes_reloaded(&self, outcome: &'static str, digest: &str) {
        self.log.reloads.get_or_create(&OutcomeLabel { outcome }).inc();
        self.log.reload_refused.set(i64::from(matches!(outcome, "faulty" | "needs_start")));
        self.log.routes.clear();
        self.set_routes(digest);
    }

    /// Counts a reload of the configuration, by outcome, and whether the node runs with its current content.
    pub fn config_reloaded(&self, outcome: &'static str, holds: bool) {
        self.log.config_reloads.get_or_create(&OutcomeLabel { outcome }).inc();
        self.log.config_refused.set(i64::from(!holds));
    }

    /// Sets the digest of this node's routes: all nodes of a cluster have the same, except during a rollout.
    pub fn set_routes(&self, digest: &str) {
        self.log.routes.get_or_create(&DigestLabel { digest: digest.to_owned() }).set(1);
    }

    /// Sets the number of retained values on this node.
    pub fn set_retained_values(&self, count: usize) {
        self.log.retained_values.set(gauge_value(count));
    }

    /// Sets the approximate size of the retained values.
    pub fn set_retained_bytes(&self, bytes: usize) {
        self.log.retained_bytes.set(gauge_value(bytes));
    }

    /// Sets the number of logouts in force on this node.
    pub fn set_revocations(&self, count: usize) {
        self.log.revocations.set(gauge_value(count));
    }

    /// Sets the number of users whose roles come from an event instead of their token.
    pub fn set_role_overrides(&self, count: usize) {
        self.log.role_overrides.set(gauge_value(count));
    }

    /// Sets the number of grants and withdrawals on this node.
    pub fn set_grants(&self, count: usize) {
        self.log.grants.set(gauge_value(count));
    }

    /// Sets the number of orgs and hubs whose state is known on this node.
    pub fn set_org_states(&self, count: usize) {
        self.log.org_states.set(gauge_value(count));
    }

    /// Sets the approximate memory of this node's state from the log.
    pub fn set_projection_bytes(&self, bytes: usize) {
        self.log.bytes.set(gauge_value(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_partition_is_named_by_topic_and_number() {
        assert_eq!([name(1), name(0xabcd5 << 12 | 7)], ["1", "abcd5/7"]);
    }
}
