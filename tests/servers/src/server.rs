//! A broker's server: on its own port, with its data in its own folder, killed and restarted.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::place::{copy_folder, free_port};
use crate::process::{Process, Signal, StartError};

/// How often to look for a port that no other process takes at the same moment.
const ATTEMPTS: u32 = 5;

/// The differences between brokers.
pub trait Program {
    /// The line it prints when it accepts clients.
    const READY: &'static str;
    /// How long a start, or an end, may take.
    const PATIENCE: Duration;

    /// The command that runs it, with the files in this folder.
    fn command(&self, folder: &Path) -> Command;
}

/// A separate server for one test. It is killed when dropped.
#[derive(Debug)]
pub struct Server<P> {
    program: P,
    port: u16,
    folder: TempDir,
    process: Option<Process>,
}

impl<P: Program> Server<P> {
    /// Starts a server; `prepare` gets its folder and its port.
    pub(crate) async fn launch(prepare: impl Fn(&Path, u16) -> Result<P, StartError>) -> Result<Self, StartError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let folder = TempDir::new().map_err(|e| StartError::Failed(e.to_string()))?;
            let port = free_port();
            let program = prepare(folder.path(), port)?;
            let mut server = Self { program, port, folder, process: None };
            match server.start_again().await {
                Ok(()) => return Ok(server),
                Err(error) if error.is_port_taken() && attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// `127.0.0.1:{port}`.
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Its address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its configuration and data.
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
            process.stop(P::PATIENCE).await;
        }
    }

    /// Starts the server again, with its port and data.
    pub async fn start_again(&mut self) -> Result<(), StartError> {
        assert!(self.process.is_none(), "the server runs already");
        let command = self.program.command(self.folder.path());
        self.process = Some(Process::start(command, P::READY, P::PATIENCE).await?);
        Ok(())
    }

    /// Pauses the server, or continues it.
    pub fn signal(&self, signal: Signal) {
        self.process().signal(signal);
    }

    /// Copies the data, with the server stopped for that moment.
    pub async fn keep_files(&mut self) {
        self.stop().await;
        copy_folder(&data(self.folder()), &self.kept()).expect("the files are copied");
        self.start_again().await.expect("the server starts again");
    }

    /// Kills the server, restores the data of [`Self::keep_files`], and starts it again: everything stored since is
    /// lost.
    pub async fn restore_files(&mut self) {
        self.kill();
        copy_folder(&self.kept(), &data(self.folder())).expect("the files are copied back");
        self.start_again().await.expect("the server starts again");
    }

    pub(crate) fn process(&self) -> &Process {
        self.process.as_ref().expect("the server runs")
    }

    fn kept(&self) -> PathBuf {
        self.folder.path().join("kept")
    }
}

/// The data folder of a server in this folder.
pub(crate) fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}
