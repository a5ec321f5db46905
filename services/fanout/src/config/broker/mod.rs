//! `[broker]`: where the event stream is, how long it is kept, and how far back resumes may read.

mod kafka;
mod nats;

use std::path::PathBuf;
use std::time::Duration;

use fanfare_broker::address::Address;
pub use kafka::KafkaConfig;
pub use nats::{LOGIN_KEYS as NATS_LOGIN_KEYS, NatsConfig, NatsLogin};

use super::paths::Paths;
use crate::document::section::Section;
use crate::document::{Located, suggest};

/// The broker, and how much of its log is read.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Which broker.
    pub kind: BrokerKind,
    /// What the names of streams and topics begin with that are Fanfare's own.
    pub prefix: String,
    /// The age of the oldest event that a returning tab is sent again.
    pub window: Duration,
    /// The most events of the replay window.
    pub window_events: u64,
    /// How long events are kept by the embedded broker, and in streams and topics that Fanfare makes.
    pub retention: Duration,
    /// How many bytes of events are kept there.
    pub retention_bytes: u64,
    /// How long a node that cannot reach the broker still takes new connections.
    pub max_stale: Duration,
}

/// The kinds of brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerKind {
    /// A log inside this process, kept in a folder.
    Embedded(PathBuf),
    /// NATS JetStream.
    Nats(NatsConfig),
    /// Apache Kafka.
    Kafka(KafkaConfig),
}

impl BrokerKind {
    /// The servers outside this process, each `host:port`.
    pub fn servers(&self) -> Vec<String> {
        match self {
            Self::Embedded(_) => Vec::new(),
            Self::Nats(nats) => nats.servers.clone(),
            Self::Kafka(kafka) => kafka.servers.clone(),
        }
    }

    /// Its name, as in a URL.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Embedded(_) => SCHEMES[0],
            Self::Nats(_) => SCHEMES[1],
            Self::Kafka(_) => SCHEMES[2],
        }
    }

    /// The files that say who the node is to the broker, and how the connection is encrypted.
    pub fn login_files(&self) -> Vec<PathBuf> {
        match self {
            Self::Embedded(_) => Vec::new(),
            Self::Nats(nats) => nats.login_files.clone(),
            Self::Kafka(kafka) => kafka.login_files(),
        }
    }

    /// Whether another configuration says the same of the login, but for the contents of files that the broker's client
    /// reads.
    #[must_use]
    pub fn has_login_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nats(now), Self::Nats(other)) => {
                let said =
                    |nats: &NatsConfig| (nats.login.clone(), nats.tls, nats.ca_file.clone(), nats.certificate.clone());
                said(now) == said(other)
            }
            (Self::Kafka(now), Self::Kafka(other)) => now.has_login_of(other),
            // Another broker needs a start.
            _ => true,
        }
    }

    /// Whether another configuration says the same of the client beside its login, as far as the file itself does not show
    /// it.
    #[must_use]
    pub fn has_properties_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Kafka(now), Self::Kafka(other)) => now.has_other_properties_of(other),
            _ => true,
        }
    }

    /// Whether several nodes can read the same stream.
    pub fn is_shared(&self) -> bool {
        !matches!(self, Self::Embedded(_))
    }
}

const SCHEMES: [&str; 3] = ["embedded", "nats", "kafka"];

/// The longest prefix; names of streams have room for more.
const MAX_PREFIX: usize = 32;

const OWN_KEYS: &[&str] = &[
    "url",
    "prefix",
    "window_minutes",
    "window_events",
    "retention_hours",
    "retention_bytes",
    "max_stale_seconds",
    "nats",
    "kafka",
];

