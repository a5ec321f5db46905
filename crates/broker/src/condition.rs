//! The condition of a broker, for operators.

/// The condition of a broker, as far as it knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// Whether messages can be stored.
    pub writes: Writes,
    /// Reasons why it may lose acknowledged messages.
    pub risks: Vec<Risk>,
    /// When what it has acknowledged is on a disk, in words, if it tells.
    pub disk: Option<String>,
    /// The time by which the log removes old records, in milliseconds since the epoch, if it keeps a clock of its own.
    /// The clock outlives the process, and a wrong machine clock does not move it.
    pub age_clock: Option<i64>,
}

/// Whether messages can be stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Writes {
    /// Nothing was written yet, or not for a long time.
    #[default]
    Untold,
    /// The last message was stored.
    Work,
    /// Messages cannot be stored, for this reason.
    Fail(String),
}

/// A way in which a broker may lose acknowledged messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    /// The kind, which metrics use as a label.
    pub kind: RiskKind,
    /// What was found, and what would be right.
    pub reason: String,
}

/// The kinds of [`Risk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RiskKind {
    /// Fewer replicas than configured, or than are needed to survive the loss of a machine.
    Replicas,
    /// A publish is acknowledged before enough replicas have it.
    Acknowledgement,
    /// A replica that lacks records may become the leader.
    UncleanElection,
    /// Acknowledged messages are only in memory.
    Memory,
    /// The server's version is known to lose records.
    Version,
}

impl RiskKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Replicas, Self::Acknowledgement, Self::UncleanElection, Self::Memory, Self::Version];

    /// The metric label.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Replicas => "replicas",
            Self::Acknowledgement => "acknowledgement",
            Self::UncleanElection => "unclean_election",
            Self::Memory => "memory",
            Self::Version => "version",
        }
    }
}
