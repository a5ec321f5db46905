//! Groups: the only state that the two halves of a node share.

pub mod name;
