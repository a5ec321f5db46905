//! The files of a node under test: default settings, except for its folder and ports.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::platform::Platform;

/// Nodes that share a broker must have the same.
const SECRET: &str = "a secret of the benchmarks that everybody knows";

/// The differences between nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings<'s> {
    /// The hub.
    pub(crate) platform: Platform,
    /// The URL of the broker.
    pub(crate) broker: &'s str,
    /// Additional routes.
    pub(crate) routes: &'s str,
    /// Additional lines of `[node]`.
    pub(crate) node: &'s str,
    /// Additional sections.
    pub(crate) sections: &'s str,
    /// The public and the operator's port.
    pub(crate) ports: (u16, u16),
}

impl Default for Settings<'_> {
    /// A log in the node's folder, and free ports.
    fn default() -> Self {
        let platform = Platform::Bench;
        Self { platform, broker: "embedded:log", routes: "", node: "", sections: "", ports: (1, 2) }
    }
}

/// Writes the configuration and the routes of a node into a folder; returns the configuration's path.
pub(crate) fn write(folder: &Path, key: &Path, settings: &Settings<'_>) -> Result<PathBuf> {
    let Settings { platform, broker, routes, node, sections, ports: (port, admin_port) } = settings;
    let hub = platform.hub_sections()?;
    // A relative path would be relative to the folder.
    let key = fs::canonicalize(key).context("no signing key")?;
    let config = format!(
        r#"[node]
listen = "127.0.0.1:{port}"
admin_listen = "127.0.0.1:{admin_port}"
data = "data"
secret = "{SECRET}"
{node}

[broker]
url = "{broker}"

[routes]
path = "routes.toml"

[development]
signing_key = {key:?}

{hub}

[log]
format = "json"
{sections}
"#
    );
    let path = folder.join("fanfare.toml");
    fs::write(folder.join("routes.toml"), format!("{}{routes}", platform.routes()?))
        .context("cannot write the routes")?;
    fs::write(&path, config).context("cannot write the configuration")?;
    Ok(path)
}
