//! What everybody does when something outside fails: say why, and try again later.

mod backoff;
mod cause;

pub use backoff::{Backoff, chance, jittered};
pub use cause::{root_cause, with_causes};
