//! Apache Kafka: one server that is broker and controller, without ZooKeeper.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::place::{free_port, tool};
use crate::process::StartError;
use crate::server::{Program, Server, data};

/// The oldest Java version it supports.
const JAVA: u32 = 17;

/// A separate server.
pub type KafkaServer = Server<Kafka>;

/// The installation of a server.
#[derive(Debug)]
pub struct Kafka {
    jars: PathBuf,
}

impl Program for Kafka {
    const READY: &'static str = "Kafka Server started";
    // It takes about 2 s.
    const PATIENCE: Duration = Duration::from_secs(180);

    fn command(&self, folder: &Path) -> Command {
        let mut command = self.java(folder, &["-Xmx384m", "-Xms96m"]);
        command.arg("kafka.Kafka").arg(properties(folder));
        command
    }
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

    /// Starts a server without logins.
    pub async fn start() -> Result<Self, StartError> {
        Self::start_with("").await
    }

    /// Starts a server with additional properties; `{port}` in them is the port of the clients, `{controller}` that of
    /// the controller.
    pub async fn start_with(more: &str) -> Result<Self, StartError> {
        let jars = Self::program()?;
        Self::launch(|folder, port| {
            let kafka = Kafka { jars: jars.clone() };
            kafka.format(folder, &configuration(folder, port, free_port(), more), &cluster_id(), true)?;
            Ok(kafka)
        })
        .await
    }

    /// Starts this many servers of one cluster, each with additional properties. The first is also the controller: it
    /// must keep running while the others may stop.
    pub async fn start_cluster(servers: usize, more: &str) -> Result<Vec<Self>, StartError> {
        let jars = Self::program()?;
        let (id, controller) = (cluster_id(), free_port());
        let mut cluster = Vec::new();
        for number in 1..=servers {
            let server = Self::launch(|folder, port| {
                let kafka = Kafka { jars: jars.clone() };
                let is_first = number == 1;
                // The last line of a name counts.
                let listener = format!("listeners=PLAINTEXT://{}:{port}", Ipv4Addr::LOCALHOST);
                let role = if is_first { String::new() } else { format!("process.roles=broker\n{listener}\n") };
                let lines = format!("{role}node.id={number}\n{more}");
                kafka.format(folder, &configuration(folder, port, controller, &lines), &id, is_first)?;
                Ok(kafka)
            });
            cluster.push(server.await?);
        }
        Ok(cluster)
    }

    /// Keeps the server running as long as this process, and removes its folder afterwards: for a server that all tests
    /// of a binary share, because values that are never dropped end nothing.
    pub fn live_with_this_process(self) -> String {
        let address = self.address();
        let watch = "while kill -0 $1 2>/dev/null && kill -0 $2 2>/dev/null; do sleep 0.2; done; kill -9 $2; rm -rf $3";
        let spawned = Command::new("sh")
            .args(["-c", watch, "sh", &std::process::id().to_string(), &self.process().id().to_string()])
            .arg(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        drop(spawned.expect("a shell"));
        std::mem::forget(self);
        address
    }
}

impl Kafka {
    fn java(&self, folder: &Path, heap: &[&str]) -> Command {
        let mut command = Command::new("java");
        command.args(heap);
        // For short-lived servers, the second compiler and a concurrent collector cost more than they bring.
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]);
        command.args([
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
        ]);
        command.arg("-cp").arg(self.jars.join("*")).current_dir(folder);
        command
    }

    /// Writes the properties and creates the data folder, of a controller or of a plain broker.
    fn format(&self, folder: &Path, configuration: &str, cluster: &str, controls: bool) -> Result<(), StartError> {
        std::fs::write(properties(folder), configuration).map_err(|e| StartError::Failed(e.to_string()))?;
        let mut command = self.java(folder, &["-Xmx128m"]);
        command.args(["kafka.tools.StorageTool", "format", "-t", cluster, "-c"]).arg(properties(folder));
        let output = command.args(controls.then_some("--standalone")).stdin(Stdio::null()).output();
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(StartError::Failed(String::from_utf8_lossy(&output.stderr).into_owned())),
            Err(error) => Err(StartError::Failed(error.to_string())),
        }
    }
}

fn configuration(folder: &Path, port: u16, controller: u16, more: &str) -> String {
    let host = Ipv4Addr::LOCALHOST;
    let mut text = String::new();
    let clients = if more.contains("listener.security.protocol.map") { "CLIENTS" } else { "PLAINTEXT" };
    let more = more.replace("{port}", &port.to_string()).replace("{controller}", &controller.to_string());
    for line in [
        "process.roles=broker,controller",
        "node.id=1",
        &format!("listeners={clients}://{host}:{port},CONTROLLER://{host}:{controller}"),
        &format!("advertised.listeners={clients}://{host}:{port}"),
        &format!("inter.broker.listener.name={clients}"),
        "controller.listener.names=CONTROLLER",
        &format!("controller.quorum.bootstrap.servers={host}:{controller}"),
        &format!("log.dirs={}", data(folder).display()),
        "auto.create.topics.enable=false",
        "offsets.topic.replication.factor=1",
        "offsets.topic.num.partitions=1",
        "transaction.state.log.replication.factor=1",
        "transaction.state.log.min.isr=1",
        "transaction.state.log.num.partitions=1",
        "group.initial.rebalance.delay.ms=0",
        // How long a killed server is waited for, before it may rejoin.
        "broker.session.timeout.ms=2000",
        "broker.heartbeat.interval.ms=250",
        "log.segment.delete.delay.ms=100",
        "log.cleaner.backoff.ms=200",
        // A test's topics are small and numerous.
        "log.index.size.max.bytes=65536",
        "num.network.threads=2",
        "num.io.threads=2",
        &more,
    ] {
        let _ = writeln!(text, "{line}");
    }
    text
}

fn properties(folder: &Path) -> PathBuf {
    folder.join("server.properties")
}

/// Sixteen bytes in URL-safe base64, different for each server.
fn cluster_id() -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut seed = now.as_nanos() ^ u128::from(std::process::id()) << 64;
    let mut id = String::new();
    while id.len() < 21 {
        id.push(char::from(DIGITS[(seed % DIGITS.len() as u128) as usize]));
        seed = seed / DIGITS.len() as u128 + (seed << 7 & 0xFFFF_FFFF);
    }
    // The last of 22 digits has only two bits.
    id + "A"
}

/// The first number in `openjdk version "17.0.15"`.
fn java_version(said: &str) -> Option<u32> {
    let (_, version) = said.split_once("version \"")?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
