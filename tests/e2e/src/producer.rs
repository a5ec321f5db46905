//! The producers: auth, license and export as processes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;

use tempfile::TempDir;

use crate::http::{Request, Response};
use crate::ports;
use crate::process::{self, Process};
use crate::wait::until;

/// One producer, running or not. It keeps its folder and port over restarts.
#[derive(Debug)]
pub struct Producer {
    // Dropped before the folder that contains its log.
    process: Option<Process>,
    name: &'static str,
    folder: Arc<TempDir>,
    address: SocketAddr,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Producer {
    /// A producer that is not started yet.
    pub(crate) fn prepare(name: &'static str, folder: Arc<TempDir>) -> Self {
        let address = ports::free();
        let data = folder.path().join(name).display().to_string();
        let url = format!("http://{address}");
        let arguments =
            ["--listen", &address.to_string(), "--data", &data, "--issuer", &url].map(str::to_owned).to_vec();
        Self { name, folder, address, arguments, environment: Vec::new(), process: None }
    }

    /// Adds options.
    pub(crate) fn options(&mut self, options: &[&str]) {
        self.arguments.extend(options.iter().map(|option| (*option).to_owned()));
    }

    /// Sets variables of the process.
    pub(crate) fn environment(&mut self, variables: &[(String, String)]) {
        self.environment.extend_from_slice(variables);
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of its keys.
    pub fn jwks(&self) -> String {
        format!("{}/.well-known/jwks.json", self.url())
    }

    /// The configuration lines with which a node trusts it.
    pub(crate) fn issuer(&self, more: &str) -> String {
        format!("[[issuer]]\nissuer = \"{}\"\njwks = \"{}\"\n{more}\n", self.url(), self.jwks())
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// If it is running already, ends, or is not ready in time.
    pub async fn start(&mut self) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        let mut command = process::command(&format!("fanfare-{}", self.name));
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut process = Process::start(self.name, self.folder.path(), command);
        let ready = Request::get("/readyz");
        until("a producer that is ready", async || {
            process.expect_running();
            let answer = ready.send(self.address).await.ok();
            answer.filter(|answer| answer.status == 200)
        })
        .await;
        self.process = Some(process);
    }

    /// Kills it.
    ///
    /// # Panics
    /// If it is not running.
    pub fn kill(&mut self) {
        self.process.take().expect("a producer that runs").kill();
    }

    /// Stops it and waits for its end.
    ///
    /// # Panics
    /// If it is not running, or does not stop in time.
    pub async fn stop(&mut self) -> ExitStatus {
        let process = self.process.take().expect("a producer that runs");
        process.terminate();
        process.end().await
    }

    /// Sends a request; an error means that its outcome is unknown.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn try_send(&self, request: &Request) -> std::io::Result<Response> {
        request.send(self.address).await
    }

    /// Sends a request.
    ///
    /// # Panics
    /// If there is no answer.
    pub async fn send(&self, request: &Request) -> Response {
        self.try_send(request).await.expect("an answer")
    }

    /// The path of its log.
    pub fn log_path(&self) -> PathBuf {
        process::log_path(self.folder.path(), self.name)
    }

    /// Its log, over restarts.
    pub fn log(&self) -> String {
        process::read(&self.log_path())
    }
}
