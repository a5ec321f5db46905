//! What kind of page or client a tab is.

/// How often a tab does what, in percent of its steps.
#[derive(Debug, Clone, Copy)]
pub(in crate::simulation) struct Habits {
    pub(in crate::simulation) drops: usize,
    pub(in crate::simulation) joins: usize,
    pub(in crate::simulation) asks: usize,
    pub(in crate::simulation) reads: usize,
}

/// What a page does when it is connected again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulation) enum Order {
    /// It named its cursor in the URL.
    AtConnect,
    /// It resumes at once, and then joins its groups.
    ResumeThenJoin,
    /// It joins its groups, and then resumes.
    JoinThenResume,
    /// It resumes after a while, with the newest cursor that any handler saw.
    Late,
    /// It resumes after a while, with the cursor that it had when it lost its connection.
    LateWithOld,
    /// It resumes twice with the same cursor.
    Twice,
    /// It never resumes.
    Never,
}

/// What a client does that is not one of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulation) enum Manner {
    /// Nothing: it is a page.
    Honest,
    /// It sends pings without a pause.
    Floods,
    /// It never reads.
    Deaf,
    /// It cuts everything that it sends into frames of a byte.
    Fragments,
    /// It resumes in a loop.
    Resumes,
}
