//! Starts the relay: arguments in, exit codes out.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use fanfare_producer::shutdown;
use fanfare_relay::{Config, RunError, check, run};

/// Publish the rows of an outbox table to the broker, or over HTTP to a node, until SIGTERM or Ctrl-C.
///
/// A service in any language inserts a row in the transaction that makes the change; docs/publishing.md has the table.
#[derive(Parser)]
#[command(name = "fanfare-relay", version)]
struct Command {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only check the configuration, the schemas, the database and the table.
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let command = Command::parse();
    let config = match Config::load(&command.config) {
        Ok(config) => config,
        Err(error) => return fail(1, &error),
    };
    let mut telemetry = match fanfare_telemetry::init("relay", config.log_format) {
        Ok(guard) => guard,
        Err(error) => return fail(1, &error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &error),
    };
    let ended = runtime.block_on(async {
        if command.check {
            return check(&config).await.map_err(Failure::Run);
        }
        let shutdown = shutdown::on_signal().map_err(Failure::Signals)?;
        run(&config, &mut telemetry, shutdown).await.map_err(Failure::Run)
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Run(error @ RunError::Unreachable(_))) => fail(3, &error),
        Err(Failure::Run(error)) => fail(1, &error),
        Err(Failure::Signals(error)) => fail(1, &error),
    }
}

enum Failure {
    Run(RunError),
    Signals(std::io::Error),
}

/// Prints one plain sentence to stderr, and returns its exit code.
fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    // If stderr is closed, there is no place to report to.
    let _ = writeln!(std::io::stderr(), "fanfare-relay: {error}");
    ExitCode::from(code)
}
