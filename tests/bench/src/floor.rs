//! The floor, driven like a node.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::load::{Gate, Load, Storm};
use crate::measure::Cpus;

/// A running floor, and its sockets.
pub(crate) struct Floor {
    process: Child,
    pub(crate) load: Load,
}

impl Floor {
    /// Starts the program and opens this many connections to it.
    pub(crate) fn start(program: &Path, cpus: &Cpus, sockets: usize) -> Result<Self> {
        let mut process = cpus
            .for_server(program)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
        let address: SocketAddr = line.trim().parse().with_context(|| format!("not an address: {line:?}"))?;
        let control = TcpStream::connect(address)?;
        control.set_nodelay(true)?;
        let load = Load::of_floor(&Gate::Bare(address), control, sockets)?;
        Ok(Self { process, load })
    }

    /// Opens all connections, this many concurrently.
    pub(crate) fn connect(&mut self, sockets: usize, at_once: usize) -> Result<Storm> {
        self.load.command(&format!("accept {sockets}"))?;
        let storm = self.load.connect(0..sockets, at_once, Duration::from_secs(60))?;
        ensure!(storm.failures == 0, "the floor lost connections: {}", storm.reasons.join("; "));
        Ok(storm)
    }

    /// Closes all connections.
    pub(crate) fn disconnect(&mut self) -> Result<()> {
        self.load.drop_all();
        self.load.command("drop")
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
