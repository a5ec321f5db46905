//! The limit of open files, of which each connection takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::limit::{Capacity, TooFewFiles};

/// Raises the soft limit to the hard one: the shell's default is meant for programs that use `select`.
pub(super) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => tracing::info!(from = ?current, to = ?maximum, "limit of open files raised"),
        Err(error) => tracing::warn!(%error, soft = ?current, hard = ?maximum, "limit of open files stays"),
    }
}

/// Logs how many connections the limit allows.
///
/// # Errors
/// [`TooFewFiles`] if the configuration asks for more.
pub(super) fn capacity(config: &Config) -> Result<Capacity, TooFewFiles> {
    // Without a limit there is more than enough of everything.
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok()).unwrap_or(1 << 30);
    let asked = config.node.max_connections;
    let capacity = Capacity::of(files, asked, config.node.http_connections)?;
    let Capacity { connections, http, forwarded, .. } = capacity;
    if capacity.is_low(asked) {
        tracing::warn!(
            files,
            connections,
            http,
            forwarded,
            "the limit of open files allows few connections; raise it (nofile)"
        );
    } else {
        tracing::info!(files, connections, http, forwarded, "room for connections");
    }
    Ok(capacity)
}
