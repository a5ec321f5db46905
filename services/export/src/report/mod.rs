//! The content of an export: the usage of an org, day by day.

mod csv;
mod files;
mod usage;

pub use files::{Files, Written};
pub(crate) use usage::part;

/// A step of a job.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Its name.
    pub stage: &'static str,
    /// The progress after it.
    pub percent: i32,
}

/// The steps of a job; each adds a month to the file.
pub const STEPS: [Step; 5] = [
    Step { stage: "collecting", percent: 20 },
    Step { stage: "counting", percent: 40 },
    Step { stage: "writing", percent: 60 },
    Step { stage: "writing", percent: 80 },
    Step { stage: "checking", percent: 100 },
];

/// The step at which a job of the kind `broken` fails.
pub const FAILS_AT: usize = 2;
