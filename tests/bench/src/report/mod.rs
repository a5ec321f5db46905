//! The output of a run: lines of JSON, a table, charts.

mod chart;
mod figure;
mod table;
mod target;

pub(crate) use chart::chart;
pub(crate) use figure::{Figure, Readings, write_lines};
pub(crate) use table::table;
