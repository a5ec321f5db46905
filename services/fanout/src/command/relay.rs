//! `fanfare relay`: starts the separate program `fanfare-relay` in the same folder.
//!
//! A node needs no database, and the relay no hubs, so neither is built into the other.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::{Exit, fail};

const PROGRAM: &str = "fanfare-relay";

/// Becomes the relay, with these arguments; returns only if there is none.
pub fn run(arguments: &[OsString]) -> Exit {
    let beside = std::env::current_exe().map(|own| own.with_file_name(PROGRAM)).ok().filter(|path| path.is_file());
    let program = beside.unwrap_or_else(|| PROGRAM.into());
    let error = Command::new(&program).args(arguments).exec();
    fail(
        Exit::Wrong,
        format_args!(
            "{PROGRAM} is neither beside this program nor on the PATH (cargo build -p {PROGRAM} makes it): {error}"
        ),
    )
}
