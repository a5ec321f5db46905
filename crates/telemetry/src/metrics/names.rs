//! Every metric's name, in one place.
//!
//! These are the registered names. A scraped counter has `_total` after its name, as OpenMetrics requires.

/// 1, with version, commit and features of the program.
pub const BUILD_INFO: &str = "fanfare_build_info";
/// 1 while the node accepts new connections, like `/readyz`, else 0.
pub const READY: &str = "fanfare_ready";
/// Open connections, by hub and transport.
pub const CONNECTIONS: &str = "fanfare_connections";
/// The largest number of open connections on this node.
pub const CONNECTIONS_LIMIT: &str = "fanfare_connections_limit";
/// Connections opened, by hub and transport.
pub const CONNECTS: &str = "fanfare_connects";
/// Connects that were refused, by reason.
pub const CONNECTS_REFUSED: &str = "fanfare_connects_refused";
/// TCP connections on the public port, including those of tabs.
pub const TCP_CONNECTIONS: &str = "fanfare_tcp_connections";
/// Requests and TCP connections that were refused or closed to make room, by reason.
pub const HTTP_REFUSED: &str = "fanfare_http_refused";
/// Requests for a connection of another node, by the outcome of forwarding them.
pub const REQUESTS_FORWARDED: &str = "fanfare_requests_forwarded";
/// The memory that the process may use.
pub const MEMORY_LIMIT_BYTES: &str = "fanfare_memory_limit_bytes";
/// How close the process is to that limit: at 1 it sheds what it can read again, at 2 it accepts no connection.
pub const MEMORY_PRESSURE: &str = "fanfare_memory_pressure";
/// When the certificate in use expires, in seconds since 1970, by listener.
pub const CERTIFICATE_EXPIRES: &str = "fanfare_certificate_expires_timestamp_seconds";
/// Reloads of changed certificate files, by outcome.
pub const CERTIFICATE_RELOADS: &str = "fanfare_certificate_reloads";
/// Connections that ended, by reason.
pub const CLOSES: &str = "fanfare_closes";
/// The lifetime of connections that have ended.
pub const CONNECTION_SECONDS: &str = "fanfare_connection_seconds";
/// Clients that came back, by how: with a cursor, or to a connection that waited for a new socket.
pub const RECONNECTS: &str = "fanfare_reconnects";
/// Tokens that were refused, by reason.
pub const TOKENS_REFUSED: &str = "fanfare_tokens_refused";
/// New tokens for open connections, by outcome.
pub const TOKEN_REFRESHES: &str = "fanfare_token_refreshes";
/// Roles and orgs that were left out of tokens, by reason.
pub const TOKEN_VALUES_DROPPED: &str = "fanfare_token_values_dropped";
/// Calls of hub methods, by outcome.
pub const INVOCATIONS: &str = "fanfare_invocations";
/// Requests to the platform's authorizers, by outcome.
pub const AUTHORIZER_ANSWERS: &str = "fanfare_authorizer_answers";
/// Authorizers' answers about groups that are already joined, by outcome.
pub const RECHECKS: &str = "fanfare_rechecks";

