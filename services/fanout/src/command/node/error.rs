//! Why a node does not start, or ends by itself.

use fanfare_broker::embedded::OpenError;
use fanfare_telemetry::TelemetryError;
use fanfare_token::{ConfigError, KeyFileError};
use thiserror::Error;

use crate::limit::{TooFewFiles, TooLittleMemory};
use crate::socket::authorizers::CannotAsk;
use crate::socket::{BindError, PageError};

/// Why a node does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The process may have too few open files for its connections.
    #[error(transparent)]
    Files(#[from] TooFewFiles),
    /// The process may use too little memory for what it is to keep.
    #[error(transparent)]
    Memory(#[from] TooLittleMemory),
    /// A port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The embedded log cannot be opened.
    #[error("the event log cannot be opened: {0}")]
    Log(#[from] OpenError),
    /// The broker's client cannot be made of the configuration.
    #[error("the broker cannot be used: {0}")]
    Broker(String),
    /// The program was built without the broker's client.
    #[error("this build has no client of the broker")]
    NotBuilt,
    /// The page cannot be served.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The log cannot be read.
    #[error("the event log cannot be read: {0}")]
    Read(#[from] fanfare_broker::BrokerError),
    /// The data folder cannot be used.
    #[error("the data folder {path} cannot be used: {source}")]
    Data {
        /// The folder or file.
        path: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The development key cannot be had.
    #[error("the development signing key: {0}")]
    Key(#[from] KeyFileError),
    /// The issuers cannot be used.
    #[error(transparent)]
    Issuers(#[from] ConfigError),
    /// The platform's authorizers cannot be asked.
    #[error(transparent)]
    Authorizers(#[from] CannotAsk),
    /// The schema registry cannot be asked.
    #[error("the HTTP client of the schema registry cannot be set up: {0}")]
    Schemas(reqwest::Error),
    /// The HTTP client that asks other nodes cannot be set up.
    #[error("the HTTP client that asks other nodes cannot be set up: {0}")]
    Peers(reqwest::Error),
    /// The certificates and keys cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// Metrics cannot be posted as the environment asks.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// A thread cannot be started.
    #[error("a shard cannot be started: {0}")]
    Shard(std::io::Error),
    /// The reader of the log panicked while the node ran.
    #[error("the reader of the log ended with a panic, which is logged above; this is a bug of the program")]
    PipelineEnded,
    /// A shard panicked while the node ran.
    #[error("shard {0} ended with a panic, which is logged above; this is a bug of the program")]
    ShardEnded(usize),
    /// A shard did not answer for long while the node ran.
    #[error("shard {0} does not answer any more; this is a bug of the program")]
    ShardStuck(usize),
    /// Signals cannot be listened to.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
}
