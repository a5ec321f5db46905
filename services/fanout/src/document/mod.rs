//! TOML with the places of its parts: reading it, its faults, and what may have been meant.

mod fault;
mod file;
pub mod section;
pub mod suggest;

pub use fault::{Fault, Spot};
pub use file::{Document, Located, Source, type_name};
