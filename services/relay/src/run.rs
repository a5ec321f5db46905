//! The complete relay, which runs until it is stopped.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fanfare_event::{Registry, RegistryError};
use fanfare_outbox::{
    BrokerPublisher, HttpPublisher, HttpPublisherError, Outbox, OutboxError, Publisher, RelayOptions, connect,
};
use fanfare_producer::PublisherError;
use fanfare_producer::publisher::open_broker;
use fanfare_telemetry::metrics::ProducerMetrics;
use fanfare_telemetry::{Guard, TelemetryError};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Target};
use crate::{horizon, operator};

const CONNECTIONS: u32 = 4;
/// How long the first connection to the database may take.
const CONNECT: Duration = Duration::from_secs(10);
/// A broker that is back is used again within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_TOKEN: u64 = 32 * 1024;

/// Why the relay does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The schemas cannot be used.
    #[error("{}", told(.0))]
    Schemas(#[from] RegistryError),
    /// The database refuses, or the table has the wrong shape.
    #[error("{0}")]
    Outbox(OutboxError),
    /// The database does not answer.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// There is no publisher for the broker.
    #[error(transparent)]
    Publisher(#[from] PublisherError),
    /// There is no publisher over HTTP.
    #[error(transparent)]
    Http(#[from] HttpPublisherError),
    /// Metrics cannot be exported as the environment requests.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The operator's port cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The reason.
        source: std::io::Error,
    },
}

impl From<OutboxError> for RunError {
    fn from(error: OutboxError) -> Self {
        if error.is_unreachable() { Self::Unreachable(error.to_string()) } else { Self::Outbox(error) }
    }
}

fn told(error: &RegistryError) -> String {
    format!("{}: {error}", error.file().display())
}

/// Checks schemas, database and table, and that a publisher can be created.
///
/// # Errors
/// [`RunError`] in a plain sentence.
pub async fn check(config: &Config) -> Result<(), RunError> {
    let registry = registry(config)?;
    publisher(config, &registry).await?;
    open(config, registry).await.map(drop)
}

/// Relays until `shutdown`.
///
/// # Errors
/// [`RunError`] if it cannot start; once it has started, it waits for whatever is unreachable.
pub async fn run(config: &Config, telemetry: &mut Guard, shutdown: CancellationToken) -> Result<(), RunError> {
    let registry = registry(config)?;
    let publisher = publisher(config, &registry).await?;
    let outbox = open(config, registry).await?;
    let mut metrics = fanfare_producer::metrics_registry();
    let counts = ProducerMetrics::new(&mut metrics);
    let metrics = Arc::new(metrics);
    let of = Arc::clone(&metrics);
    telemetry.push_metrics(move || fanfare_telemetry::metrics::encode(&of))?;
    let operator = match config.operator {
        None => None,
        Some(address) => {
            let served = operator::serve(address, outbox.clone(), metrics, shutdown.clone()).await;
            Some(served.map_err(|source| RunError::Listen { address, source })?)
        }
    };
    let listener = config.listen.then(|| {
        let channel = config.table.replace('.', "_");
        tokio::spawn(fanfare_outbox::wake_on_notify(outbox.clone(), config.database.clone(), channel))
    });
    let options = RelayOptions { longest_pause: LONGEST_PAUSE, poll: config.poll, ..RelayOptions::default() };
    tracing::info!(table = config.table, "the relay is up");
    fanfare_producer::relay::run_with(outbox, publisher, counts, options, shutdown).await;
    if let Some(listener) = listener {
        listener.abort();
    }
    if let Some(operator) = operator {
        // It ends with the same token, within its own bound.
        let _ = operator.await;
    }
    Ok(())
}

fn registry(config: &Config) -> Result<Registry, RunError> {
    let builtin = if config.demo_schemas { Registry::builtin() } else { Registry::of_nodes() };
    Ok(match &config.schemas {
        Some(folder) => builtin.with_folder(folder)?,
        None => builtin,
    })
}

async fn open(config: &Config, registry: Registry) -> Result<Outbox, RunError> {
    let connecting = tokio::time::timeout(CONNECT, connect(&config.database, CONNECTIONS)).await;
    let pool = connecting.map_err(|_| RunError::Unreachable(format!("no answer within {CONNECT:?}")))??;
    Ok(Outbox::open_json(pool, &config.table, registry).await?)
}

async fn publisher(config: &Config, registry: &Registry) -> Result<Box<dyn Publisher>, RunError> {
    match &config.target {
        Target::Http { url, token_file } => {
            let file = TokenFile::new(token_file);
            file.read().map_err(|reason| PublisherError::File { path: token_file.clone(), reason })?;
            Ok(Box::new(HttpPublisher::new(url.as_str(), move || file.read())?))
        }
        Target::Broker { address, settings, monitors, services } => {
            let known = || registry.event_types().map(|known| known.name().service().to_owned());
            let services: BTreeSet<String> =
                if services.is_empty() { known().collect() } else { services.iter().cloned().collect() };
            let broker = open_broker(address, services.into_iter().collect(), settings)?;
            let publisher = BrokerPublisher::new(broker).registry(registry.clone());
            let publisher = horizon::keeping(publisher, settings.broker_horizon, monitors).await;
            let kept_seconds = Publisher::horizon(&publisher).as_secs();
            tracing::info!(
                kept_seconds,
                "rows are kept once they are published, for as long as the broker may lose them"
            );
            Ok(Box::new(publisher))
        }
    }
}

/// A token in a file, which another process may replace before it expires.
struct TokenFile {
    path: std::path::PathBuf,
    read: std::sync::Mutex<Option<(SystemTime, String)>>,
}

impl TokenFile {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), read: std::sync::Mutex::default() }
    }

    fn read(&self) -> Result<String, String> {
        let told = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let file = std::fs::metadata(&self.path).map_err(told)?;
        let changed = file.modified().map_err(told)?;
        let mut read = self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, token)) = read.as_ref().filter(|(at, _)| *at == changed) {
            return Ok(token.clone());
        }
        if file.len() > LONGEST_TOKEN {
            return Err(format!("{}: it has more than {LONGEST_TOKEN} bytes", self.path.display()));
        }
        let token = std::fs::read_to_string(&self.path).map_err(told)?.trim().to_owned();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("{}: it holds no token", self.path.display()));
        }
        *read = Some((changed, token.clone()));
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demos_types_are_known_unless_excluded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("relay.toml");
        let known = |schemas: &str| {
            let rest =
                "[database]\nurl = \"sqlite://x.db\"\n[http]\nurl = \"http://127.0.0.1:1\"\ntoken_file = \"t\"\n";
            std::fs::write(&path, format!("{rest}{schemas}")).expect("written");
            let registry = registry(&Config::load(&path).expect("sound")).expect("schemas");
            registry.event_types().map(|known| known.name().to_string()).collect::<Vec<_>>()
        };
        assert!(known("").iter().any(|name| name == "license.FlagToggled"));
        assert_eq!(known("[schemas]\ndemo = true"), known(""));
        assert_eq!(known("[schemas]\ndemo = false"), ["system.ConnectionsClosed"]);
    }

    #[test]
    fn a_token_is_read_again_when_its_file_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let file = TokenFile::new(&path);
        assert!(file.read().is_err_and(|told| told.contains("token")));
        std::fs::write(&path, "first\n").expect("written");
        assert_eq!(file.read().as_deref(), Ok("first"));
        std::fs::write(&path, "second").expect("written");
        let later = SystemTime::now() + Duration::from_secs(5);
        std::fs::File::options().write(true).open(&path).expect("open").set_modified(later).expect("a time");
        assert_eq!(file.read().as_deref(), Ok("second"));
    }
}
