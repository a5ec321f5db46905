//! The broker under test, and a wire of its own from each node to it.

use fanfare_e2e_tests::Relay;
use serde_json::Value;

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The log within the node.
    Embedded,
}

impl Kind {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
        }
    }

    /// How many nodes run on it.
    pub(crate) fn nodes(self) -> usize {
        match self {
            Self::Embedded => 1,
        }
    }
}

/// A running broker.
#[derive(Debug)]
pub(crate) enum Backplane {
    /// There is none outside the node.
    Embedded,
}

impl Backplane {
    /// Starts it; nothing if it is not on this machine, which is said in one line.
    pub(crate) async fn start(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Embedded => Some(Self::Embedded),
        }
    }

    /// The lines of `[broker]` for a node.
    pub(crate) fn lines_for(&self, _node: usize) -> String {
        match self {
            Self::Embedded => "url = \"embedded:log\"".to_owned(),
        }
    }

    /// A producer's way to it.
    pub(crate) fn direct(&self) -> Option<Direct> {
        None
    }

    /// Ends it without a warning.
    pub(crate) fn kill(&mut self) {}

    /// Starts it again with what it knew.
    pub(crate) async fn restart(&mut self) {}

    /// Sends it a signal.
    pub(crate) fn signal(&self, _name: &str) {}

    /// The wire from a node to it.
    pub(crate) fn line(&self, _node: usize) -> &Relay {
        unreachable!("a plan for the embedded log names no wire to a broker")
    }

    /// All wires to it.
    pub(crate) fn lines(&self) -> Vec<&Relay> {
        Vec::new()
    }
}

/// A producer's own connection to the broker.
#[derive(Debug, Clone)]
pub(crate) struct Direct;

impl Direct {
    /// Publishes an alert; false if it is not known to be stored.
    pub(crate) async fn publish(&self, _org: &str, _id: &str, _body: &Value) -> bool {
        false
    }
}