/// Events read from the broker, by type.
pub const EVENTS_READ: &str = "fanfare_events_read";
/// Events decoded, by type.
pub const EVENTS_DECODED: &str = "fanfare_events_decoded";
/// Events written to the dead letters, by type and reason.
pub const EVENTS_DEAD_LETTERED: &str = "fanfare_events_dead_lettered";
/// Events dropped because their id was seen before.
pub const EVENTS_DUPLICATE: &str = "fanfare_events_duplicate";
/// Requests to the schema registry, by outcome.
pub const SCHEMA_REGISTRY_ANSWERS: &str = "fanfare_schema_registry_answers";
/// How far the reader is behind the newest record of the broker.
pub const READER_LAG_SECONDS: &str = "fanfare_reader_lag_seconds";
/// The last offset read of each partition.
pub const READER_POSITION: &str = "fanfare_reader_position";
/// The last offset of each partition.
pub const READER_HEAD: &str = "fanfare_reader_head";
/// The number of records of each partition that this node has not read.
pub const READER_LAG_RECORDS: &str = "fanfare_reader_lag_records";
/// Readers of the log that were stuck although the broker answered, and were reopened.
pub const READER_STANDSTILLS: &str = "fanfare_reader_standstills";
/// 1 while the log cannot be written, else 0.
pub const LOG_UNWRITABLE: &str = "fanfare_log_unwritable";
/// 1 for each way in which the broker may lose acknowledged records, by kind; else 0.
pub const BROKER_RISK: &str = "fanfare_broker_risk";
/// How far the clock for removals is behind the newest record.
pub const AGE_CLOCK_BEHIND_SECONDS: &str = "fanfare_age_clock_behind_seconds";
/// How often the log was recreated or had lost its end.
pub const LOG_REPLACED: &str = "fanfare_log_replaced";
/// Records that left the retention before this node read them.
pub const RECORDS_LOST: &str = "fanfare_records_lost";
/// Records read back since the start.
pub const READ_BACK_RECORDS: &str = "fanfare_read_back_records";
/// Records to read back, as far as known.
pub const READ_BACK_GOAL: &str = "fanfare_read_back_goal";
/// Dead letters that wait to be written.
pub const DEAD_LETTER_QUEUE: &str = "fanfare_dead_letter_queue";
/// Dead letters that could not be written.
pub const DEAD_LETTERS_LOST: &str = "fanfare_dead_letters_lost";
/// Reloads of the route files, by outcome.
pub const ROUTE_RELOADS: &str = "fanfare_route_reloads";
/// 1 while the route files differ from this node's routes: they have a fault, or need a restart.
pub const ROUTES_REFUSED: &str = "fanfare_routes_refused";
/// Times that the login at the broker had changed, by outcome.
pub const BROKER_LOGINS: &str = "fanfare_broker_logins";
/// 1 while the login that is configured is of no use, and the one before is used.
pub const BROKER_LOGIN_REFUSED: &str = "fanfare_broker_login_refused";
/// Reloads of the configuration, by outcome.
pub const CONFIG_RELOADS: &str = "fanfare_config_reloads";
/// 1 while the configuration file differs from what this node runs with.
pub const CONFIG_REFUSED: &str = "fanfare_config_refused";
/// 1, with the digest of this node's routes.
pub const ROUTES_INFO: &str = "fanfare_routes_info";
/// 1 while the broker can be reached, else 0.
pub const BROKER_CONNECTED: &str = "fanfare_broker_connected";

/// Notifications that routes produced, by route.
pub const NOTIFICATIONS: &str = "fanfare_notifications";
/// Notifications passed to connections.
pub const DELIVERIES: &str = "fanfare_deliveries";
/// Bytes of the notifications passed to connections.
pub const DELIVERY_BYTES: &str = "fanfare_delivery_bytes";
/// Deliveries that were dropped because they would have crossed orgs.
pub const ISOLATION_DROPS: &str = "fanfare_isolation_drops";
/// Connections evicted because they did not read.
pub const SLOW_CONSUMERS: &str = "fanfare_slow_consumers";
/// The time from the broker's acceptance of an event until its notifications were written.
pub const PUBLISH_TO_PUSH_SECONDS: &str = "fanfare_publish_to_push_seconds";

/// Resumes, by outcome.
pub const RESUMES: &str = "fanfare_resumes";
/// Notifications sent again by resumes.
pub const REPLAYED_NOTIFICATIONS: &str = "fanfare_replayed_notifications";
/// Retained values on this node.
pub const RETAINED_VALUES: &str = "fanfare_retained_values";
/// The largest number of retained values on this node.
pub const RETAINED_VALUES_LIMIT: &str = "fanfare_retained_values_limit";
/// The approximate size of the retained values.
pub const RETAINED_BYTES: &str = "fanfare_retained_bytes";
/// The largest size of all retained values on this node.
pub const RETAINED_LIMIT_BYTES: &str = "fanfare_retained_limit_bytes";
/// Logouts in force on this node.
pub const REVOCATIONS: &str = "fanfare_revocations";
/// The largest number of logouts, and of role overrides, that this node remembers individually.
pub const REVOCATIONS_LIMIT: &str = "fanfare_revocations_limit";
/// Users whose roles come from an event instead of their token.
pub const ROLE_OVERRIDES: &str = "fanfare_role_overrides";

/// Grants and withdrawals on this node.
pub const GRANTS: &str = "fanfare_grants";
/// The largest number of grants and withdrawals, and of org states, on this node.
pub const GRANTS_LIMIT: &str = "fanfare_grants_limit";
/// Notifications that a throttle replaced, or sent at once because too much was waiting.
pub const THROTTLED: &str = "fanfare_throttled";
/// Orgs that are closed to a hub, or were.
pub const ORG_STATES: &str = "fanfare_org_states";
/// The approximate memory of this node's state from the log.
pub const PROJECTION_BYTES: &str = "fanfare_projection_bytes";

