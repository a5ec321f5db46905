//! `[broker]`: where the event stream is, and how far back this node reads it.

use std::path::PathBuf;
use std::time::Duration;

use super::document::Located;
use super::paths::Paths;
use super::section::Section;
use super::suggest;

/// The broker and what is read of it.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// Which broker.
    pub kind: BrokerKind,
    /// The age of the oldest event that a returning tab is sent again.
    pub window: Duration,
    /// The most events of the replay window.
    pub window_events: u64,
    /// How long the embedded broker keeps events.
    pub retention: Duration,
    /// How many bytes of events the embedded broker keeps.
    pub retention_bytes: u64,
    /// How long a node that cannot reach the broker still takes new connections.
    pub max_stale: Duration,
}

/// The kinds of brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerKind {
    /// A log inside this process, kept in a folder.
    Embedded(PathBuf),
}

const SCHEMES: [&str; 3] = ["embedded", "nats", "kafka"];

pub(super) const KEYS: &[&str] =
    &["url", "window_minutes", "window_events", "retention_hours", "retention_bytes", "max_stale_seconds"];

/// Reads `[broker]`.
pub(super) fn read(root: &Section<'_>, paths: &Paths) -> Option<BrokerConfig> {
    let Some(section) = root.section("broker") else {
        let help = "url = \"embedded:PATH\" under it keeps the events in a folder";
        root.fault("broker", "the section [broker] is missing", Some(help.to_owned()));
        return None;
    };
    let section = section.allow(KEYS);
    let kind = section.required("url").and_then(|url| kind(&section, url, paths));
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
        window: Duration::from_secs(window_minutes * 60),
        window_events,
        retention: Duration::from_secs(retention_hours * 3600),
        retention_bytes,
        max_stale: Duration::from_secs(max_stale),
    })
}

fn kind(section: &Section<'_>, url: Located<&str>, paths: &Paths) -> Option<BrokerKind> {
    let (scheme, rest) = url.value.split_once(':').unwrap_or((url.value, ""));
    let (message, help) = match scheme {
        "embedded" if !rest.trim().is_empty() && !rest.starts_with("//") => {
            return Some(BrokerKind::Embedded(paths.resolve(rest)));
        }
        "embedded" => {
            ("the embedded broker needs a folder".to_owned(), Some("for instance embedded:../.fanfare/log".to_owned()))
        }
        "nats" | "kafka" => (
            format!("the {scheme} broker comes later"),
            Some("this version has the embedded broker: embedded:PATH".to_owned()),
        ),
        other => (format!("there is no broker `{other}`"), suggest::help(other, SCHEMES)),
    };
    section.document().fault(url.at, message, help);
    None
}
