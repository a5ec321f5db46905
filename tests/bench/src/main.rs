//! The benchmarks of the fan-out.

fn main() {}
