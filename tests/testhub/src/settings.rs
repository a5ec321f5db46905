//! The configuration of the node: the hubs, in a temporary folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The hub of most tests.
pub(crate) const TEST_HUB: &str = "/testhub";
/// The same methods, only over Server-Sent Events and long polling.
pub(crate) const WITHOUT_WEB_SOCKETS: &str = "/testhub-nowebsockets";
/// A hub that requires a token.
pub(crate) const AUTHORIZED: &str = "/authorizedhub";

/// Nothing is published here, but a node needs routes.
const ROUTES: &str = r#"
[[route]]
name = "alerts"
hub = "/testhub"
event = "system.Alert"
groups = ["everyone"]
toast = { severity = "{severity}", title = "{title}", message = "{message}" }
"#;

/// Writes the configuration into `folder`; returns the file.
///
/// If the folder cannot be written.
/// The folder cannot be written.
pub(crate) fn write(folder: &Path) -> io::Result<PathBuf> {
    fs::write(folder.join("routes.toml"), ROUTES)?;
    let hubs: String = [TEST_HUB, WITHOUT_WEB_SOCKETS, AUTHORIZED]
        .map(|path| format!("[hub.\"{path}\"]\npublic = true\njoin = [\"everyone\"]\n\n"))
        .concat();
    let config = folder.join("fanfare.toml");
    // Nothing listens on these addresses: the program around the node has its own.
    fs::write(
        &config,
        format!(
            "[node]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\ndata = \"data\"\ndrain_seconds = 2\n\n\
             [broker]\nurl = \"embedded:log\"\n\n[routes]\npath = \"routes.toml\"\n\n{hubs}"
        ),
    )?;
    Ok(config)
}
