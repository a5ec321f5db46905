//! Times and limits of a hub's connections; those of `[limits]` are the defaults.

use std::time::Duration;

use crate::document::section::Section;

/// The limits and times of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// How long the client may take for the handshake.
    pub handshake: Duration,
    /// How long the server stays silent before it sends a Ping.
    pub keepalive: Duration,
    /// How long the client may stay silent once it has sent a Ping, and how long a lost socket may be
    /// replaced.
    pub client_timeout: Duration,
    /// The longest hub message that is accepted, in bytes.
    pub message_bytes: usize,
    /// Invocations a client may make in a minute.
    pub invocations_per_minute: u32,
    /// Whether errors say what was wrong with a client's message.
    pub detailed_errors: bool,
}

/// The keys, in `[limits]` and in each hub.
pub(crate) const KEYS: &[&str] = &[
    "message_bytes",
    "invocations_per_minute",
    "handshake_seconds",
    "keepalive_seconds",
    "client_timeout_seconds",
    "detailed_errors",
];

/// What ASP.NET calls them.
pub(super) const WORDS: [(&str, &str); 5] = [
    ("MaximumReceiveMessageSize", "message_bytes"),
    ("HandshakeTimeout", "handshake_seconds"),
    ("KeepAliveInterval", "keepalive_seconds"),
    ("ClientTimeoutInterval", "client_timeout_seconds"),
    ("EnableDetailedErrors", "detailed_errors"),
];

/// The defaults; the times are those of ASP.NET.
pub(super) const DEFAULT: ConnectionSettings = ConnectionSettings {
    handshake: Duration::from_secs(15),
    keepalive: Duration::from_secs(15),
    client_timeout: Duration::from_secs(30),
    message_bytes: 32 << 10,
    invocations_per_minute: 600,
    detailed_errors: true,
};

/// Reads them from a section; missing keys are as in `default`.
pub(super) fn read(section: &Section<'_>, default: ConnectionSettings) -> ConnectionSettings {
    let seconds =
        |key, low, high, default: Duration| Duration::from_secs(section.integer(key, low..=high, default.as_secs()));
    let message_bytes = section.integer("message_bytes", 1 << 10..=1 << 20, default.message_bytes as u64);
    let calls = section.integer("invocations_per_minute", 1..=1_000_000, default.invocations_per_minute.into());
    let settings = ConnectionSettings {
        handshake: seconds("handshake_seconds", 1, 120, default.handshake),
        keepalive: seconds("keepalive_seconds", 1, 600, default.keepalive),
        client_timeout: seconds("client_timeout_seconds", 2, 3600, default.client_timeout),
        message_bytes: usize::try_from(message_bytes).unwrap_or(default.message_bytes),
        invocations_per_minute: u32::try_from(calls).unwrap_or(default.invocations_per_minute),
        detailed_errors: section.boolean("detailed_errors").unwrap_or(default.detailed_errors),
    };
    if settings.client_timeout <= settings.keepalive {
        let (timeout, keepalive) = (settings.client_timeout.as_secs(), settings.keepalive.as_secs());
        let message = format!(
            "`client_timeout_seconds` must be longer than `keepalive_seconds`, and they are {timeout} and {keepalive}"
        );
        let help = "twice as long is usual, since clients ping as often as the server does";
        let said = ["client_timeout_seconds", "keepalive_seconds"].into_iter().find(|key| section.value(key).is_some());
        // If neither is set here, the fault is reported at the other place.
        if let Some(key) = said {
            section.fault(key, message, Some(help.to_owned()));
        }
    }
    settings
}
