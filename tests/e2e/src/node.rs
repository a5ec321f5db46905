//! One node: `fanfare serve` with its own configuration.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Connect, Tab};
use crate::event::NewEvent;
use crate::http::{Request, Response};
use crate::log::Log;
use crate::process::{self, Outcome, Process};
use crate::settings::Settings;
use crate::token::{Token, write_development_key};
use crate::wait::until;
use crate::{HUB, ports};

/// The name of the node's log.
const NAME: &str = "fanout";

/// A node, running or not. It keeps its folder and ports over restarts.
#[derive(Debug)]
pub struct Node {
    // Dropped before the folder that contains its log.
    process: Option<Process>,
    folder: Arc<TempDir>,
    settings: Settings,
    listen: SocketAddr,
    admin_listen: SocketAddr,
}

impl Node {
    /// A node with a folder of its own, not started yet.
    ///
    /// # Panics
    /// If there is no room for its files.
    pub fn prepare(settings: Settings) -> Self {
        Self::prepare_in(Arc::new(TempDir::new().expect("a folder")), settings)
    }

    /// A node in a folder that it shares with other services.
    pub(crate) fn prepare_in(folder: Arc<TempDir>, settings: Settings) -> Self {
        let (listen, admin_listen) = (ports::free(), ports::free());
        settings.write(folder.path(), &listen.to_string(), &admin_listen.to_string());
        write_development_key(&folder.path().join("key.pem"));
        Self { folder, settings, listen, admin_listen, process: None }
    }

    /// A running node of the demo platform's routes.
    pub async fn start_default() -> Self {
        Self::start_with(Settings::default()).await
    }

    /// A running node.
    pub async fn start_with(settings: Settings) -> Self {
        let mut node = Self::prepare(settings);
        node.start().await;
        node
    }

    /// Starts the node and waits until it is ready.
    ///
    /// # Panics
    /// If it is running already, ends, or is not ready in time.
    pub async fn start(&mut self) {
        self.launch();
        self.ready().await;
    }

    /// Starts the node without waiting.
    ///
    /// # Panics
    /// If it is running already.
    pub fn launch(&mut self) {
        assert!(self.process.is_none(), "the node runs already");
        self.process = Some(Process::start(NAME, self.folder(), self.serve()));
    }

    /// Starts the node with this limit of open files, without waiting.
    ///
    /// # Panics
    /// If it is running already.
    pub fn launch_with_files(&mut self, soft: u32, hard: u32) {
        assert!(self.process.is_none(), "the node runs already");
        self.process = Some(Process::start(NAME, self.folder(), self.serve_with_files(soft, hard)));
    }

    /// Starts the node without waiting; none of its files grows beyond this many KiB, as on a full disk.
    ///
    /// # Panics
    /// If it is running already.
    pub fn launch_with_room(&mut self, kib: u32) {
        assert!(self.process.is_none(), "the node runs already");
        // A write beyond the limit is then an error instead of a signal; `sh` counts blocks of 512 bytes.
        let command = self.serve_behind(&format!("trap '' XFSZ && ulimit -f {}", 2 * kib));
        self.process = Some(Process::start(NAME, self.folder(), command));
    }

    /// The command that serves with this limit of open files.
    pub fn serve_with_files(&self, soft: u32, hard: u32) -> std::process::Command {
        self.serve_behind(&format!("ulimit -Sn {soft} && ulimit -Hn {hard}"))
    }

    /// The command that serves after `sh` has run this.
    fn serve_behind(&self, script: &str) -> std::process::Command {
        let serve = self.serve();
        let mut command = std::process::Command::new("sh");
        command
            .arg("-c")
            .arg(format!("{script} && exec \"$0\" \"$@\""))
            .arg(serve.get_program())
            .args(serve.get_args());
        command
    }

    /// Waits until the node is ready.
    ///
    /// # Panics
    /// If it ends, or is not ready in time.
    pub async fn ready(&mut self) {
        let (ready, admin) = (Request::get("/readyz"), self.admin_listen);
        let process = self.process.as_mut().expect("a node that runs");
        until("a node that is ready", async || {
            process.expect_running();
            ready.send(admin).await.ok().filter(|answer| answer.status == 200)
        })
        .await;
    }

    /// Whether the node reports ready, and its answer; none if it does not answer.
    pub async fn readiness(&self) -> Option<Response> {
        Request::get("/readyz").send(self.admin_listen).await.ok()
    }

    /// The node's memory, in bytes.
    ///
    /// # Panics
    /// If it is not running.
    pub fn resident(&self) -> u64 {
        self.process.as_ref().expect("a node that runs").resident()
    }

    /// The number of the node's open files and sockets.
    ///
    /// # Panics
    /// If it is not running.
    pub fn open_files(&self) -> usize {
        self.process.as_ref().expect("a node that runs").open_files()
    }

    /// Fails the test if the node has ended.
    ///
    /// # Panics
    /// If it has.
    pub fn expect_running(&mut self) {
        self.process.as_mut().expect("a node that runs").expect_running();
    }

    /// Sends a signal to the node, such as `STOP`.
    ///
    /// # Panics
    /// If it is not running.
    pub fn signal(&self, name: &str) {
        self.process.as_ref().expect("a node that runs").signal(name);
    }

