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

/// Hubs and routes come from configuration; a node with more of them than this counts the rest as `other`.
const MOST_HUBS: usize = 64;
const MOST_ROUTES: usize = 500;
/// Event types come from the wire, known to the registry or not.
const MOST_TYPES: usize = 500;

/// From half a millisecond, well below what a busy node takes, to half a minute, where a relay's retries end up.
const LATENCY_BUCKETS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// From a second, which is a client that cannot stay, to a day.
const LIFETIME_BUCKETS: [f64; 11] =
    [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 28_800.0, 43_200.0, 86_400.0];

/// What a fan-out node counts.
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
    /// Makes the metrics and registers them.
    pub fn new(registry: &mut Registry) -> Self {
        let publish_to_push = Histogram::new(LATENCY_BUCKETS);
        registry.register(
            names::PUBLISH_TO_PUSH_SECONDS,
            "From the broker's time of an event to the write of its notifications",
            publish_to_push.clone(),
        );
        let lifetimes = Histogram::new(LIFETIME_BUCKETS);
        registry.register(
            names::CONNECTION_SECONDS,
            "How long connections that have ended were open",
            lifetimes.clone(),
        );
        let r = registry;
        Self {
            ready: registered(r, names::READY, "1 while the node takes new connections"),
            connections: registered(r, names::CONNECTIONS, "Open connections"),
            connects: registered(r, names::CONNECTS, "Connections opened"),
            connects_refused: registered(r, names::CONNECTS_REFUSED, "Connects that were refused"),
            memory_limit: registered(r, names::MEMORY_LIMIT_BYTES, "The memory that the process may take"),
            memory_pressure: registered(r, names::MEMORY_PRESSURE, "How close the process is to its limit of memory"),
            tcp_connections: registered(r, names::TCP_CONNECTIONS, "TCP connections of the public port"),
            http_refused: registered(r, names::HTTP_REFUSED, "Requests and TCP connections that were refused"),
            closes: registered(r, names::CLOSES, "Connections that ended"),
            lifetimes,
            reconnects: registered(r, names::RECONNECTS, "Clients that came back"),
            tokens_refused: registered(r, names::TOKENS_REFUSED, "Tokens that were refused"),
            requests_forwarded: registered(
                r,
                names::REQUESTS_FORWARDED,
                "Requests that name a connection of another node",
            ),
            token_refreshes: registered(r, names::TOKEN_REFRESHES, "Other tokens brought for open connections"),
            token_values_dropped: registered(
                r,
                names::TOKEN_VALUES_DROPPED,
                "Roles and orgs that were left out of tokens that were accepted",
            ),
            throttled: registered(r, names::THROTTLED, "Notifications that a throttle was not to tell at once"),
            invocations: registered(r, names::INVOCATIONS, "Calls of hub methods"),
            authorizer_answers: registered(r, names::AUTHORIZER_ANSWERS, "Questions to the platform's authorizers"),
            rechecks: registered(r, names::RECHECKS, "Answers of authorizers about groups that are held"),
            events_read: registered(r, names::EVENTS_READ, "Events read from the broker"),
            events_decoded: registered(r, names::EVENTS_DECODED, "Events decoded"),
            events_dead_lettered: registered(r, names::EVENTS_DEAD_LETTERED, "Events written to the dead letters"),
            events_duplicate: registered(r, names::EVENTS_DUPLICATE, "Events whose id was seen before"),
            schema_registry_answers: registered(r, names::SCHEMA_REGISTRY_ANSWERS, "Questions to the schema registry"),
            reader_lag: registered(r, names::READER_LAG_SECONDS, "Seconds behind the newest record of the broker"),
            broker_connected: registered(r, names::BROKER_CONNECTED, "1 while the broker can be reached"),
            notifications: registered(r, names::NOTIFICATIONS, "Notifications that routes made"),
            deliveries: registered(r, names::DELIVERIES, "Notifications handed to connections"),
            delivery_bytes: registered(r, names::DELIVERY_BYTES, "Bytes of notifications handed to connections"),
            isolation_drops: registered(r, names::ISOLATION_DROPS, "Deliveries that would have crossed orgs"),
            slow_consumers: registered(r, names::SLOW_CONSUMERS, "Connections evicted because they did not read"),
            publish_to_push,
            resumes: registered(r, names::RESUMES, "Resumes"),
            log: LogMetrics::new(r),
            tls: TlsMetrics::new(r),
            limits: LimitMetrics::new(r),
            presence_members: registered(r, names::PRESENCE_MEMBERS, "Users in rooms of presence"),
            presence_notifications: registered(r, names::PRESENCE_NOTIFICATIONS, "What tabs were told of presence"),
            presence_records: registered(r, names::PRESENCE_RECORDS, "Records of presence"),
            replayed: registered(r, names::REPLAYED_NOTIFICATIONS, "Notifications sent again by resumes"),
            publish_requests: registered(r, names::PUBLISH_REQUESTS, "Answers to POST /events"),
            hubs: LabelPool::new(MOST_HUBS),
            routes: LabelPool::new(MOST_ROUTES),
            types: LabelPool::new(MOST_TYPES),
        }
    }

    /// How many users are in rooms of presence, by this node's tabs and by other nodes'.
    pub fn set_presence_members(&self, here: usize, elsewhere: usize) {
        for (place, count) in [("here", here), ("elsewhere", elsewhere)] {
            self.presence_members.get_or_create(&WhereLabel { place }).set(super::shape::gauge_value(count));
        }
    }

    /// Tabs were told of so many users who came or left, or of who is there.
    pub fn presence_told(&self, kind: &'static str, count: usize) {
        if count > 0 {
            self.presence_notifications.get_or_create(&KindLabel { kind }).inc_by(count as u64);
        }
    }

    /// A record of presence was written, read, or passed over.
    pub fn presence_record(&self, outcome: &'static str) {
        self.presence_records.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Whether the node takes new connections.
    pub fn set_ready(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }

    /// A connection was opened on a hub.
    pub fn connection_opened(&self, hub: &str, transport: &'static str) {
        let labels = ConnectionLabels { hub: self.hubs.label(hub), transport };
        self.connections.get_or_create(&labels).inc();
        self.connects.get_or_create(&labels).inc();
    }

    /// A connection that was opened has ended after so long.
    pub fn connection_closed(&self, hub: &str, transport: &'static str, reason: &'static str, open: Duration) {
        let labels = ConnectionLabels { hub: self.hubs.label(hub), transport };
        self.connections.get_or_create(&labels).dec();
        self.closes.get_or_create(&ReasonLabel { reason }).inc();
        self.lifetimes.observe(open.as_secs_f64());
    }

    /// A client came back: with a cursor to a new connection, or with another socket to the old one.
    pub fn reconnected(&self, kind: &'static str) {
        self.reconnects.get_or_create(&KindLabel { kind }).inc();
    }

    /// A connect was refused before there was a connection.
    pub fn connect_refused(&self, reason: &'static str) {
        self.connects_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// The memory that the process may take, in bytes.
    pub fn set_memory_limit(&self, bytes: u64) {
        self.memory_limit.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// How close the process is to its limit of memory: 0, 1 or 2.
    pub fn set_memory_pressure(&self, level: u8) {
        self.memory_pressure.set(level.into());
    }

    /// How many TCP connections the public port has.
    pub fn set_tcp_connections(&self, count: usize) {
        self.tcp_connections.set(super::shape::gauge_value(count));
    }

    /// A request or a TCP connection was refused, or gave way to another.
    pub fn http_refused(&self, reason: &'static str) {
        self.http_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// A token was refused, on whatever way in.
    pub fn token_refused(&self, reason: &'static str) {
        self.tokens_refused.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// Counts a request that names a connection of another node, by how forwarding it ended.
    pub fn request_forwarded(&self, outcome: &'static str) {
        self.requests_forwarded.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Another token was brought for an open connection.
    pub fn token_refreshed(&self, outcome: &'static str) {
        self.token_refreshes.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// So many roles or orgs of tokens were left out.
    pub fn token_values_dropped(&self, reason: &'static str, count: u64) {
        if count > 0 {
            self.token_values_dropped.get_or_create(&ReasonLabel { reason }).inc_by(count);
        }
    }

    /// Notifications that were overtaken in a throttle before they were told, and those that were told at once, as too much
    /// waits.
    pub fn throttled(&self, overtaken: u64, beyond: u64) {
        for (reason, count) in [("overtaken", overtaken), ("beyond", beyond)] {
            if count > 0 {
                self.throttled.get_or_create(&ReasonLabel { reason }).inc_by(count);
            }
        }
    }

    /// A client called a hub method.
    pub fn invocation(&self, outcome: &'static str) {
        self.invocations.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// An authorizer was asked again about a group that is held.
    pub fn rechecked(&self, outcome: &'static str) {
        self.rechecks.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// An authorizer was asked on behalf of a call.
    pub fn authorizer_answered(&self, outcome: &'static str) {
        self.authorizer_answers.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// The schema registry was asked for a schema.
    pub fn schema_asked(&self, outcome: &'static str) {
        self.schema_registry_answers.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// An event was read from the broker.
    pub fn event_read(&self, event_type: &str) {
        self.events_read.get_or_create(&TypeLabel { r#type: self.types.label(event_type) }).inc();
    }

    /// An event was decoded.
    pub fn event_decoded(&self, event_type: &str) {
        self.events_decoded.get_or_create(&TypeLabel { r#type: self.types.label(event_type) }).inc();
    }

    /// An event was written to the dead letters.
    pub fn event_dead_lettered(&self, event_type: &str, reason: &'static str) {
        let labels = DeadLetterLabels { r#type: self.types.label(event_type), reason };
        self.events_dead_lettered.get_or_create(&labels).inc();
    }

    /// An event was dropped because its id was seen before.
    pub fn event_duplicate(&self) {
        self.events_duplicate.inc();
    }

    /// How far the reader is behind the newest record.
    pub fn set_reader_lag(&self, lag: Duration) {
        self.reader_lag.set(lag.as_secs_f64());
    }

    /// Whether the broker can be reached.
    pub fn set_broker_connected(&self, connected: bool) {
        self.broker_connected.set(i64::from(connected));
    }

    /// A route made a notification.
    pub fn notification_routed(&self, route: &str) {
        self.notifications.get_or_create(&RouteLabel { route: self.routes.label(route) }).inc();
    }

    /// Notifications were handed to connections: how many, and their bytes together.
    ///
    /// Two atomic additions; call it once for a whole group rather than once for each connection.
    pub fn delivered(&self, deliveries: u64, bytes: u64) {
        self.deliveries.inc_by(deliveries);
        self.delivery_bytes.inc_by(bytes);
    }

    /// Deliveries were dropped because they would have crossed orgs.
    pub fn isolation_dropped(&self, deliveries: u64) {
        self.isolation_drops.inc_by(deliveries);
    }

    /// A connection was evicted because it did not read.
    pub fn slow_consumer(&self) {
        self.slow_consumers.inc();
    }

    /// An event's notifications were written this long after the broker took the event.
    pub fn pushed(&self, since_publish: Duration) {
        self.publish_to_push.observe(since_publish.as_secs_f64());
    }

    /// A resume ended after this many notifications.
    pub fn resumed(&self, outcome: &'static str, replayed: u64) {
        self.resumes.get_or_create(&OutcomeLabel { outcome }).inc();
        self.replayed.inc_by(replayed);
    }

    /// A request to publish was answered.
    pub fn publish_answered(&self, status: u16) {
        self.publish_requests.get_or_create(&StatusLabel { status }).inc();
    }
}
