//! A NATS server with JetStream.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::place::{copy_folder, free_port, tool};
use crate::process::{Process, Signal, StartError};

/// How long a start may take; it takes about 50 ms.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tries to find a port that no other process takes at the same moment.
const ATTEMPTS: u32 = 5;

/// Which server.
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

/// A server of its own for one test.
#[derive(Debug)]
pub struct NatsServer {
    program: PathBuf,
    port: u16,
    folder: TempDir,
    process: Option<Process>,
}

impl NatsServer {
    /// Starts a server that lets everybody in.
    pub async fn start(version: Version) -> Result<Self, StartError> {
        Self::start_with(version, |_| String::new()).await
    }

    /// Starts a server with more in its configuration file; the function is given a folder for files beside it.
    pub async fn start_with(version: Version, more: impl Fn(&Path) -> String) -> Result<Self, StartError> {
        let program = version.program()?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let folder = TempDir::new().map_err(|e| StartError::Failed(e.to_string()))?;
            let more = more(folder.path());
            let mut server = Self { program: program.clone(), port: free_port(), folder, process: None };
            server.configure(&more);
            match server.start_again().await {
                Ok(()) => return Ok(server),
                Err(error) if error.is_port_taken() && attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes the configuration file; it counts from the next start.
    pub fn configure(&self, more: &str) {
        let store = self.store();
        self.configure_alone(&format!("jetstream {{ store_dir: {store:?} }}\n{more}"));
    }

    /// Writes a configuration without JetStream.
    pub fn configure_alone(&self, more: &str) {
        let config = format!("host: {}\nport: {}\n{more}\n", Ipv4Addr::LOCALHOST, self.port);
        std::fs::write(self.config(), config).expect("the configuration is written");
    }

    /// `127.0.0.1:{port}`.
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// The folder of configuration and data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks the server to end, and waits until it has.
    pub async fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(PATIENCE).await;
        }
    }

    /// Starts the server again, with the port and the data that it had.
    pub async fn start_again(&mut self) -> Result<(), StartError> {
        assert!(self.process.is_none(), "the server runs already");
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.config());
        self.process = Some(Process::start(command, "Server is ready", PATIENCE).await?);
        Ok(())
    }

    /// Stops the server where it is, or lets it go on.
    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("the server runs").signal(signal);
    }

    /// Copies the data aside, with the server stopped for that moment.
    pub async fn keep_files(&mut self) {
        self.stop().await;
        copy_folder(&self.store(), &self.kept()).expect("the files are copied");
        self.start_again().await.expect("the server starts again");
    }

    /// Kills the server, puts back the data of [`Self::keep_files`], and starts it again: all stored since is lost.
    pub async fn restore_files(&mut self) {
        self.kill();
        copy_folder(&self.kept(), &self.store()).expect("the files are copied back");
        self.start_again().await.expect("the server starts again");
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("server.conf")
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn kept(&self) -> PathBuf {
        self.folder.path().join("kept")
    }
}