/// Reads `[broker]`.
pub(super) fn read(root: &Section<'_>, paths: &Paths) -> Option<BrokerConfig> {
    let Some(section) = root.section("broker") else {
        let help = "url = \"embedded:PATH\" under it keeps the events in a folder";
        root.fault("broker", "the section [broker] is missing", Some(help.to_owned()));
        return None;
    };
    let section = section.allow(OWN_KEYS);
    let kind = section.required("url").and_then(|url| kind(&section, url, paths));
    let prefix = prefix(&section);
    let window_minutes = section.integer("window_minutes", 1..=10_080, 10);
    let window_events = section.integer("window_events", 1..=100_000_000, 100_000);
    let retention_hours = section.integer("retention_hours", 1..=87_600, 24);
    let retention_bytes = section.integer("retention_bytes", 1 << 20..=1 << 44, 1 << 30);
    let max_stale = section.integer("max_stale_seconds", 1..=86_400, 300);
    if window_minutes > retention_hours * 60 {
        section.fault(
            "window_minutes",
            format!(
                "the replay window of {window_minutes} minutes is longer than the {retention_hours} hours that events \
                 are kept"
            ),
            Some("raise `retention_hours` or lower `window_minutes`".to_owned()),
        );
    }
    Some(BrokerConfig {
        kind: kind?,
        prefix: prefix?,
        window: Duration::from_secs(window_minutes * 60),
        window_events,
        retention: Duration::from_secs(retention_hours * 3600),
        retention_bytes,
        max_stale: Duration::from_secs(max_stale),
    })
}

fn kind(section: &Section<'_>, url: Located<&str>, paths: &Paths) -> Option<BrokerKind> {
    let (scheme, rest) = url.value.split_once(':').unwrap_or((url.value, ""));
    for other in SCHEMES.into_iter().skip(1).filter(|other| *other != scheme && section.value(other).is_some()) {
        let message = format!("[broker.{other}] says nothing about the broker {:?}", url.value);
        section.fault(other, message, Some(format!("remove it, or let `url` begin with {other}://")));
    }
    match scheme {
        "embedded" if !rest.trim().is_empty() && !rest.starts_with("//") => {
            Some(BrokerKind::Embedded(paths.resolve(rest)))
        }
        "embedded" => {
            let help = Some("for instance embedded:../.fanfare/log".to_owned());
            section.document().fault(url.at, "the embedded broker needs a folder", help);
            None
        }
        "nats" => {
            built_in(section, url, "NATS", cfg!(feature = "nats"))?;
            nats::read(section, servers(section, url), paths).map(BrokerKind::Nats)
        }
        "kafka" => {
            built_in(section, url, "Kafka", cfg!(feature = "kafka"))?;
            kafka::read(section, servers(section, url), paths).map(BrokerKind::Kafka)
        }
        other => {
            let message = format!("there is no broker `{other}`");
            section.document().fault(url.at, message, suggest::help(other, SCHEMES));
            None
        }
    }
}

fn servers(section: &Section<'_>, url: Located<&str>) -> Option<Vec<String>> {
    match url.value.parse::<Address>() {
        Ok(address) => Some(address.servers),
        Err(error) => {
            section.document().fault(url.at, error.what, Some(error.help));
            None
        }
    }
}

/// A program may be built without the client of a broker.
fn built_in(section: &Section<'_>, url: Located<&str>, name: &str, there: bool) -> Option<()> {
    if !there {
        let feature = name.to_lowercase();
        let message = format!("this build has no client of {name}");
        let help = format!(
            "build fanfare-fanout with its feature `{feature}`, which `cargo build --release` and \
             `make run BROKER={feature}` do"
        );
        section.document().fault(url.at, message, Some(help));
    }
    there.then_some(())
}

/// What streams on NATS and topics on Kafka may all be called.
fn prefix(section: &Section<'_>) -> Option<String> {
    let Some(text) = section.string("prefix") else {
        return section.value("prefix").is_none().then(|| "fanfare".to_owned());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.value.is_empty() || text.value.len() > MAX_PREFIX || !text.value.chars().all(plain) {
        let message = format!("`prefix` of [broker] is {:?}", text.value);
        let help = format!("1 to {MAX_PREFIX} letters, digits, `-` and `_`; the default is fanfare");
        section.document().fault(text.at, message, Some(help));
        return None;
    }
    Some(text.value.to_owned())
}

/// Every key of this section and of those within it, for the manual's test.
#[cfg(test)]
pub(super) fn keys() -> Vec<&'static str> {
    [OWN_KEYS, &nats::keys(), kafka::KEYS].concat()
}
