//! The relay's configuration: a TOML file, read once and checked as a whole.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fanfare_broker::address::{Address, Kind};
use fanfare_producer::publisher::BrokerSettings;
use fanfare_producer::settings::BaseUrl;
use fanfare_telemetry::LogFormat;
use serde::Deserialize;

use crate::horizon::Monitors;

const TABLE: &str = "fanfare_events";
const POLL_MS: std::ops::RangeInclusive<u64> = 50..=600_000;

/// Why a configuration cannot be used: which file, where, and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The file is not TOML, or contains something unknown.
    #[error("{}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        reason: String,
    },
    /// A value is impossible.
    #[error("{}: {key}: {reason}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
}

/// The configuration of the relay.
#[derive(Debug, Clone)]
pub struct Config {
    /// The URL of the database; it may contain a password.
    pub database: String,
    /// The relayed table.
    pub table: String,
    /// How often the table is polled without a notification.
    pub poll: Duration,
    /// Whether PostgreSQL notifies of new rows, on a channel with the table's name.
    pub listen: bool,
    /// The folder of schemas.
    pub schemas: Option<PathBuf>,
    /// Whether the demo platform's schemas are known as well.
    pub demo_schemas: bool,
    /// The target of events.
    pub target: Target,
    /// The address of the operator's endpoints.
    pub operator: Option<SocketAddr>,
    /// The format of log lines.
    pub log_format: LogFormat,
}

