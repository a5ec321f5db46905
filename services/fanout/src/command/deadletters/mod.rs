//! `fanfare deadletters`: lists, shows and publishes again what could not be used.

mod client;
mod list;
mod replay;
mod show;
mod text;

use std::path::{Path, PathBuf};

use client::{Client, Trouble};

use super::check::report;
use super::{Exit, fail, secret};
use crate::config::Config;
use crate::pipeline::letters::LetterId;

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Action {
    /// Print the newest letters.
    List {
        /// How many at most.
        limit: usize,
        /// As JSON, one letter a line.
        json: bool,
    },
    /// Print one letter.
    Show {
        /// Which.
        id: LetterId,
        /// Where its body is written to.
        body: Option<PathBuf>,
    },
    /// Publish letters again.
    Replay(Replay),
}

/// Which letters are published again, and how.
#[derive(Debug, Clone)]
pub struct Replay {
    /// These.
    pub ids: Vec<LetterId>,
    /// All there are.
    pub all: bool,
    /// Of all, those with this kind of fault.
    pub reason: Option<String>,
    /// Publish also what no node could use now.
    pub force: bool,
    /// Only say what would become of them.
    pub dry_run: bool,
}

/// Asks the node of a configuration.
pub fn run(config: &Path, action: &Action) -> Exit {
    let config = match Config::load(config) {
        Ok(config) => config,
        Err(faults) => {
            report(&faults);
            return Exit::Wrong;
        }
    };
    let seal = match secret::of_known_node(&config) {
        Ok(seal) => seal,
        Err(error) => {
            let path = secret::path(&config);
            let message = format_args!(
                "the node secret {} cannot be read: {error}; a node makes it when it first runs, or configure \
                 [node] secret_file",
                path.display()
            );
            return fail(Exit::Wrong, message);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Wrong, format_args!("no runtime: {error}")),
    };
    let done = runtime.block_on(async {
        let client = Client::new(&config, seal)?;
        match action {
            Action::List { limit, json } => list::run(&client, *limit, *json).await,
            Action::Show { id, body } => show::run(&client, *id, body.as_deref()).await,
            Action::Replay(replay) => replay::run(&client, replay).await,
        }
    });
    match done {
        Ok(exit) => exit,
        Err(Trouble { exit, message }) => fail(exit, message),
    }
}
