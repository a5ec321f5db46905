//! Names of the fields in log lines and spans.
//!
//! A field means the same in every service. The macros of `tracing` take them as constants:
//!
//! ```
//! use fanfare_telemetry::fields;
//! tracing::info!({ fields::EVENT_TYPE } = "license.FlagToggled", "event routed");
//! ```
//!
//! Orgs and users appear as ids only; payloads and tokens have no field here because they are never written.

/// The node's name in its configuration.
pub const NODE: &str = "node";
/// The address a listener is bound to, or a peer is reached at.
pub const ADDRESS: &str = "address";
/// The hub's path.
pub const HUB: &str = "hub";
/// The connection's id.
pub const CONNECTION: &str = "connection";
/// WebSocket, Server-Sent Events or long polling.
pub const TRANSPORT: &str = "transport";
/// The hub protocol of a connection: json or messagepack.
pub const PROTOCOL: &str = "protocol";
/// The user's id.
pub const USER: &str = "user";
/// The org's id.
pub const ORG: &str = "org";
/// The session's id.
pub const SESSION: &str = "session";
/// The group's name.
pub const GROUP: &str = "group";
/// The token's issuer.
pub const ISSUER: &str = "issuer";
/// The id of the key that signed a token.
pub const KEY_ID: &str = "key_id";
/// The id of an event, as its source gave it.
pub const EVENT_ID: &str = "event_id";
/// The type of an event.
pub const EVENT_TYPE: &str = "event_type";
/// The source of an event.
pub const EVENT_SOURCE: &str = "event_source";
/// The version of the schema that an event was written with.
pub const EVENT_VERSION: &str = "event_version";
/// The route's declared name.
pub const ROUTE: &str = "route";
/// The notification's id.
pub const NOTIFICATION: &str = "notification";
/// The target (client method) of a notification.
pub const TARGET_METHOD: &str = "target_method";
/// The hub method that a client called.
pub const METHOD: &str = "method";
/// The broker in use: embedded, nats or kafka.
pub const BROKER: &str = "broker";
/// The broker's stream or topic.
pub const STREAM: &str = "stream";
/// The partition within a stream.
pub const PARTITION: &str = "partition";
/// The offset within a partition.
pub const OFFSET: &str = "offset";
/// How far a reader is behind the newest record, in seconds.
pub const LAG_SECONDS: &str = "lag_seconds";
/// Why something was refused, closed or dropped: one of a fixed set of words.
pub const REASON: &str = "reason";
/// How something ended: one of a fixed set of words.
pub const OUTCOME: &str = "outcome";
/// An error's text, with its causes.
pub const ERROR: &str = "error";
/// The method of an HTTP request.
pub const HTTP_METHOD: &str = "http_method";
/// The path of an HTTP request, never its query: the query of a hub URL holds a token.
pub const HTTP_PATH: &str = "http_path";
/// The status of an HTTP response.
pub const HTTP_STATUS: &str = "http_status";
/// How long something took, in milliseconds.
pub const DURATION_MS: &str = "duration_ms";
/// How many.
pub const COUNT: &str = "count";
/// How many bytes.
pub const BYTES: &str = "bytes";
/// Which attempt this was, from 1.
pub const ATTEMPT: &str = "attempt";
/// A file's path.
pub const FILE: &str = "file";
/// A line in a file, from 1.
pub const LINE: &str = "line";
/// The id of an export job.
pub const JOB: &str = "job";
/// The name of a feature flag.
pub const FLAG: &str = "flag";
/// What a client calls its request by: the `x-correlation-id` of the request that opened a connection.
pub const CORRELATION_ID: &str = "correlation_id";
/// The W3C trace id; log lines written inside a span carry it without being asked to.
pub const TRACE_ID: &str = "trace_id";
