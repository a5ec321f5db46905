//! One hostile client, and others beside it: each attack against a new node, and the same without the attacker before
//! and after.

mod turn;

use anyhow::Result;
use fanfare_attackers::{Attack, Attacker, Bursts, Report, Target};

use super::pairs::interleave;
use crate::report::Figure;
use crate::stage::Stage;

/// The attack.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hostile {
    /// One client alone.
    Client(Attack),
    /// None: events of legal size are published at once to an org with this many open tabs, which all read.
    Bursts { tabs: usize },
}

/// The longest message that a node can be configured to accept: the harm of small fragments grows with its square.
pub(super) const LONGEST_MESSAGE: usize = 1 << 20;

/// The node's limit of connections where one token tries to open that many.
pub(super) const CROWD: usize = 1_000;

/// Measures all other clients with and without the attacker.
pub(super) fn run(stage: &Stage, name: &'static str, hostile: Hostile) -> Result<Vec<Figure>> {
    interleave(
        stage,
        name,
        "one attacker",
        || turn::measure(stage, hostile, false),
        || turn::measure(stage, hostile, true),
    )
}

/// A running attack.
enum Running {
    Client(Attacker),
    Bursts(Bursts),
}

impl Hostile {
    /// Whether it takes a while to build up.
    fn is_crowd(self) -> bool {
        matches!(self, Self::Client(Attack::Crowd { .. }))
    }

    fn start(self, target: &Target) -> Result<Running> {
        Ok(match self {
            Self::Client(attack) => Running::Client(Attacker::start(attack, target)?),
            Self::Bursts { tabs } => Running::Bursts(Bursts::start(target, tabs)?),
        })
    }
}

impl Running {
    fn report(&self) -> Report {
        match self {
            Self::Client(attacker) => attacker.report(),
            Self::Bursts(bursts) => bursts.report(),
        }
    }
}
