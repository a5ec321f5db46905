//! `[node]`: what one process listens on, keeps and bears.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::paths::Paths;
use super::section::Section;

/// The fewest bytes of a secret.
const MIN_SECRET: usize = 32;

/// What one node listens on, keeps and bears.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Hubs and `POST /events`.
    pub listen: SocketAddr,
    /// Health and metrics.
    pub admin_listen: SocketAddr,
    /// The folder of what the node keeps for itself.
    pub data: PathBuf,
    /// The secret that cursors and connection tokens are sealed with; if absent, one is kept in the data folder.
    pub secret: Option<Secret>,
    /// The secret before it, which still opens what was sealed with it.
    pub previous_secret: Option<Secret>,
    /// The most open connections.
    pub max_connections: usize,
    /// How long a stopping node takes to say goodbye.
    pub drain: Duration,
}

/// A secret; it never appears in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// The secret's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A secret of any length that is not of this node's making.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

pub(super) const KEYS: &[&str] = &[
    "listen",
    "admin_listen",
    "data",
    "secret",
    "secret_file",
    "previous_secret",
    "previous_secret_file",
    "max_connections",
    "drain_seconds",
];

/// Reads `[node]`.
pub(super) fn read(root: &Section<'_>, paths: &Paths) -> Option<NodeConfig> {
    let Some(section) = root.section("node") else {
        root.fault("node", "the section [node] is missing", None);
        return None;
    };
    let section = section.allow(KEYS);
    let listen = address(&section, "listen", "127.0.0.1:8080");
    let admin_listen = address(&section, "admin_listen", "127.0.0.1:9090");
    let data = section.required("data");
    let secret = secret(&section, "secret", "secret_file", paths);
    let previous_secret = secret_pair(&section, paths);
    let max_connections = section.integer("max_connections", 1..=1_000_000, 20_000);
    let drain = section.integer("drain_seconds", 0..=300, 5);
    let (listen, admin_listen) = (listen?, admin_listen?);
    if listen == admin_listen && listen.port() != 0 {
        section.fault("admin_listen", "is the same address as `listen`", None);
    }
    Some(NodeConfig {
        listen,
        admin_listen,
        data: paths.resolve(data?.value),
        secret,
        previous_secret,
        max_connections: usize::try_from(max_connections).unwrap_or(usize::MAX),
        drain: Duration::from_secs(drain),
    })
}

fn secret_pair(section: &Section<'_>, paths: &Paths) -> Option<Secret> {
    let previous = secret(section, "previous_secret", "previous_secret_file", paths);
    let named = |key| section.value(key).is_some();
    if previous.is_some() && !named("secret") && !named("secret_file") {
        section.fault("previous_secret", "there is a previous secret but no `secret`", None);
    }
    previous
}

fn address(section: &Section<'_>, key: &str, example: &str) -> Option<SocketAddr> {
    let text = section.required(key)?;
    let parsed = text.value.parse();
    if parsed.is_err() {
        section.document().fault(
            text.at,
            format!("`{key}` is not an address: {:?}", text.value),
            Some(format!("an IP address and a port, for instance {example}")),
        );
    }
    parsed.ok()
}

fn secret(section: &Section<'_>, key: &str, file_key: &str, paths: &Paths) -> Option<Secret> {
    let bytes = match (section.string(key), section.string(file_key)) {
        (Some(_), Some(_)) => {
            section.fault(file_key, format!("`{key}` and `{file_key}` exclude each other"), None);
            return None;
        }
        (Some(text), None) => text.value.as_bytes().to_vec(),
        (None, Some(file)) => {
            let path = paths.resolve(file.value);
            match std::fs::read(&path) {
                Ok(bytes) => bytes.trim_ascii().to_vec(),
                Err(error) => {
                    let message = format!("`{file_key}` cannot be read: {}: {error}", path.display());
                    section.document().fault(file.at, message, None);
                    return None;
                }
            }
        }
        (None, None) => return None,
    };
    if bytes.len() < MIN_SECRET {
        let place = if section.value(key).is_some() { key } else { file_key };
        section.fault(
            place,
            format!("the secret has {} bytes and needs at least {MIN_SECRET}", bytes.len()),
            Some("for instance the output of `openssl rand -hex 32`".to_owned()),
        );
        return None;
    }
    Some(Secret(bytes.into_boxed_slice()))
}
