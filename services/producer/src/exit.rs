//! How a producer's process ends: quietly, or with one sentence.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

/// Says why the process could not start, in one line, and gives its exit code.
///
/// The error is written in its alternate form, which for a chain of causes is all of them on one line.
pub fn exit<E: Display>(service: &str, outcome: Result<(), E>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody to tell if stderr is closed.
            let _ = writeln!(std::io::stderr(), "{service}: {error:#}");
            ExitCode::from(1)
        }
    }
}
