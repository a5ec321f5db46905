//! The outcome of a change of state.

/// What became of a change: of a grant, of an org, of a retained value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// It is what counts now, or has been since it was read ahead.
    Newest,
    /// A newer one is known, and counts.
    Older,
    /// The bound on the number or the bytes of such state is reached, so it is not kept. A grant then lets nobody in; a value
    /// is delivered and not retained.
    Full,
}
