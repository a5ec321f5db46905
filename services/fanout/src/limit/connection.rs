//! How much one connection may hold and be sent.

/// The bounds of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionBounds {
    /// The most bytes of memory that wait for its link.
    pub queue_bytes: usize,
    /// The most notifications of one resume.
    pub resume_notifications: usize,
    /// The most bytes of one resume.
    pub resume_bytes: usize,
    /// The most groups that it joins by hub methods.
    pub joined_groups: usize,
}
