//! Handling of external failures: explain the cause, and try again later.

mod backoff;
mod cause;

pub use backoff::{Backoff, chance, jittered};
pub use cause::{root_cause, with_causes};
