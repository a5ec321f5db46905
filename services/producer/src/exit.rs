//! How a producer's process ends: silently, or with one sentence.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

/// Prints why the process could not start, in one line, and returns its exit code.
///
/// The error is written in its alternate form, which for a chain of causes is all of them on one line.
pub fn exit<E: Display>(service: &str, outcome: Result<(), E>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If stderr is closed, there is no place to report to.
            let _ = writeln!(std::io::stderr(), "{service}: {error:#}");
            ExitCode::from(1)
        }
    }
}
