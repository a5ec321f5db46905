//! The set-up of every scenario: programs, a folder, tokens, and how often to measure.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::floor::Floor;
use crate::measure::{Cpus, open_files_limit};
use crate::node::{Mint, Node, Settings};

/// The set-up of a run.
pub(crate) struct Stage {
    /// The folder of programs from the same build.
    programs: PathBuf,
    /// The folder for nodes' data; on the disk of the checkout, because a log in memory would cost nothing.
    folder: TempDir,
    pub(crate) cpus: Cpus,
    pub(crate) mint: Mint,
    /// How many pairs are measured for each figure.
    pub(crate) pairs: usize,
}

impl Stage {
    /// Prepares a run below a folder.
    pub(crate) fn prepare(below: &Path, pairs: usize) -> Result<Self> {
        let own = std::env::current_exe().context("this program does not know where it is")?;
        let programs = own.parent().context("this program is in no folder")?.to_owned();
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(below)?;
        let mint = Mint::open(folder.path())?;
        Ok(Self { programs, mint, folder, cpus: Cpus::take()?, pairs })
    }

    /// A program from the same build.
    pub(crate) fn program(&self, name: &str) -> Result<PathBuf> {
        let path = self.programs.join(name);
        let shown = path.display();
        ensure!(path.exists(), "{shown} is missing: cargo build --release -p fanfare-fanout -p fanfare-bench");
        Ok(path)
    }

    /// A newly started node.
    pub(crate) fn node(&self) -> Result<Node> {
        Node::start(&self.program("fanfare")?, self.folder.path(), &self.mint, &self.cpus)
    }

    /// A newly started node with other settings.
    pub(crate) fn node_with(&self, settings: Settings<'_>) -> Result<Node> {
        Node::start_on(&self.program("fanfare")?, self.folder.path(), &self.mint, &self.cpus, settings)
    }

    /// The floor, with room for this many sockets.
    pub(crate) fn floor(&self, sockets: usize) -> Result<Floor> {
        Floor::start(&self.program("fanfare-floor")?, &self.cpus, sockets)
    }

    /// A folder for a scenario's other files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// As many tabs as wanted, or as the limit of open files allows: each takes a file on both sides, another one while
    /// it connects, and a third while it is being dropped.
    pub(crate) fn tabs(&self, wanted: usize) -> usize {
        let limit = open_files_limit();
        let possible = limit.saturating_sub(500) / 3;
        if possible < wanted {
            self.say(&format!("{possible} tabs instead of {wanted}: a process may open {limit} files (ulimit -n)"));
        }
        wanted.min(possible)
    }

    /// Prints the progress of the run.
    pub(crate) fn say(&self, words: &str) {
        eprintln!("  {words}");
    }
}
