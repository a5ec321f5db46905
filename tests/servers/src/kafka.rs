//! Apache Kafka: one server that is broker and controller, without ZooKeeper.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::place::{copy_folder, free_port, tool};
use crate::process::{Process, Signal, StartError};

/// How long a start may take; it takes about 2 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tries to find ports that no other process takes at the same moment.
const ATTEMPTS: u32 = 5;

/// What it says when it takes clients.
const READY: &str = "Kafka Server started";

/// The oldest Java that it runs on.
const JAVA: u32 = 17;

/// A server of its own.
#[derive(Debug)]
pub struct KafkaServer {
    jars: PathBuf,
    port: u16,
    controller: u16,
    more: String,
    folder: TempDir,
    process: Option<Process>,
}

impl KafkaServer {
    /// The folder with the jars, if they and a Java are installed.
    pub fn program() -> Result<PathBuf, StartError> {
        let jars = tool("kafka").filter(|folder| folder.join("pom.xml").exists());
        let jars = jars.ok_or_else(|| StartError::Missing("Apache Kafka is not installed".into()))?;
        let java = Command::new("java").arg("-version").stdout(Stdio::null()).output();
        let java = java.ok().and_then(|output| java_version(&String::from_utf8_lossy(&output.stderr)));
        if java.is_none_or(|version| version < JAVA) {
            return Err(StartError::Missing(format!("Java {JAVA} or newer is not installed")));
        }
        Ok(jars)
    }

    /// Starts a server that lets everybody in.
    pub async fn start() -> Result<Self, StartError> {
        Self::start_with("").await
    }

    /// Starts a server with more lines in its properties; `{port}` in them is the port of the clients, `{controller}`
    /// that of the controller.
    pub async fn start_with(more: &str) -> Result<Self, StartError> {
        let jars = Self::program()?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let folder = TempDir::new().map_err(|e| StartError::Failed(e.to_string()))?;
            let (port, controller) = (free_port(), free_port());
            let mut server =
                Self { jars: jars.clone(), port, controller, more: more.to_owned(), folder, process: None };
            server.format()?;
            match server.start_again().await {
                Ok(()) => return Ok(server),
                Err(error) if error.is_port_taken() && attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Lets the server live as long as this process, and removes its folder after it: for a server that all tests of
    /// a binary share, as values that are never dropped end nothing.
    pub fn live_with_this_process(self) -> String {
        let address = self.address();
        let process = self.process.as_ref().expect("the server runs");
        let watch = "while kill -0 $1 2>/dev/null && kill -0 $2 2>/dev/null; do sleep 0.2; done; kill -9 $2; rm -rf $3";
        let spawned = Command::new("sh")
            .args(["-c", watch, "sh", &std::process::id().to_string(), &process.id().to_string()])
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        drop(spawned.expect("a shell"));
        std::mem::forget(self);
        address
    }

    /// `127.0.0.1:{port}`.
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
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

    /// Starts the server again, with the ports and the data that it had.
    pub async fn start_again(&mut self) -> Result<(), StartError> {
        assert!(self.process.is_none(), "the server runs already");
        let mut command = self.java(&["-Xmx384m", "-Xms96m"]);
        command.args(["kafka.Kafka", &self.properties().to_string_lossy()]);
        self.process = Some(Process::start(command, READY, PATIENCE).await?);
        Ok(())
    }

    /// Stops the server where it is, or lets it go on.
    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("the server runs").signal(signal);
    }

    /// Copies the data aside, with the server stopped for that moment.
    pub async fn keep_files(&mut self) {
        self.stop().await;
        copy_folder(&self.data(), &self.kept()).expect("the files are copied");
        self.start_again().await.expect("the server starts again");
    }

    /// Kills the server, puts back the data of [`Self::keep_files`], and starts it again: all stored since is lost.
    pub async fn restore_files(&mut self) {
        self.kill();
        copy_folder(&self.kept(), &self.data()).expect("the files are copied back");
        self.start_again().await.expect("the server starts again");
    }

    fn java(&self, heap: &[&str]) -> Command {
        let mut command = Command::new("java");
        command.args(heap);
        // Short-lived servers: the second compiler and a concurrent collector cost more than they bring.
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]);
        command.args([
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
        ]);
        command.arg("-cp").arg(self.jars.join("*")).current_dir(self.folder.path());
        command
    }

    /// Writes the properties and makes the folder of the data.
    fn format(&self) -> Result<(), StartError> {
        std::fs::write(self.properties(), self.configuration()).map_err(|e| StartError::Failed(e.to_string()))?;
        let mut command = self.java(&["-Xmx128m"]);
        command.args(["kafka.tools.StorageTool", "format", "--standalone", "-t", &cluster_id(), "-c"]);
        let output = command.arg(self.properties()).stdin(Stdio::null()).output();
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(StartError::Failed(String::from_utf8_lossy(&output.stderr).into_owned())),
            Err(error) => Err(StartError::Failed(error.to_string())),
        }
    }

    fn configuration(&self) -> String {
        let (host, port, controller) = (Ipv4Addr::LOCALHOST, self.port, self.controller);
        let mut text = String::new();
        let more = self.more.replace("{port}", &port.to_string()).replace("{controller}", &controller.to_string());
        let clients = if self.more.contains("listener.security.protocol.map") { "CLIENTS" } else { "PLAINTEXT" };
        for line in [
            "process.roles=broker,controller",
            "node.id=1",
            &format!("listeners={clients}://{host}:{port},CONTROLLER://{host}:{controller}"),
            &format!("advertised.listeners={clients}://{host}:{port}"),
            &format!("inter.broker.listener.name={clients}"),
            "controller.listener.names=CONTROLLER",
            &format!("controller.quorum.bootstrap.servers={host}:{controller}"),
            &format!("log.dirs={}", self.data().display()),
            "auto.create.topics.enable=false",
            "offsets.topic.replication.factor=1",
            "offsets.topic.num.partitions=1",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "transaction.state.log.num.partitions=1",
            "group.initial.rebalance.delay.ms=0",
            // For so long a server that was killed is waited for, before it may come back.
            "broker.session.timeout.ms=2000",
            "broker.heartbeat.interval.ms=250",
            "log.segment.delete.delay.ms=100",
            "log.cleaner.backoff.ms=200",
            // A test's topics are small and many.
            "log.index.size.max.bytes=65536",
            "num.network.threads=2",
            "num.io.threads=2",
            &more,
        ] {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    fn properties(&self) -> PathBuf {
        self.folder.path().join("server.properties")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn kept(&self) -> PathBuf {
        self.folder.path().join("kept")
    }

    /// The folder of configuration and data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Sixteen bytes in URL-safe base64, another for each server.
fn cluster_id() -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut seed = now.as_nanos() ^ u128::from(std::process::id()) << 64;
    let mut id = String::new();
    while id.len() < 21 {
        id.push(char::from(DIGITS[(seed % DIGITS.len() as u128) as usize]));
        seed = seed / DIGITS.len() as u128 + (seed << 7 & 0xFFFF_FFFF);
    }
    // The last of 22 digits holds two bits only.
    id + "A"
}

/// The first number in `openjdk version "17.0.15"`.
fn java_version(said: &str) -> Option<u32> {
    let (_, version) = said.split_once("version \"")?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