/// The target of events.
#[derive(Debug, Clone)]
pub enum Target {
    /// To a node's `POST /events`.
    Http {
        /// The node, or the proxy in front of several.
        url: BaseUrl,
        /// The file with the producer's token; it is read again when it changes.
        token_file: PathBuf,
    },
    /// Directly to the broker.
    Broker {
        /// Its servers.
        address: Address,
        /// The relay's login.
        settings: Box<BrokerSettings>,
        /// The monitoring ports of its servers, which report how often files are synced.
        monitors: Monitors,
        /// The services whose events are in the table; on Kafka they are in the names of topics. Empty means all.
        services: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    database: Database,
    schemas: Option<Schemas>,
    http: Option<Http>,
    broker: Option<Broker>,
    operator: Option<Operator>,
    #[serde(default)]
    log: Log,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Database {
    url: Option<String>,
    url_file: Option<PathBuf>,
    table: Option<String>,
    poll_ms: Option<u64>,
    listen: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Schemas {
    path: Option<PathBuf>,
    demo: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Http {
    url: String,
    token_file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Broker {
    url: String,
    services: Option<Vec<String>>,
    prefix: Option<String>,
    #[serde(default)]
    create: bool,
    horizon_seconds: Option<u64>,
    #[serde(default)]
    monitor: Vec<String>,
    credentials_file: Option<PathBuf>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    #[serde(default)]
    tls: bool,
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    events: Option<String>,
    state: Option<String>,
    properties_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operator {
    listen: SocketAddr,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    format: Option<String>,
}

/// The file from which paths and faults are reported.
struct Place<'p>(&'p Path);

impl Place<'_> {
    fn wrong(&self, key: &'static str, reason: impl Into<String>) -> ConfigError {
        ConfigError::Value { path: self.0.to_owned(), key, reason: reason.into() }
    }

    /// Paths are relative to the file that contains them.
    fn resolve(&self, path: PathBuf) -> PathBuf {
        self.0.parent().map_or_else(|| path.clone(), |folder| folder.join(&path))
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, the key or line, and what would be right.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = read(path)?;
        let file: File = toml::from_str(&text)
            .map_err(|error| ConfigError::Syntax { path: path.to_owned(), reason: error.to_string() })?;
        let place = Place(path);
        let poll_ms = file.database.poll_ms.unwrap_or(1_000);
        if !POLL_MS.contains(&poll_ms) {
            return Err(place.wrong("database.poll_ms", format!("expected {} to {}", POLL_MS.start(), POLL_MS.end())));
        }
        let database = database_url(&file.database, &place)?;
        let is_postgres = database.starts_with("postgres");
        let listen = file.database.listen.unwrap_or(is_postgres);
        if listen && !is_postgres {
            return Err(place.wrong("database.listen", "only PostgreSQL tells of new rows"));
        }
        let log_format = match file.log.format {
            None => LogFormat::default(),
            Some(text) => text.parse().map_err(|_| place.wrong("log.format", "expected json or pretty"))?,
        };
        let (schemas, demo_schemas) = match file.schemas {
            None => (None, true),
            Some(Schemas { path: None, demo: None }) => {
                return Err(place.wrong("schemas.path", "expected the folder that the nodes have"));
            }
            Some(Schemas { path, demo }) => (path.map(|path| place.resolve(path)), demo.unwrap_or(true)),
        };
        Ok(Self {
            database,
            table: file.database.table.unwrap_or_else(|| TABLE.to_owned()),
            poll: Duration::from_millis(poll_ms),
            listen,
            schemas,
            demo_schemas,
            target: target(file.http, file.broker, &place)?,
            operator: file.operator.map(|operator| operator.listen),
            log_format,
        })
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|error| ConfigError::File { path: path.to_owned(), reason: error.to_string() })
}

fn database_url(database: &Database, place: &Place<'_>) -> Result<String, ConfigError> {
    let url = match (&database.url, &database.url_file) {
        (Some(_), Some(_)) => return Err(place.wrong("database.url", "`url` and `url_file` exclude each other")),
        (None, None) => {
            return Err(
                place.wrong("database.url_file", "expected a file that holds postgres://USER:PASSWORD@HOST/NAME")
            );
        }
        (Some(url), None) => {
            let login = url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map(|(login, _)| login);
            if login.is_some_and(|login| login.contains(':')) {
                let help = "secrets do not stand in this file: write the URL into a file and name it with `url_file`";
                return Err(place.wrong("database.url", help));
            }
            url.clone()
        }
        (None, Some(file)) => read(&place.resolve(file.clone()))?.trim().to_owned(),
    };
    // The text after the scheme may contain a password and is not shown.
    match url.split(':').next() {
        Some("postgres" | "postgresql" | "sqlite") => Ok(url),
        _ => Err(place.wrong(
            "database.url",
            "the URL begins with neither postgres:// nor sqlite:// (other databases: \
                                               docs/publishing.md)",
        )),
    }
}

fn target(http: Option<Http>, broker: Option<Broker>, place: &Place<'_>) -> Result<Target, ConfigError> {
    match (http, broker) {
        (None, None) => Err(place.wrong("http", "expected [http] with url and token_file, or [broker] with url")),
        (Some(_), Some(_)) => Err(place.wrong("http", "[http] and [broker] exclude each other")),
        (Some(http), None) => {
            let url = http.url.parse().map_err(|reason: String| place.wrong("http.url", reason))?;
            Ok(Target::Http { url, token_file: place.resolve(http.token_file) })
        }
        (None, Some(broker)) => of_broker(broker, place),
    }
}

fn of_broker(broker: Broker, place: &Place<'_>) -> Result<Target, ConfigError> {
    let address: Address = broker
        .url
        .parse()
        .map_err(|error: fanfare_broker::address::AddressError| place.wrong("broker.url", error.to_string()))?;
    let pairs = [
        ("broker.user", broker.user.is_some(), broker.password_file.is_some(), "`user` and `password_file`"),
        ("broker.cert_file", broker.cert_file.is_some(), broker.key_file.is_some(), "`cert_file` and `key_file`"),
    ];
    for (key, one, other, names) in pairs {
        if one != other {
            return Err(place.wrong(key, format!("{names} go together")));
        }
    }
    if address.kind != Kind::Nats && !broker.monitor.is_empty() {
        return Err(place.wrong("broker.monitor", "only NATS servers have a monitoring port"));
    }
    let monitors = Monitors::parse(&broker.monitor).map_err(|reason| place.wrong("broker.monitor", reason))?;
    let path = |path: Option<PathBuf>| path.map(|path| place.resolve(path));
    let settings = BrokerSettings {
        broker_url: Some(address.clone()),
        broker_prefix: broker.prefix.unwrap_or_else(|| "fanfare".to_owned()),
        broker_create: broker.create,
        broker_horizon: broker.horizon_seconds.map(Duration::from_secs),
        broker_credentials_file: path(broker.credentials_file),
        broker_user: broker.user,
        broker_password_file: path(broker.password_file),
        broker_token_file: path(broker.token_file),
        broker_tls: broker.tls,
        broker_ca_file: path(broker.ca_file),
        broker_cert_file: path(broker.cert_file),
        broker_key_file: path(broker.key_file),
        broker_events: broker.events.unwrap_or_else(|| "events".to_owned()),
        broker_state: broker.state.unwrap_or_else(|| "state".to_owned()),
        broker_properties_file: path(broker.properties_file),
    };
    let services = broker.services.unwrap_or_default();
    Ok(Target::Broker { address, settings: Box::new(settings), monitors, services })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("relay.toml");
        std::fs::write(&path, text).expect("written");
        std::fs::write(folder.path().join("url"), "postgres://me:hunter2@127.0.0.1/shop\n").expect("written");
        Config::load(&path).map_err(|error| error.to_string())
    }

    const HTTP: &str = "[http]\nurl = \"http://127.0.0.1:8080\"\ntoken_file = \"token\"\n";

    #[test]
    fn a_url_of_postgres_from_its_file_is_listened_to() {
        let config = load(&format!("[database]\nurl_file = \"url\"\n{HTTP}")).expect("sound");
        assert_eq!(config.database, "postgres://me:hunter2@127.0.0.1/shop");
        assert!(config.listen && config.table == "fanfare_events" && config.poll == Duration::from_secs(1));
        let Target::Http { token_file, .. } = config.target else { panic!("HTTP") };
        assert!(token_file.is_absolute() && token_file.ends_with("token"));
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_is() {
        let database = "[database]\nurl = \"sqlite://x.db\"\n";
        for (text, told) in [
            (HTTP.to_owned(), "missing field `database`"),
            (format!("[database]\n{HTTP}"), "database.url_file"),
            (format!("[database]\nurl = \"postgres://me:hunter2@h/d\"\n{HTTP}"), "secrets do not stand"),
            (format!("[database]\nurl = \"mysql://h/d\"\n{HTTP}"), "postgres://"),
            (format!("{database}listen = true\n{HTTP}"), "database.listen"),
            (format!("{database}poll_ms = 1\n{HTTP}"), "expected 50 to 600000"),
            (format!("{database}tabel = \"x\"\n{HTTP}"), "unknown field `tabel`"),
            (database.to_owned(), "expected [http]"),
            (format!("{database}{HTTP}[broker]\nurl = \"nats://h:4222\""), "exclude each other"),
            (format!("{database}[broker]\nurl = \"nats://h\""), "has no port"),
            (format!("{database}[broker]\nurl = \"nats://h:4222\"\nuser = \"u\""), "go together"),
            (format!("{database}[broker]\nurl = \"kafka://h:9092\"\nmonitor = [\"http://h:8222\"]"), "only NATS"),
            (
                format!("{database}[broker]\nurl = \"nats://h:4222\"\nmonitor = [\"http://me:hunter2@h\"]"),
                "broker.monitor",
            ),
            (format!("{database}{HTTP}[schemas]"), "schemas.path: expected the folder"),
            (format!("{database}{HTTP}[log]\nformat = \"xml\""), "log.format"),
        ] {
            let refused = load(&text).expect_err(&text);
            assert!(refused.contains(told) && refused.contains("relay.toml"), "{refused}");
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
