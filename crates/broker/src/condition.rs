//! What an operator should know of a broker, beside whether it answers.

/// How a broker is, as far as it can tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Condition {
    /// Whether messages can be stored.
    pub writes: Writes,
    /// What makes it lose what it has acknowledged, each with its reason.
    pub risks: Vec<Risk>,
    /// The time by which the log forgets what is old, in milliseconds since the epoch, where it keeps one of its own.
    /// It outlives the process, and a wrong clock does not move it.
    pub age_clock: Option<i64>,
}

/// Whether messages can be stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Writes {
    /// Nothing was written yet, or not for long.
    #[default]
    Untold,
    /// The last one was stored.
    Work,
    /// None can be stored, with the reason.
    Fail(String),
}

/// A way in which a broker may lose what it has acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Risk {
    /// What it is, as a metric names it.
    pub kind: RiskKind,
    /// What was found, and what would be right.
    pub reason: String,
}

/// The kinds of [`Risk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RiskKind {
    /// Fewer copies than were asked for, or than survive the loss of a machine.
    Replicas,
    /// A publish is answered before enough copies have it.
    Acknowledgement,
    /// A copy that lacks records may become the one that counts.
    UncleanElection,
    /// What was acknowledged is kept in memory alone.
    Memory,
    /// The server's version is known to lose records.
    Version,
}

impl RiskKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Replicas, Self::Acknowledgement, Self::UncleanElection, Self::Memory, Self::Version];

    /// The name as a metric's label has it.
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
