//! Measurements of a process and of this machine.

mod cpu;
mod cpus;
mod machine;
mod memory;
mod overflow;
mod times;

pub(crate) use cpu::CpuTime;
pub(crate) use cpus::Cpus;
pub(crate) use machine::{Machine, open_files_limit};
pub(crate) use memory::{kernel_socket_bytes, resident_bytes};
pub(crate) use overflow::listen_overflows;
pub(crate) use times::{median, percentile_ms};
