//! The commands of the `fanfare` binary.

pub mod check;