    /// The command that serves.
    pub fn serve(&self) -> std::process::Command {
        let mut command = self.command(&["serve"]);
        command.envs(self.settings.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Kills the node.
    ///
    /// # Panics
    /// If it is not running.
    pub fn kill(&mut self) {
        self.running().kill();
    }

    /// Stops the node and waits for its end.
    ///
    /// # Panics
    /// If it is not running, or does not stop in time.
    pub async fn stop(&mut self) -> ExitStatus {
        let process = self.running();
        process.terminate();
        process.end().await
    }

    /// Asks the node to stop, without waiting.
    ///
    /// # Panics
    /// If it is not running.
    pub fn terminate(&self) {
        self.process.as_ref().expect("a node that runs").terminate();
    }

    /// Waits for the end of a node that was asked to stop.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn end(&mut self) -> ExitStatus {
        self.running().end().await
    }

    fn running(&mut self) -> Process {
        self.process.take().expect("a node that runs")
    }

    /// The folder of the node's files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder().join("fanfare.toml")
    }

    /// The public address.
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// The operator's address.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_listen
    }

    /// The public address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// The node's log, over restarts.
    pub fn log(&self) -> String {
        process::read(&process::log_path(self.folder(), NAME))
    }

    /// A command of the `fanfare` binary with this node's configuration.
    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let (first, rest) = arguments.split_first().expect("a subcommand");
        let mut command = process::command("fanfare");
        command.arg(first).arg("--config").arg(self.config()).args(rest);
        command
    }

    /// Runs a command of the `fanfare` binary with this node's configuration.
    pub async fn fanfare(&self, arguments: &[&str]) -> Outcome {
        process::run(self.command(arguments)).await
    }

    /// Posts an event.
    ///
    /// # Panics
    /// If the node does not answer.
    pub async fn post(&self, token: impl AsRef<str>, event: &NewEvent) -> Response {
        event.request(token).send(self.listen).await.expect("an answer")
    }

    /// Publishes events in this order, with a token that may publish everything.
    ///
    /// # Panics
    /// If one is refused.
    pub async fn publish(&self, events: &[NewEvent]) {
        let token = Token::producer().sign();
        for event in events {
            self.post(&token, event).await.expect(202);
        }
    }

    /// Connects a tab to the demo platform's hub.
    pub async fn tab(&self, token: &Token) -> Tab {
        self.tab_with(token.sign()).await
    }

    /// Connects a tab with a signed token.
    pub async fn tab_with(&self, token: impl AsRef<str>) -> Tab {
        Connect::new(HUB, token).connect(self.listen).await
    }

    /// The status of a negotiation.
    ///
    /// # Panics
    /// If the node does not answer.
    pub async fn negotiate(&self, token: impl AsRef<str>) -> u16 {
        Connect::new(HUB, token).negotiate(self.listen).await.expect("an answer").status
    }

    /// Makes the node reload its configuration, and waits for this outcome.
    ///
    /// # Panics
    /// If the outcome differs.
    pub async fn reload(&self, outcome: &str) {
        let label = format!("outcome=\"{outcome}\"");
        let before = self.metric("fanfare_config_reloads", &label).await;
        self.signal("HUP");
        until("the configuration to be read again", async || {
            (self.metric("fanfare_config_reloads", &label).await > before).then_some(())
        })
        .await;
    }

    /// Replaces a part of the configuration's text; the node reads it at the next reload.
    ///
    /// # Panics
    /// If there is no such part, or the file cannot be written.
    pub fn edit_config(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.config()).expect("a configuration");
        assert!(text.contains(from), "no {from:?} in {text}");
        fs::write(self.config(), text.replacen(from, to, 1)).expect("written");
    }

    /// A metric's value, with or without a counter's suffix in its name, summed over the label sets that contain
    /// `part`.
    ///
    /// # Panics
    /// If the operator's port does not answer, or `name` is more than a name.
    pub async fn metric(&self, name: &str, part: &str) -> f64 {
        assert!(!name.contains(['{', ' ']), "no whole name: {name:?}");
        let text = Request::get("/metrics").send(self.admin_listen).await.expect("metrics").expect(200).text();
        // The name of another series may start with this one.
        let is_of = |line: &str| {
            let rest = line.strip_prefix(name).map(|rest| rest.strip_prefix("_total").unwrap_or(rest));
            rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
        };
        let lines = text.lines().filter(|line| is_of(line) && line.contains(part));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).fold(0.0, |sum, value| sum + value)
    }

    /// Opens the log of a stopped node.
    ///
    /// # Panics
    /// If the node is running.
    pub fn open_log(&self) -> Log {
        assert!(self.process.is_none(), "the log belongs to the running node");
        Log::open(&self.folder().join("log"))
    }

    /// The node's log lines with this message.
    ///
    /// # Panics
    /// If a line is not JSON.
    pub fn lines(&self, message: &str) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().filter(|line| line.starts_with('{'));
        let lines = lines.map(|line| serde_json::from_str::<Value>(line).expect("a JSON line"));
        lines.filter(|line| line["message"] == message).collect()
    }
}
