//! The files of a node under test: everything at its default but where it lives.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The hub of every tab.
pub(crate) const HUB: &str = "/hubs/notifications";

/// An alert is a toast for one user or for everybody in the org.
const ROUTES: &str = r#"hub = "/hubs/notifications"

[[route]]
name = "alert-to-user"
event = "system.Alert"
when = { user = { present = true } }
groups = ["user:{user}"]
toast = { severity = "{severity}", title = "{title}", message = "{message}", link = "{link}" }

[[route]]
name = "alert-to-org"
event = "system.Alert"
when = { user = { present = false }, org = { present = true } }
groups = ["org:{org}"]
toast = { severity = "{severity}", title = "{title}", message = "{message}", link = "{link}" }
"#;

/// Writes the configuration and the routes of a node into a folder, and more routes; where the configuration is.
pub(crate) fn write(folder: &Path, key: &Path, port: u16, admin_port: u16, routes: &str) -> Result<PathBuf> {
    let config = format!(
        r#"[node]
listen = "127.0.0.1:{port}"
admin_listen = "127.0.0.1:{admin_port}"
data = "data"

[broker]
url = "embedded:log"

[routes]
path = "routes.toml"

[development]
signing_key = {key:?}

[hub."{HUB}"]

[log]
format = "json"
"#
    );
    let path = folder.join("fanfare.toml");
    fs::write(folder.join("routes.toml"), format!("{ROUTES}{routes}")).context("cannot write the routes")?;
    fs::write(&path, config).context("cannot write the configuration")?;
    Ok(path)
}
