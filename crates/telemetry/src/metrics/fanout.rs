//! The metrics of a fan-out node.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::bounded::LabelPool;
use super::labels::{
    ConnectionLabels, DeadLetterLabels, KindLabel, OutcomeLabel, ReasonLabel, RouteLabel, StatusLabel, TypeLabel,
    WhereLabel,
};
use super::limits::LimitMetrics;
use super::log::LogMetrics;
use super::names;
use super::shape::{Counters, Gauges, registered};
use super::tls::TlsMetrics;

/// Hubs and routes come from configuration; beyond this many the rest counts as `other`.
const MOST_HUBS: usize = 64;
const MOST_ROUTES: usize = 500;
/// Event types come from the wire, known to the registry or not.
const MOST_TYPES: usize = 500;

/// From half a millisecond, well below the latency of a busy node, to half a minute, the longest retries of a relay.
const LATENCY_BUCKETS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// From a second, which means a client that cannot stay connected, to a day.
const LIFETIME_BUCKETS: [f64; 11] =
    [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 28_800.0, 43_200.0, 86_400.0];

/// The counters of a fan-out node.
#[derive(Clone, Debug)]
pub struct FanoutMetrics {
    ready: Gauge,
    connections: Gauges<ConnectionLabels>,
    connects: Counters<ConnectionLabels>,
    connects_refused: Counters<ReasonLabel>,
    tcp_connections: Gauge,
    memory_limit: Gauge,
    memory_pressure: Gauge,
    http_refused: Counters<ReasonLabel>,
    closes: Counters<ReasonLabel>,
    lifetimes: Histogram,
    reconnects: Counters<KindLabel>,
    tokens_refused: Counters<ReasonLabel>,
    token_refreshes: Counters<OutcomeLabel>,
    requests_forwarded: Counters<OutcomeLabel>,
    token_values_dropped: Counters<ReasonLabel>,
    throttled: Counters<ReasonLabel>,
    invocations: Counters<OutcomeLabel>,
    authorizer_answers: Counters<OutcomeLabel>,
    rechecks: Counters<OutcomeLabel>,
    events_read: Counters<TypeLabel>,
    events_decoded: Counters<TypeLabel>,
    events_dead_lettered: Counters<DeadLetterLabels>,
    events_duplicate: Counter,
    schema_registry_answers: Counters<OutcomeLabel>,
    reader_lag: Gauge<f64, AtomicU64>,
    broker_connected: Gauge,
    notifications: Counters<RouteLabel>,
    deliveries: Counter,
    delivery_bytes: Counter,
    isolation_drops: Counter,
    slow_consumers: Counter,
    publish_to_push: Histogram,
    resumes: Counters<OutcomeLabel>,
    replayed: Counter,
    pub(super) log: LogMetrics,
    pub(super) tls: TlsMetrics,
    pub(super) limits: LimitMetrics,
    presence_members: Gauges<WhereLabel>,
    presence_notifications: Counters<KindLabel>,
    presence_records: Counters<OutcomeLabel>,
    publish_requests: Counters<StatusLabel>,
    hubs: LabelPool,
    routes: LabelPool,
    types: LabelPool,
}

