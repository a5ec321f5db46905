//! `[node]`: the addresses, the secret and the limits of one process.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::paths::Paths;
use super::tls::{self, NodeTls};
use crate::document::section::Section;
use crate::limit::TrustedProxies;
use crate::vocabulary::reached_over;

/// The fewest bytes of a secret.
const MIN_SECRET: usize = 32;

/// The longest name of a machine.
const MAX_HOST: usize = 253;

/// What one node listens on, keeps and bears.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Hubs and `POST /events`.
    pub listen: SocketAddr,
    /// Health and metrics.
    pub admin_listen: SocketAddr,
    /// Where other nodes reach the operator's port, as `host:port`, or `https://host:port` where that speaks TLS; if absent,
    /// the node finds out.
    pub advertise: Option<String>,
    /// Where other nodes reach the hubs, in the same form; if absent, the node finds out.
    pub advertise_hubs: Option<String>,
    /// The certificates of the listeners, and which certificates the node trusts in other nodes.
    pub tls: NodeTls,
    /// The folder of what the node keeps for itself.
    pub data: PathBuf,
    /// The secret that cursors and connection tokens are sealed with; if absent, one is kept in the data folder.
    pub secret: Option<Secret>,
    /// The previous secret, which still opens what it sealed.
    pub previous_secret: Option<Secret>,
    /// The most open connections; if absent, what the limit of open files leaves.
    pub max_connections: Option<usize>,
    /// The most TCP connections that wait for a request; if absent, a share of what the limit of open files leaves.
    pub http_connections: Option<usize>,
    /// The proxies in front of the node; absent if the configuration does not say.
    pub trusted_proxies: Option<TrustedProxies>,
    /// The hosts under which pages know the node, in lower case; if empty, whatever a request names.
    pub hosts: Vec<String>,
    /// How long a stopping node takes to close its connections.
    pub drain: Duration,
    /// Whether the configuration file is read again when it changes.
    pub watch: bool,
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
    "advertise",
    "advertise_hubs",
    "data",
    "secret",
    "secret_file",
    "previous_secret",
    "previous_secret_file",
    "max_connections",
    "http_connections",
    "trusted_proxies",
    "hosts",
    "drain_seconds",
    "watch",
    "tls",
    "operator_tls",
    "peers",
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
    let tls = tls::read(&section, paths);
    let advertise_hubs = advertised(&section, ["advertise_hubs", "listen", "8080", "tls"]);
    let advertise = advertised(&section, ["advertise", "admin_listen", "9090", "operator_tls"]);
    let data = section.required("data");
    let secret = secret(&section, "secret", "secret_file", paths);
    let previous_secret = secret_pair(&section, paths);
    let max_connections = count(&section, "max_connections", 1..=1_000_000);
    let http_connections = count(&section, "http_connections", 64..=1_000_000);
    let (trusted_proxies, hosts) = (trusted_proxies(&section), hosts(&section));
    let drain = section.integer("drain_seconds", 0..=300, 5);
    let watch = section.boolean("watch").unwrap_or_default();
    let (listen, admin_listen) = (listen?, admin_listen?);
    if listen == admin_listen && listen.port() != 0 {
        section.fault("admin_listen", "is the same address as `listen`", None);
    }
    Some(NodeConfig {
        listen,
        admin_listen,
        advertise,
        advertise_hubs,
        tls,
        data: paths.resolve(data?.value),
        secret,
        previous_secret,
        max_connections,
        http_connections,
        trusted_proxies,
        hosts,
        drain: Duration::from_secs(drain),
        watch,
    })
}

/// A number whose default is not known before the node starts.
fn count(section: &Section<'_>, key: &str, range: RangeInclusive<u64>) -> Option<usize> {
    section.value(key)?;
    let (low, high) = range.clone().into_inner();
    let number = section.integer_or(
        key,
        range,
        format!("it must be {low} to {high}; left out, it is what the limit of open files leaves"),
    );
    number.and_then(|number| usize::try_from(number).ok())
}

fn trusted_proxies(section: &Section<'_>) -> Option<TrustedProxies> {
    let texts = section.strings("trusted_proxies")?;
    for text in &texts {
        if let Err(error) = TrustedProxies::parse([text.value]) {
            let help = "an address such as 10.0.0.7, or a network such as 10.0.0.0/8";
            section.document().fault(text.at, format!("`trusted_proxies`: {error}"), Some(help.to_owned()));
        }
    }
    TrustedProxies::parse(texts.iter().map(|text| text.value)).ok()
}

fn hosts(section: &Section<'_>) -> Vec<String> {
    let mut hosts = Vec::new();
    for text in section.strings("hosts").unwrap_or_default() {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if !text.value.is_empty() && text.value.chars().all(plain) {
            hosts.push(text.value.to_ascii_lowercase());
        } else {
            let help = "as it stands in the page's URL: a host, and a port unless it is the scheme's own, for instance \
                        app.example.com";
            section.document().fault(text.at, format!("not a host: {:?}", text.value), Some(help.to_owned()));
        }
    }
    hosts
}

fn secret_pair(section: &Section<'_>, paths: &Paths) -> Option<Secret> {
    let previous = secret(section, "previous_secret", "previous_secret_file", paths);
    let named = |key| section.value(key).is_some();
    if previous.is_some() && !named("secret") && !named("secret_file") {
        section.fault("previous_secret", "there is a previous secret but no `secret`", None);
    }
    previous
}

/// Where others reach a port of this node: a name or an address of this machine, and the port. It may say whether TLS is
/// spoken there, which is otherwise what the listener speaks.
fn advertised(section: &Section<'_>, [key, listens, port, tls]: [&str; 4]) -> Option<String> {
    let text = section.string(key)?;
    let (speaks_tls, address) = match text.value.split_once("://") {
        Some(("https", address)) => (true, address),
        Some(("http", address)) => (false, address),
        _ => (section.value(tls).is_some(), text.value),
    };
    let fault = |what: &str| {
        let help = format!(
            "a name or address of this node that other nodes reach, and the port of `{listens}`, for instance \
             10.0.0.7:{port} or fanfare-0.fanfare:{port}"
        );
        section.document().fault(text.at, format!("`{key}` {what}: {:?}", text.value), Some(help));
        None
    };
    let Some((host, port)) = address.rsplit_once(':') else { return fault("has no port") };
    if !port.parse::<u16>().is_ok_and(|port| port > 0) {
        return fault("has no port");
    }
    let name = |host: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        !host.is_empty() && host.len() <= MAX_HOST && host.chars().all(plain)
    };
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match inner.unwrap_or(host).parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() || ip.is_multicast() => fault("is no address that others reach"),
        Ok(ip) if ip.is_ipv6() != inner.is_some() => fault("is not a host and a port"),
        Ok(_) => Some(reached_over(speaks_tls, address)),
        Err(_) if inner.is_none() && name(host) => Some(reached_over(speaks_tls, address)),
        Err(_) => fault("is not a host and a port"),
    }
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
