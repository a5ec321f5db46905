//! A real node under test: `fanfare serve` from the release build, in its own folder.

mod mint;
mod platform;
mod settings;

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::load::{Gate, Load, Ticket};
use crate::measure::Cpus;

pub(crate) use mint::{Mint, ORG};
pub(crate) use platform::Platform;
pub(crate) use settings::{Settings, write as write_settings};

/// The hub of every tab, except in an example.
pub(crate) const HUB: &str = "/hubs/notifications";

/// How long a node may take to be ready.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long it may take to answer on the operator's port.
const ANSWER: Duration = Duration::from_secs(10);

/// A running node.
#[derive(Debug)]
pub(crate) struct Node {
    process: Child,
    platform: Platform,
    address: SocketAddr,
    admin: SocketAddr,
    folder: PathBuf,
    config: PathBuf,
    /// Deleted with the node.
    _own: Option<TempDir>,
}

impl Node {
    /// Starts a node below `place`, on the processors reserved for it, and waits until it is ready.
    pub(crate) fn start(program: &Path, place: &Path, mint: &Mint, cpus: &Cpus) -> Result<Self> {
        Self::start_on(program, place, mint, cpus, Settings::default())
    }

    /// The same with other settings.
    pub(crate) fn start_on(
        program: &Path,
        place: &Path,
        mint: &Mint,
        cpus: &Cpus,
        settings: Settings<'_>,
    ) -> Result<Self> {
        let own = tempfile::tempdir_in(place).context("no folder for the node")?;
        let mut node = Self::start_in(program, own.path(), mint, cpus, settings)?;
        node._own = Some(own);
        Ok(node)
    }

    /// The same in a folder that stays, on any existing log there, on free ports.
    pub(crate) fn start_in(
        program: &Path,
        folder: &Path,
        mint: &Mint,
        cpus: &Cpus,
        settings: Settings<'_>,
    ) -> Result<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        let settings = Settings { ports: (address.port(), admin.port()), ..settings };
        let config = settings::write(folder, mint.key_file(), &settings)?;
        let process = serve(program, folder, &config, cpus)?;
        let platform = settings.platform;
        let mut node = Self { process, platform, address, admin, folder: folder.to_owned(), config, _own: None };
        node.wait_until_ready()?;
        Ok(node)
    }

    /// Stops the node, waits for its end, and starts it again in its place.
    pub(crate) fn restart(&mut self, program: &Path, cpus: &Cpus) -> Result<()> {
        let status = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status()?;
        ensure!(status.success(), "the node cannot be asked to end");
        let begun = Instant::now();
        while self.process.try_wait()?.is_none() {
            ensure!(begun.elapsed() < PATIENCE, "the node does not end: {}", self.last_words());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.process = serve(program, &self.folder, &self.config, cpus)?;
        self.wait_until_ready()
    }

    /// The address for tabs and producers.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait()? {
                bail!("the node ended with {status}: {}", self.last_words());
            }
            if self.get("/readyz").is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "the node is not ready after {PATIENCE:?}: {}", self.last_words());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.join("node.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// A load client of this node with a tab for each ticket.
    pub(crate) fn load(&self, mint: &Mint, tickets: &[Ticket], producers: usize) -> Result<Load> {
        self.load_through(self.address, mint, tickets, producers)
    }

    /// The same with tabs that connect to another address, for instance a proxy's.
    pub(crate) fn load_through(
        &self,
        address: SocketAddr,
        mint: &Mint,
        tickets: &[Ticket],
        producers: usize,
    ) -> Result<Load> {
        let gate = Gate::Hub { address, host: address.to_string(), path: self.platform.hub() };
        Load::of_node(&gate, self.address, self.platform.events(ORG)?, tickets, &mint.producer()?, producers)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its own count of connections.
    pub(crate) fn connections(&self) -> Result<usize> {
        let (_, body) = self.get("/healthz")?;
        let health: serde_json::Value = serde_json::from_str(&body)?;
        health["connections"].as_u64().map(|count| count as usize).context("/healthz tells no connections")
    }

    /// One of its metrics without labels.
    pub(crate) fn metric(&self, name: &str) -> Result<f64> {
        let (_, text) = self.get("/metrics")?;
        let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = values.next_back().with_context(|| format!("no metric {name}"))?;
        value.trim().parse().with_context(|| format!("{name} is {value}"))
    }

    /// Waits until it has this many connections.
    pub(crate) fn wait_for_connections(&self, count: usize) -> Result<()> {
        let begun = Instant::now();
        loop {
            let open = self.connections()?;
            if open == count {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "the node has {open} connections instead of {count}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(self.admin)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        Ok((status, body.to_owned()))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Its data is not needed any more, so it need not close its tabs.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(program: &Path, folder: &Path, config: &Path, cpus: &Cpus) -> Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join("node.log"))?;
    let mut command = cpus.for_server(program);
    command.arg("serve").arg("--config").arg(config).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("cannot start {}", program.display()))
}

/// An address that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}
