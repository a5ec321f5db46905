//! A NATS server with JetStream.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::place::tool;
use crate::process::StartError;
use crate::server::{Program, Server, data};

/// The version of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A current one.
    Current,
    /// The distribution's: 2.9.10 on Debian 12.
    Debian,
}

impl Version {
    /// The program, if it is installed.
    pub fn program(self) -> Result<PathBuf, StartError> {
        let (path, name) = match self {
            Self::Current => ("nats/nats-server", "a current nats-server"),
            Self::Debian => ("nats-server/usr/sbin/nats-server", "the distribution's nats-server"),
        };
        tool(path).ok_or_else(|| StartError::Missing(format!("{name} is not installed")))
    }
}

/// A separate server.
pub type NatsServer = Server<Nats>;

/// The installation of a server.
#[derive(Debug)]
pub struct Nats {
    program: PathBuf,
}

impl Program for Nats {
    const READY: &'static str = "Server is ready";
    // It takes about 50 ms.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(config(folder));
        command
    }
}

impl NatsServer {
    /// Starts a server without logins.
    pub async fn start(version: Version) -> Result<Self, StartError> {
        Self::start_with(version, |_| String::new()).await
    }

    /// Starts a server with additional configuration; the function gets a folder for its files.
    pub async fn start_with(version: Version, more: impl Fn(&Path) -> String) -> Result<Self, StartError> {
        let program = version.program()?;
        Self::launch(|folder, port| {
            configure(folder, port, &with_store(folder, &more(folder)));
            Ok(Nats { program: program.clone() })
        })
        .await
    }

    /// Writes the configuration file; it applies from the next start.
    pub fn configure(&self, more: &str) {
        configure(self.folder(), self.port(), &with_store(self.folder(), more));
    }

    /// Writes a configuration without JetStream.
    pub fn configure_alone(&self, more: &str) {
        configure(self.folder(), self.port(), more);
    }
}

fn configure(folder: &Path, port: u16, more: &str) {
    let text = format!("host: {}\nport: {port}\n{more}\n", Ipv4Addr::LOCALHOST);
    std::fs::write(config(folder), text).expect("the configuration is written");
}

fn with_store(folder: &Path, more: &str) -> String {
    format!("jetstream {{ store_dir: {:?} }}\n{more}", data(folder))
}

fn config(folder: &Path) -> PathBuf {
    folder.join("server.conf")
}

/// The rights in docs/brokers.md, for a node and for the producer `license`, and an operator who may do everything;
/// each with the password `a`.
pub const DOCUMENTED_RIGHTS: &str = r#"authorization { users: [
    { user: operator, password: a }
    { user: node, password: a, permissions: {
        publish: [
            "$JS.API.STREAM.INFO.fanfare-events", "$JS.API.STREAM.INFO.fanfare-state",
            "$JS.API.STREAM.INFO.fanfare-deadletter", "$JS.API.STREAM.INFO.fanfare-nodes",
            "$JS.API.STREAM.MSG.GET.fanfare-events", "$JS.API.STREAM.MSG.GET.fanfare-state",
            "$JS.API.STREAM.MSG.GET.fanfare-deadletter", "$JS.API.STREAM.MSG.GET.fanfare-nodes",
            "$JS.API.CONSUMER.CREATE.fanfare-events.*", "$JS.API.CONSUMER.CREATE.fanfare-state.*",
            "$JS.API.CONSUMER.CREATE.fanfare-deadletter.*", "$JS.API.CONSUMER.CREATE.fanfare-nodes.*",
            "$JS.API.CONSUMER.MSG.NEXT.fanfare-events.*", "$JS.API.CONSUMER.MSG.NEXT.fanfare-state.*",
            "$JS.API.CONSUMER.MSG.NEXT.fanfare-deadletter.*", "$JS.API.CONSUMER.MSG.NEXT.fanfare-nodes.*",
            "$JS.API.CONSUMER.DELETE.fanfare-events.*", "$JS.API.CONSUMER.DELETE.fanfare-state.*",
            "$JS.API.CONSUMER.DELETE.fanfare-deadletter.*", "$JS.API.CONSUMER.DELETE.fanfare-nodes.*",
            "fanfare.deadletter.>", "fanfare.nodes.>" ]
        subscribe: "_INBOX.>" } }
    { user: license, password: a, permissions: {
        publish: [
            "$JS.API.STREAM.INFO.fanfare-events", "$JS.API.STREAM.INFO.fanfare-state",
            "events.*.license.>", "state.*.license.>" ]
        subscribe: "_INBOX.>" } } ] }"#;
