//! The actions of an attack, and the node's reactions.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How the node closed a connection of the attacker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The node's last hub message, if it was a Close: its text with the error.
    pub close: Option<String>,
    /// The code in the WebSocket's close frame.
    pub code: Option<u16>,
}

/// The results of an attack so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The bytes that the node has accepted.
    pub bytes: u64,
    /// Connections that were opened.
    pub opened: u64,
    /// Connections and calls that were refused.
    pub refused: u64,
    /// Calls that were answered.
    pub answered: u64,
    /// The ends of connections that the node has closed.
    pub endings: Vec<Ending>,
}

impl Report {
    /// Whether the node has closed a connection with a reason.
    #[must_use]
    pub fn ended_by_name(&self) -> bool {
        let names = |ending: &Ending| ending.close.as_deref().is_some_and(|close| close.contains("\"error\":\""));
        self.endings.iter().any(names)
    }
}

/// The counters of a running attack, and whether it continues.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    over: AtomicBool,
    pub(crate) bytes: AtomicU64,
    pub(crate) opened: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) answered: AtomicU64,
    endings: Mutex<Vec<Ending>>,
}

impl Tally {
    /// Whether the attack continues.
    pub(crate) fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub(crate) fn ended(&self, ending: Ending) {
        self.endings.lock().unwrap_or_else(PoisonError::into_inner).push(ending);
    }

    pub(crate) fn report(&self) -> Report {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Report {
            bytes: count(&self.bytes),
            opened: count(&self.opened),
            refused: count(&self.refused),
            answered: count(&self.answered),
            endings: self.endings.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_has_a_label_only_if_it_has_a_reason() {
        let report = |close: Option<&str>| Report {
            endings: vec![Ending { close: close.map(str::to_owned), code: Some(1000) }],
            ..Report::default()
        };
        assert!(report(Some("{\"type\":7,\"error\":\"Too many frames.\"}")).ended_by_name());
        assert!(!report(Some("{\"type\":7,\"allowReconnect\":true}")).ended_by_name());
        assert!(!report(None).ended_by_name() && !Report::default().ended_by_name());
    }
}