/// Users in groups with presence, by where: connected to this node, or to other nodes.
pub const PRESENCE_MEMBERS: &str = "fanfare_presence_members";
/// Presence notifications to connections, by kind; one to several connections counts once.
pub const PRESENCE_NOTIFICATIONS: &str = "fanfare_presence_notifications";
/// Presence records, by outcome.
pub const PRESENCE_RECORDS: &str = "fanfare_presence_records";

/// Answers to `POST /events`, by status.
pub const PUBLISH_REQUESTS: &str = "fanfare_publish_requests";

/// Events that wait in the outbox.
pub const OUTBOX_PENDING: &str = "fanfare_outbox_pending";
/// How long the oldest event in the outbox has waited.
pub const OUTBOX_OLDEST_SECONDS: &str = "fanfare_outbox_oldest_seconds";
/// Events that the relay published.
pub const OUTBOX_PUBLISHED: &str = "fanfare_outbox_published";
/// Events that were finally refused and are parked.
pub const OUTBOX_PARKED: &str = "fanfare_outbox_parked";
/// Attempts to publish that will be retried.
pub const OUTBOX_RETRIES: &str = "fanfare_outbox_retries";
/// Answers of a producer's HTTP interface, by route and status.
pub const REQUESTS: &str = "fanfare_requests";

/// All of them; a test holds this list against the constants above.
pub const ALL: [&str; 78] = [
    BUILD_INFO,
    READY,
    CONNECTIONS,
    CONNECTIONS_LIMIT,
    CONNECTS,
    CONNECTS_REFUSED,
    TCP_CONNECTIONS,
    HTTP_REFUSED,
    CLOSES,
    CONNECTION_SECONDS,
    RECONNECTS,
    TOKENS_REFUSED,
    TOKEN_REFRESHES,
    REQUESTS_FORWARDED,
    MEMORY_LIMIT_BYTES,
    MEMORY_PRESSURE,
    TOKEN_VALUES_DROPPED,
    INVOCATIONS,
    AUTHORIZER_ANSWERS,
    RECHECKS,
    EVENTS_READ,
    EVENTS_DECODED,
    EVENTS_DEAD_LETTERED,
    EVENTS_DUPLICATE,
    READER_LAG_SECONDS,
    READER_POSITION,
    READER_HEAD,
    READER_LAG_RECORDS,
    READER_STANDSTILLS,
    LOG_UNWRITABLE,
    BROKER_RISK,
    AGE_CLOCK_BEHIND_SECONDS,
    LOG_REPLACED,
    RECORDS_LOST,
    READ_BACK_RECORDS,
    READ_BACK_GOAL,
    DEAD_LETTER_QUEUE,
    DEAD_LETTERS_LOST,
    ROUTE_RELOADS,
    ROUTES_REFUSED,
    ROUTES_INFO,
    CERTIFICATE_EXPIRES,
    CERTIFICATE_RELOADS,
    BROKER_LOGINS,
    BROKER_LOGIN_REFUSED,
    CONFIG_RELOADS,
    CONFIG_REFUSED,
    BROKER_CONNECTED,
    NOTIFICATIONS,
    DELIVERIES,
    DELIVERY_BYTES,
    ISOLATION_DROPS,
    SLOW_CONSUMERS,
    PUBLISH_TO_PUSH_SECONDS,
    RESUMES,
    REPLAYED_NOTIFICATIONS,
    RETAINED_VALUES,
    RETAINED_VALUES_LIMIT,
    RETAINED_BYTES,
    RETAINED_LIMIT_BYTES,
    REVOCATIONS,
    REVOCATIONS_LIMIT,
    ROLE_OVERRIDES,
    GRANTS,
    GRANTS_LIMIT,
    ORG_STATES,
    THROTTLED,
    PROJECTION_BYTES,
    PRESENCE_MEMBERS,
    PRESENCE_NOTIFICATIONS,
    PRESENCE_RECORDS,
    PUBLISH_REQUESTS,
    OUTBOX_PENDING,
    OUTBOX_OLDEST_SECONDS,
    OUTBOX_PUBLISHED,
    OUTBOX_PARKED,
    OUTBOX_RETRIES,
    REQUESTS,
];
