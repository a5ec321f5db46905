//! Names of the fields in log lines and spans.
//!
//! A field means the same in every service. The macros of `tracing` take them as constants:
//!
//! ```
//! use fanfare_telemetry::fields;
//! tracing::info!({ fields::EVENT_TYPE } = "license.FlagToggled", "event routed");
//! ```
//!
//! Orgs and users appear only as ids; payloads and tokens have no field here because they are never logged.

/// The node's name, from its configuration.
pub const NODE: &str = "node";
/// The address of a listener or of a peer.
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
/// The id of an event, from its source.
pub const EVENT_ID: &str = "event_id";
/// The type of an event.
pub const EVENT_TYPE: &str = "event_type";
/// The source of an event.
pub const EVENT_SOURCE: &str = "event_source";
/// The schema version of an event.
pub const EVENT_VERSION: &str = "event_version";
/// The route's declared name.
pub const ROUTE: &str = "route";
/// The notification's id.
pub const NOTIFICATION: &str = "notification";
/// The notification's target (client method).
pub const TARGET_METHOD: &str = "target_method";
/// The called hub method.
pub const METHOD: &str = "method";
/// The broker in use: embedded, nats or kafka.
pub const BROKER: &str = "broker";
/// The broker's stream or topic.
pub const STREAM: &str = "stream";
/// The partition within a stream.
pub const PARTITION: &str = "partition";
/// The offset within a partition.
pub const OFFSET: &str = "offset";
/// A reader's lag behind the newest record, in seconds.
pub const LAG_SECONDS: &str = "lag_seconds";
/// The reason for a refusal, a close or a drop: one of a fixed set of words.
pub const REASON: &str = "reason";
/// The outcome: one of a fixed set of words.
pub const OUTCOME: &str = "outcome";
/// An error's text, with its causes.
pub const ERROR: &str = "error";
/// The method of an HTTP request.
pub const HTTP_METHOD: &str = "http_method";
/// The path of an HTTP request, never its query: the query of a hub URL holds a token.
pub const HTTP_PATH: &str = "http_path";
/// The status of an HTTP response.
pub const HTTP_STATUS: &str = "http_status";
/// The duration, in milliseconds.
pub const DURATION_MS: &str = "duration_ms";
/// A count.
pub const COUNT: &str = "count";
/// A number of bytes.
pub const BYTES: &str = "bytes";
/// The number of the attempt, from 1.
pub const ATTEMPT: &str = "attempt";
/// A file's path.
pub const FILE: &str = "file";
/// A line in a file, from 1.
pub const LINE: &str = "line";
/// The id of an export job.
pub const JOB: &str = "job";
/// The name of a feature flag.
pub const FLAG: &str = "flag";
/// The client's own id of its request: the `x-correlation-id` of the request that opened a connection.
pub const CORRELATION_ID: &str = "correlation_id";
/// The W3C trace id; log lines within a span have it automatically.
pub const TRACE_ID: &str = "trace_id";
