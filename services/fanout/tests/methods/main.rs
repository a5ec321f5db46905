//! Hub methods that the configuration declares, against real nodes.

mod join;
mod scene;