impl FanoutMetrics {
    /// Creates and registers the metrics.
    pub fn new(registry: &mut Registry) -> Self {
        let publish_to_push = Histogram::new(LATENCY_BUCKETS);
        registry.register(
            names::PUBLISH_TO_PUSH_SECONDS,
            "The time from the broker's acceptance of an event until its notifications were written",
            publish_to_push.clone(),
        );
        let lifetimes = Histogram::new(LIFETIME_BUCKETS);
        registry.register(names::CONNECTION_SECONDS, "The lifetime of connections that have ended", lifetimes.clone());
        let r = registry;
        Self {
            ready: registered(r, names::READY, "1 while the node accepts new connections"),
            connections: registered(r, names::CONNECTIONS, "Open connections"),
            connects: registered(r, names::CONNECTS, "Connections opened"),
            connects_refused: registered(r, names::CONNECTS_REFUSED, "Connects that were refused"),
            memory_limit: registered(r, names::MEMORY_LIMIT_BYTES, "The memory that the process may use"),
            memory_pressure: registered(r, names::MEMORY_PRESSURE, "How close the process is to its memory limit"),
            tcp_connections: registered(r, names::TCP_CONNECTIONS, "TCP connections on the public port"),
            http_refused: registered(r, names::HTTP_REFUSED, "Requests and TCP connections that were refused"),
            closes: registered(r, names::CLOSES, "Connections that ended"),
            lifetimes,
            reconnects: registered(r, names::RECONNECTS, "Clients that came back"),
            tokens_refused: registered(r, names::TOKENS_REFUSED, "Tokens that were refused"),
            requests_forwarded: registered(r, names::REQUESTS_FORWARDED, "Requests for a connection of another node"),
            token_refreshes: registered(r, names::TOKEN_REFRESHES, "New tokens for open connections"),
            token_values_dropped: registered(
                r,
                names::TOKEN_VALUES_DROPPED,
                "Roles and orgs that were left out of accepted tokens",
            ),
            throttled: registered(
                r,
                names::THROTTLED,
                "Notifications that a throttle replaced, or sent at once because too much was waiting",
            ),
            invocations: registered(r, names::INVOCATIONS, "Calls of hub methods"),
            authorizer_answers: registered(r, names::AUTHORIZER_ANSWERS, "Requests to the platform's authorizers"),
            rechecks: registered(r, names::RECHECKS, "Answers of authorizers about groups that are already joined"),
            events_read: registered(r, names::EVENTS_READ, "Events read from the broker"),
            events_decoded: registered(r, names::EVENTS_DECODED, "Events decoded"),
            events_dead_lettered: registered(r, names::EVENTS_DEAD_LETTERED, "Events written to the dead letters"),
            events_duplicate: registered(r, names::EVENTS_DUPLICATE, "Events whose id was seen before"),
            schema_registry_answers: registered(r, names::SCHEMA_REGISTRY_ANSWERS, "Requests to the schema registry"),
            reader_lag: registered(r, names::READER_LAG_SECONDS, "Seconds behind the newest record of the broker"),
            broker_connected: registered(r, names::BROKER_CONNECTED, "1 while the broker can be reached"),
            notifications: registered(r, names::NOTIFICATIONS, "Notifications that routes produced"),
            deliveries: registered(r, names::DELIVERIES, "Notifications passed to connections"),
            delivery_bytes: registered(r, names::DELIVERY_BYTES, "Bytes of notifications passed to connections"),
            isolation_drops: registered(r, names::ISOLATION_DROPS, "Deliveries that would have crossed orgs"),
            slow_consumers: registered(r, names::SLOW_CONSUMERS, "Connections evicted because they did not read"),
            publish_to_push,
            resumes: registered(r, names::RESUMES, "Resumes"),
            log: LogMetrics::new(r),
            tls: TlsMetrics::new(r),
            limits: LimitMetrics::new(r),
            presence_members: registered(r, names::PRESENCE_MEMBERS, "Users in groups with presence"),
            presence_notifications: registered(
                r,
                names::PRESENCE_NOTIFICATIONS,
                "Presence notifications to connections",
            ),
            presence_records: registered(r, names::PRESENCE_RECORDS, "Presence records"),
            replayed: registered(r, names::REPLAYED_NOTIFICATIONS, "Notifications sent again by resumes"),
            publish_requests: registered(r, names::PUBLISH_REQUESTS, "Answers to POST /events"),
            hubs: LabelPool::new(MOST_HUBS),
            routes: LabelPool::new(MOST_ROUTES),
            types: LabelPool::new(MOST_TYPES),
        }
    }

    /// Sets the number of users in groups with presence, by this node's connections and by other nodes'.
    pub fn set_presence_members(&self, here: usize, elsewhere: usize) {
        for (place, count) in [("here", here), ("elsewhere", elsewhere)] {
            self.presence_members.get_or_create(&WhereLabel { place }).set(super::shape::gauge_value(count));
        }
    }

    /// Counts users whose joining or leaving was sent to connections, and snapshots.
    pub fn presence_told(&self, kind: &'static str, count: usize) {
        if count > 0 {
            self.presence_notifications.get_or_create(&KindLabel { kind }).inc_by(count as u64);
        }
    }

