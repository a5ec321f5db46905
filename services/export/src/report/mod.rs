//! What is exported: the usage of an org, day by day.

mod csv;
mod files;
mod usage;

pub use files::{Files, Written};
pub(crate) use usage::part;

/// A step of a job.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What it does, in a word.
    pub stage: &'static str,
    /// How much is done after it.
    pub percent: i32,
}

/// The steps of a job, each of which adds a month to the file.
pub const STEPS: [Step; 5] = [
    Step { stage: "collecting", percent: 20 },
    Step { stage: "counting", percent: 40 },
    Step { stage: "writing", percent: 60 },
    Step { stage: "writing", percent: 80 },
    Step { stage: "checking", percent: 100 },
];

/// The step in which a job of the kind `broken` fails.
pub const FAILS_AT: usize = 2;
