//! `fanfare check`: reads everything that a node would read, and reports what is wrong with it.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

#[cfg(feature = "nats")]
use fanfare_broker::nats::monitor;

use crate::clock::unix_seconds;
#[cfg(feature = "nats")]
use crate::config::BrokerKind;
use crate::config::{Config, Loaded};
use crate::document::Fault;

/// Checks config, schemas and routes: exit code 0 and a summary, or 1 and one line per fault.
///
/// With `explain`, one line per route first: its event, what it sends to whom, and what keeps other orgs from it.
pub fn run(config: &Path, explain: bool) -> ExitCode {
    match Loaded::load(config) {
        Ok(loaded) => {
            let Loaded { config: read, routes } = &loaded;
            warn(&read.warnings);
            if explain {
                for line in routes.explain(read.single_org.as_deref()) {
                    let _ = writeln!(std::io::stdout(), "{line}");
                }
            }
            warn_of_certificates(read);
            let _ = writeln!(std::io::stdout(), "{}", summary(config, &loaded));
            tell_of_disks(read);
            ExitCode::SUCCESS
        }
        Err(faults) => {
            report(&faults);
            ExitCode::from(1)
        }
    }
}

/// Prints how often the files of each NATS server reach the disk; only their monitoring ports tell.
#[cfg(feature = "nats")]
fn tell_of_disks(config: &Config) {
    let BrokerKind::Nats(nats) = &config.broker.kind else { return };
    let told = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(monitor::ask_all(&nats.monitor)),
        Err(error) => vec![monitor::Sync::Unknown(format!("no runtime: {error}")); nats.monitor.len()],
    };
    for (url, told) in nats.monitor.iter().zip(told) {
        let _ = writeln!(std::io::stdout(), "NATS server at {url}: {told}");
    }
}

#[cfg(not(feature = "nats"))]
fn tell_of_disks(_: &Config) {}

/// Prints one line per fault to stderr.
pub fn report(faults: &[Fault]) {
    let mut stderr = std::io::stderr().lock();
    for fault in faults {
        // If stderr is closed, nobody can be told.
        let _ = writeln!(stderr, "{fault}");
    }
}

/// Prints one line per warning to stderr.
fn warn(warnings: &[Fault]) {
    let mut stderr = std::io::stderr().lock();
    for warning in warnings {
        let message = format!("warning: {}", warning.message);
        let _ = writeln!(stderr, "{}", Fault { message, ..warning.clone() });
    }
}

/// Prints one line for each certificate that is not good now, or not for long: the node runs with it all the same.
fn warn_of_certificates(config: &Config) {
    let now = unix_seconds();
    let told = config.node.tls.shown().into_iter().filter_map(|shown| {
        let fault = shown.validity.fault_at(now)?;
        Some(shown.spot.fault(fault, Some(shown.path.display().to_string())))
    });
    warn(&told.collect::<Vec<_>>());
}

fn summary(path: &Path, loaded: &Loaded) -> String {
    let Loaded { config, routes } = loaded;
    let mut events: Vec<_> = routes.routes().map(|route| route.name()).collect();
    events.sort_unstable();
    events.dedup();
    let warning = if config.development.is_some() { "; development signing key: never in production" } else { "" };
    format!(
        "{} is sound: {}, {}, {}, {}, routes {}{warning}",
        path.display(),
        counted(events.len(), "route"),
        counted(config.hubs.len(), "hub"),
        counted(loaded.registry().event_types().count(), "event type"),
        counted(config.issuers.len(), "issuer"),
        routes.digest(),
    )
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