    /// Counts a presence record that was written, read, or skipped.
    pub fn presence_record(&self, outcome: &'static str) {
        self.presence_records.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Sets whether the node accepts new connections.
    pub fn set_ready(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }

    /// Counts an opened connection of a hub.
    pub fn connection_opened(&self, hub: &str, transport: &'static str) {
        let labels = ConnectionLabels { hub: self.hubs.label(hub), transport };
        self.connections.get_or_create(&labels).inc();
        self.connects.get_or_create(&labels).inc();
    }

    /// Counts a connection that ended after this time.
    pub fn connection_closed(&self, hub: &str, transport: &'static str, reason: &'static str, open: Duration) {
        let labels = ConnectionLabels { hub: self.hubs.label(hub), transport };
        self.connections.get_or_create(&labels).dec();
        self.closes.get_or_create(&ReasonLabel { reason }).inc();
        self.lifetimes.observe(open.as_secs_f64());
    }

    /// Counts a client that came back: with a cursor to a new connection, or with a new socket to the old one.
    pub fn reconnected(&self, kind: &'static str) {
        self.reconnects.get_or_create(&KindLabel { kind }).inc();
    }

    /// Counts a refused connect, before there was a connection.
    pub fn connect_refused(&self, reason: &'static str) {
        self.connects_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Sets the memory that the process may use, in bytes.
    pub fn set_memory_limit(&self, bytes: u64) {
        self.memory_limit.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Sets how close the process is to its memory limit: 0, 1 or 2.
    pub fn set_memory_pressure(&self, level: u8) {
        self.memory_pressure.set(level.into());
    }

    /// Sets the number of TCP connections on the public port.
    pub fn set_tcp_connections(&self, count: usize) {
        self.tcp_connections.set(super::shape::gauge_value(count));
    }

    /// Counts a request or a TCP connection that was refused or closed to make room.
    pub fn http_refused(&self, reason: &'static str) {
        self.http_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts a refused token, wherever it was presented.
    pub fn token_refused(&self, reason: &'static str) {
        self.tokens_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts a request for a connection of another node, by the outcome of forwarding it.
    pub fn request_forwarded(&self, outcome: &'static str) {
        self.requests_forwarded.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a new token for an open connection.
    pub fn token_refreshed(&self, outcome: &'static str) {
        self.token_refreshes.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts roles or orgs of tokens that were left out.
    pub fn token_values_dropped(&self, reason: &'static str, count: u64) {
        if count > 0 {
            self.token_values_dropped.get_or_create(&ReasonLabel { reason }).inc_by(count);
        }
    }

    /// Counts notifications that a throttle replaced before they were sent, and those it sent at once because too much
    /// was waiting.
    pub fn throttled(&self, overtaken: u64, beyond: u64) {
        for (reason, count) in [("overtaken", overtaken), ("beyond", beyond)] {
            if count > 0 {
                self.throttled.get_or_create(&ReasonLabel { reason }).inc_by(count);
            }
        }
    }

    /// Counts a client's call of a hub method.
    pub fn invocation(&self, outcome: &'static str) {
        self.invocations.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts an authorizer's answer about a group that is already joined.
    pub fn rechecked(&self, outcome: &'static str) {
        self.rechecks.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a request to an authorizer on behalf of a call.
    pub fn authorizer_answered(&self, outcome: &'static str) {
        self.authorizer_answers.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a request to the schema registry.
    pub fn schema_asked(&self, outcome: &'static str) {
        self.schema_registry_answers.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts an event that was read from the broker.
    pub fn event_read(&self, event_type: &str) {
        self.events_read.get_or_create(&TypeLabel { r#type: self.types.label(event_type) }).inc();
    }

    /// Counts a decoded event.
    pub fn event_decoded(&self, event_type: &str) {
        self.events_decoded.get_or_create(&TypeLabel { r#type: self.types.label(event_type) }).inc();
    }

    /// Counts a dead letter.
    pub fn event_dead_lettered(&self, event_type: &str, reason: &'static str) {
        let labels = DeadLetterLabels { r#type: self.types.label(event_type), reason };
        self.events_dead_lettered.get_or_create(&labels).inc();
    }

    /// Counts an event that was dropped because its id was seen before.
    pub fn event_duplicate(&self) {
        self.events_duplicate.inc();
    }

    /// Sets the reader's lag behind the newest record.
    pub fn set_reader_lag(&self, lag: Duration) {
        self.reader_lag.set(lag.as_secs_f64());
    }

    /// Sets whether the broker can be reached.
    pub fn set_broker_connected(&self, connected: bool) {
        self.broker_connected.set(i64::from(connected));
    }

    /// Counts a notification that a route produced.
    pub fn notification_routed(&self, route: &str) {
        self.notifications.get_or_create(&RouteLabel { route: self.routes.label(route) }).inc();
    }

    /// Counts notifications that were passed to connections, and their bytes.
    ///
    /// Two atomic additions; call it once for a whole group instead of once per connection.
    pub fn delivered(&self, deliveries: u64, bytes: u64) {
        self.deliveries.inc_by(deliveries);
        self.delivery_bytes.inc_by(bytes);
    }

    /// Counts deliveries that were dropped because they would have crossed orgs.
    pub fn isolation_dropped(&self, deliveries: u64) {
        self.isolation_drops.inc_by(deliveries);
    }

    /// Counts a connection that was evicted because it did not read.
    pub fn slow_consumer(&self) {
        self.slow_consumers.inc();
    }

    /// Notes the time from the broker's acceptance of an event until its notifications were written.
    pub fn pushed(&self, since_publish: Duration) {
        self.publish_to_push.observe(since_publish.as_secs_f64());
    }

    /// Counts a resume that ended after this many notifications.
    pub fn resumed(&self, outcome: &'static str, replayed: u64) {
        self.resumes.get_or_create(&OutcomeLabel { outcome }).inc();
        self.replayed.inc_by(replayed);
    }

    /// Counts an answered request to publish.
    pub fn publish_answered(&self, status: u16) {
        self.publish_requests.get_or_create(&StatusLabel { status }).inc();
    }
}
