//! TOML with positions: reads files, and collects faults with suggestions.

mod fault;
mod file;
pub mod section;
pub mod suggest;

pub use fault::{Fault, Spot};
pub use file::{Document, Located, Source, type_name};
