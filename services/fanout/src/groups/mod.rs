//! Groups: the only state shared between pipeline and sockets.

pub mod name;
