//! `fanfare deadletters`: lists, shows and replays events that could not be used.

mod list;
mod replay;
mod show;

use std::path::{Path, PathBuf};

use super::{Exit, client};
use crate::pipeline::letters::LetterId;

/// The subcommand.
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
    client::ask(config, async |client| match action {
        Action::List { limit, json } => list::run(&client, *limit, *json).await,
        Action::Show { id, body } => show::run(&client, *id, body.as_deref()).await,
        Action::Replay(replay) => replay::run(&client, replay).await,
    })
}
