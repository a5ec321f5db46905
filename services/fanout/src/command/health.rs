//! `fanfare health`: whether a node answers `GET /healthz`, for health checks of containers.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use super::check::report;
use super::client::reachable;
use super::{Exit, asking, fail};
use crate::config::Config;

/// How long the node may take: orchestrators wait for seconds, not minutes.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the operator's port as the configuration says, over TLS where that is spoken there. Not `/readyz`: a node that waits
/// for its broker, reads back or drains is well.
pub fn run(config: &Path) -> Exit {
    let config = match Config::load(config) {
        Ok(config) => config,
        Err(faults) => {
            report(&faults);
            return Exit::Wrong;
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Wrong, format_args!("no runtime: {error}")),
    };
    match runtime.block_on(ask(&config)) {
        Ok(text) => {
            // Nothing can be done for a reader that has gone.
            let _ = writeln!(std::io::stdout(), "{text}");
            Exit::Done
        }
        Err((exit, message)) => fail(exit, message),
    }
}

async fn ask(config: &Config) -> Result<String, (Exit, String)> {
    let asking = asking::client(config, config.node.tls.operator.as_ref(), TIMEOUT);
    let (client, scheme) = asking.map_err(|error| (Exit::Wrong, format!("no HTTP client: {error}")))?;
    let url = format!("{scheme}://{}/healthz", reachable(config.node.admin_listen));
    let away = |error: reqwest::Error| {
        (Exit::Unreachable, format!("no node answers at {url}: {}", fanfare_failure::root_cause(&error)))
    };
    let answer = client.get(&url).send().await.map_err(away)?;
    let (status, text) = (answer.status(), answer.text().await.map_err(away)?);
    if status.is_success() { Ok(text) } else { Err((Exit::Unreachable, format!("{url} answers {status}: {text}"))) }
}
