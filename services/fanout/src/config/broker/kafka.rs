//! `[broker.kafka]`: how to log in to a Kafka cluster, and how topics are named and created.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fanfare_broker::properties::{self, is_of_login, is_reserved, is_secret};
use toml::de::DeValue;

use crate::config::Secret;
use crate::config::paths::Paths;
use crate::document::Located;
use crate::document::section::{Node, Section, integer, text};

/// Apache Kafka as the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// The servers as `host:port`.
    pub servers: Vec<String>,
    /// What the topics of events are called before the service's name.
    pub events: String,
    /// What the topics of states are called before the service's name.
    pub state: String,
    /// How many partitions each topic has that is made.
    pub partitions: u32,
    /// How many servers keep each partition; what the cluster has as default if absent.
    pub replication: Option<u16>,
    /// Whether settings that may lose acknowledged events are refused, instead of only reported.
    pub strict: bool,
    /// Whether topics that are missing are made.
    pub create: bool,
    /// Settings of librdkafka, passed on as they are; values of the file may be secrets.
    pub properties: BTreeMap<String, Secret>,
    /// The file that some of them come from.
    pub properties_file: Option<PathBuf>,
}

impl KafkaConfig {
    /// The settings that say who the node is and how its connections are encrypted, or the others.
    fn properties_of_login(&self, yes: bool) -> impl Iterator<Item = (&String, &Secret)> {
        self.properties.iter().filter(move |(name, _)| is_of_login(name) == yes)
    }

    /// The files that the login and the encryption come from.
    pub(super) fn login_files(&self) -> Vec<PathBuf> {
        let named = self.properties_of_login(true).filter(|(name, _)| name.ends_with(".location"));
        let named = named.filter_map(|(_, path)| std::str::from_utf8(path.as_bytes()).ok().map(PathBuf::from));
        self.properties_file.iter().cloned().chain(named).collect()
    }

    /// Whether another configuration says the same of the login, but for the contents of files that librdkafka reads.
    pub(super) fn has_login_of(&self, other: &Self) -> bool {
        self.properties_of_login(true).eq(other.properties_of_login(true))
    }

    /// Whether another configuration says the same of everything else.
    pub(super) fn has_other_properties_of(&self, other: &Self) -> bool {
        self.properties_of_login(false).eq(other.properties_of_login(false))
    }
}

pub(super) const KEYS: &[&str] =
    &["events", "state", "partitions", "replication", "strict", "create", "properties", "properties_file"];

/// The longest first part of a topic's name; a topic may have 249 characters.
const MAX_TOPIC: usize = 100;

/// Reads `[broker.kafka]`, which may be missing.
pub(super) fn read(broker: &Section<'_>, servers: Option<Vec<String>>, paths: &Paths) -> Option<KafkaConfig> {
    let defaults = KafkaConfig {
        servers: Vec::new(),
        events: "events".to_owned(),
        state: "state".to_owned(),
        partitions: 6,
        replication: None,
        strict: false,
        create: true,
        properties: BTreeMap::new(),
        properties_file: None,
    };
    let Some(section) = broker.section("kafka") else {
        return broker.value("kafka").is_none().then_some(KafkaConfig { servers: servers?, ..defaults });
    };
    let section = section.titled("[broker.kafka]".to_owned()).allow(KEYS);
    let (events, state) = (topic(&section, "events"), topic(&section, "state"));
    if events.is_some() && events == state {
        let message = "`events` and `state` must differ";
        section.fault("state", message, Some("topics of states are compacted, those of events are not".to_owned()));
    }
    let partitions = section.integer("partitions", 1..=4096, u64::from(defaults.partitions));
    let replication = section.value("replication").map(|_| section.integer("replication", 1..=32, 3));
    let mut properties = properties_file(&section, paths).unwrap_or_default();
    properties.extend(properties_table(&section));
    Some(KafkaConfig {
        servers: servers?,
        events: events?,
        state: state?,
        partitions: u32::try_from(partitions).unwrap_or(defaults.partitions),
        replication: replication.and_then(|number| u16::try_from(number).ok()),
        strict: section.boolean("strict").unwrap_or(false),
        create: section.boolean("create").unwrap_or(true),
        properties,
        properties_file: section.value("properties_file").and_then(text).map(|file| paths.resolve(file.value)),
    })
}

/// The first part of topics' names; `key` is also the default.
fn topic(section: &Section<'_>, key: &str) -> Option<String> {
    let Some(text) = section.string(key) else {
        return section.value(key).is_none().then(|| key.to_owned());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let sound = !text.value.is_empty() && text.value.len() <= MAX_TOPIC && text.value.chars().all(plain);
    if !sound || text.value.starts_with('.') || text.value.ends_with('.') {
        let message = format!("`{key}` of [broker.kafka] is {:?}", text.value);
        let help = format!("1 to {MAX_TOPIC} letters, digits, `-`, `_` and dots between them; the default is {key}");
        section.document().fault(text.at, message, Some(help));
        return None;
    }
    Some(text.value.to_owned())
}

fn properties_table(section: &Section<'_>) -> BTreeMap<String, Secret> {
    let mut properties = BTreeMap::new();
    let Some(table) = section.section("properties") else { return properties };
    for (name, node) in table.entries() {
        if is_secret(name.value) {
            let message = format!("`{}`: secrets do not stand in this file", name.value);
            let help = "write NAME=VALUE into a file and name the file with `properties_file`";
            table.document().fault(name.at, message, Some(help.to_owned()));
        } else if is_reserved(name.value) {
            table.document().fault(name.at, format!("`{}` is set by the node itself", name.value), None);
        } else if let Some(value) = value(node) {
            properties.insert(name.value.to_owned(), Secret::of(value.as_bytes()));
        } else {
            let message = format!("`{}` must be a string, an integer or a boolean", name.value);
            table.document().fault(node.span().start, message, None);
        }
    }
    properties
}

fn value(node: Node<'_>) -> Option<String> {
    match node.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Integer(_) => integer(node).map(|number| number.to_string()),
        _ => None,
    }
}

fn properties_file(section: &Section<'_>, paths: &Paths) -> Option<BTreeMap<String, Secret>> {
    let Located { value, at } = section.string("properties_file")?;
    let path = paths.resolve(value);
    let fault = |message: String| section.document().fault(at, message, None);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            fault(format!("`properties_file` cannot be read: {}: {error}", path.display()));
            return None;
        }
    };
    match properties::parse(&text) {
        Ok(read) => Some(read.into_iter().map(|(name, value)| (name, Secret::of(value.as_bytes()))).collect()),
        Err((line, message)) => {
            fault(format!("{}:{line}: {message}", path.display()));
            None
        }
    }
}
