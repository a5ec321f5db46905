//! Nodes on one broker without a load balancer, for tests that address a specific node.

use std::time::Duration;

use fanfare_e2e_tests::backplane::{Backplane, Kind};
use fanfare_e2e_tests::client::Message;
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::wait::{Deadline, PATIENCE};
use fanfare_e2e_tests::{NewEvent, Node, Settings, Tab, Token};
use serde_json::Value;

/// A broker and the nodes on it.
pub(crate) struct Fleet {
    // Nodes end before their broker.
    pub(crate) nodes: Vec<Node>,
    pub(crate) backplane: Backplane,
}

impl Fleet {
    /// A broker, and nodes with the usual settings that are not started; none if this machine lacks the broker.
    pub(crate) async fn prepare(kind: Kind, count: usize) -> Option<Self> {
        Self::prepare_with(kind, count, |settings, _| settings).await
    }

    /// The same, with other settings.
    pub(crate) async fn prepare_with(
        kind: Kind,
        count: usize,
        change: impl Fn(Settings, usize) -> Settings,
    ) -> Option<Self> {
        let backplane = Backplane::start(kind).await?;
        let settings = |node| Settings::default().broker(&backplane.config(node)).secret(SECRET);
        let nodes = (0..count).map(|node| Node::prepare(change(settings(node), node))).collect();
        Some(Self { nodes, backplane })
    }

    /// A broker and nodes that are ready.
    pub(crate) async fn start(kind: Kind, count: usize) -> Option<Self> {
        let mut fleet = Self::prepare(kind, count).await?;
        fleet.start_nodes().await;
        Some(fleet)
    }

    /// Starts all nodes at once.
    pub(crate) async fn start_nodes(&mut self) {
        for node in &mut self.nodes {
            node.launch();
        }
        for node in &mut self.nodes {
            node.ready().await;
        }
    }

    /// A tab of alice on each node.
    pub(crate) async fn tabs(&self) -> Vec<Tab> {
        let mut tabs = Vec::new();
        for node in &self.nodes {
            tabs.push(node.tab(&Token::user("alice", "acme")).await);
        }
        tabs
    }
}

/// Publishes an alert to acme through a node, until it is stored.
pub(crate) async fn publish(node: &Node, title: &str) {
    publish_by(node, title, Deadline::new("an event to be stored")).await;
}

/// The same, with its own time-out.
pub(crate) async fn publish_by(node: &Node, title: &str, deadline: Deadline) {
    let request = NewEvent::alert("acme", title).request(Token::producer().sign());
    loop {
        let met = match request.send(node.address()).await {
            Ok(answer) if answer.status == 202 => return,
            Ok(answer) => format!("{} {}", answer.status, answer.text()),
            Err(error) => error.to_string(),
        };
        deadline.pause_after(&met).await;
    }
}

/// The next toasts of a tab.
pub(crate) async fn toasts(tab: &mut Tab, count: usize) -> Vec<Value> {
    let mut toasts = Vec::new();
    while toasts.len() < count {
        toasts.push(tab.expect("toast").await);
    }
    toasts
}

/// The titles of toasts.
pub(crate) fn titles(toasts: &[Value]) -> Vec<String> {
    toasts.iter().map(|toast| toast["title"].as_str().expect("a title").to_owned()).collect()
}

/// Numbered titles.
pub(crate) fn numbered(word: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{word} {number}")).collect()
}

/// The length of an outage in seconds: short in `make test`, longer in `make soak`.
pub(crate) fn outage() -> Duration {
    Duration::from_secs(crate::number("FANFARE_OUTAGE_SECONDS").unwrap_or(15))
}
/// Waits for the end of a connection; returns the Close.
pub(crate) async fn ending(tab: &mut Tab) -> Message {
    loop {
        match tokio::time::timeout(PATIENCE, tab.receive()).await.expect("an end in time") {
            Message::Notification(..) | Message::Ping | Message::Completion(..) => {}
            end => return end,
        }
    }
}
