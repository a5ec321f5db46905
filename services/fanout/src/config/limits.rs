//! `[limits]`: how much clients and producers may send, and how much is kept for them.

use super::edge::{self, EdgeLimits};
use super::hub_settings::{self, ConnectionSettings};
use crate::document::section::Section;
use crate::limit::{AskedMemory, ConnectionBounds};

/// The bounds of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The limits of connections of hubs without their own.
    pub connection: ConnectionSettings,
    /// The largest body of `POST /events`, in bytes.
    pub event_bytes: usize,
    /// The most bytes that wait for one slow connection; beyond it the connection reads on from the log.
    pub queue_bytes: usize,
    /// The most notifications of one resume.
    pub resume_notifications: usize,
    /// The most bytes of one resume.
    pub resume_bytes: usize,
    /// The most reads of the broker for resumes at the same time.
    pub resume_reads: usize,
    /// The bounds of memory, if set.
    pub memory: AskedMemory,
    /// The most retained values.
    pub retained_values: usize,
    /// The most logouts, and the most role changes, that are remembered one by one.
    pub revocations: usize,
    /// The most grants and withdrawals together, and the most states of orgs, that are remembered.
    pub grants: usize,
    /// The most groups that one connection joins by hub methods.
    pub joined_groups: usize,
    /// What one client takes of a node.
    pub edge: EdgeLimits,
}

/// The keys of the bounds of connections and events, whose other values hold at once, while the node runs.
pub const BOUND_AT_ONCE: [&str; 5] =
    ["event_bytes", "queue_bytes", "resume_notifications", "resume_bytes", "joined_groups"];

impl Limits {
    /// How much one connection may hold and be sent.
    #[must_use]
    pub fn connection_bounds(&self) -> ConnectionBounds {
        ConnectionBounds {
            queue_bytes: self.queue_bytes,
            resume_notifications: self.resume_notifications,
            resume_bytes: self.resume_bytes,
            joined_groups: self.joined_groups,
        }
    }
}

pub(super) const KEYS: &[&str] = &[
    "event_bytes",
    "queue_bytes",
    "resume_notifications",
    "resume_bytes",
    "resume_reads",
    "resume_memory_bytes",
    "retained_bytes",
    "waiting_bytes",
    "retained_values",
    "revocations",
    "grants",
    "joined_groups",
];

/// What `queue_bytes` was called; still read, with a warning.
pub(super) const OLD_QUEUE_BYTES: &str = "outbox_bytes";

impl Default for Limits {
    fn default() -> Self {
        Self {
            connection: hub_settings::DEFAULT,
            event_bytes: 128 << 10,
            queue_bytes: 256 << 10,
            resume_notifications: 1000,
            resume_bytes: 1 << 20,
            resume_reads: 4,
            memory: AskedMemory::default(),
            retained_values: 1_000_000,
            revocations: 1_000_000,
            grants: 1_000_000,
            joined_groups: 100,
            edge: EdgeLimits::default_with(false),
        }
    }
}

/// Reads `[limits]`; missing keys have their defaults. `knows_addresses` says whether the proxies in front of the node
/// are declared.
pub(super) fn read(root: &Section<'_>, knows_addresses: bool) -> Limits {
    let d = Limits { edge: EdgeLimits::default_with(knows_addresses), ..Limits::default() };
    let Some(section) = root.section("limits") else {
        return d;
    };
    let keys = [hub_settings::KEYS, KEYS, &edge::CHANGE_AT_ONCE, &edge::NEED_A_START, &[OLD_QUEUE_BYTES]].concat();
    let section = section.allow_or_translate(&keys, &hub_settings::WORDS);
    let queue = if section.value(OLD_QUEUE_BYTES).is_some() { OLD_QUEUE_BYTES } else { "queue_bytes" };
    if queue == OLD_QUEUE_BYTES && section.value("queue_bytes").is_some() {
        section.fault(
            queue,
            "`outbox_bytes` is what `queue_bytes` was called",
            Some("keep `queue_bytes` alone".to_owned()),
        );
    }
    let bytes = |key, low: u64, high: u64, default: usize| {
        usize::try_from(section.integer(key, low..=high, default as u64)).unwrap_or(default)
    };
    // Its default is a share of the memory that the process may take, which is not known here.
    let memory = |key: &'static str, low: u64, high: u64| {
        section.value(key)?;
        let range =
            format!("it must be {low} to {high} bytes; left out, it is a share of the memory that the node may take");
        section.integer_or(key, low..=high, range).and_then(|bytes| usize::try_from(bytes).ok())
    };
    let limits = Limits {
        connection: hub_settings::read(&section, d.connection),
        event_bytes: bytes("event_bytes", 1 << 10, 1 << 20, d.event_bytes),
        queue_bytes: bytes(queue, 16 << 10, 16 << 20, d.queue_bytes),
        resume_notifications: bytes("resume_notifications", 1, 100_000, d.resume_notifications),
        resume_bytes: bytes("resume_bytes", 64 << 10, 64 << 20, d.resume_bytes),
        resume_reads: bytes("resume_reads", 1, 64, d.resume_reads),
        memory: AskedMemory {
            retained: memory("retained_bytes", 1 << 20, 256 << 30),
            waiting: memory("waiting_bytes", 1 << 20, 64 << 30),
            resumes: memory("resume_memory_bytes", 0, 8 << 30),
        },
        retained_values: bytes("retained_values", 1000, 100_000_000, d.retained_values),
        revocations: bytes("revocations", 1000, 100_000_000, d.revocations),
        grants: bytes("grants", 1000, 100_000_000, d.grants),
        joined_groups: bytes("joined_groups", 1, 10_000, d.joined_groups),
        edge: edge::read(&section, knows_addresses),
    };
    if limits.queue_bytes < 2 * limits.event_bytes {
        let message = format!("`{queue}` must be at least twice `event_bytes`");
        let help = format!(
            "{} or more; with less, connections that wait for one large notification have no room for a second and read \
             it again from the log",
            2 * limits.event_bytes
        );
        section.fault(queue, message, Some(help));
    }
    limits
}
