//! Several nodes behind a proxy that knows nothing of tabs, each over a wire that can be cut.

use std::net::SocketAddr;

use fanfare_test_servers::nginx::Nginx;
use fanfare_test_servers::skip;

use crate::node::Node;
use crate::ports;
use crate::relay::Relay;
use crate::settings::Settings;

/// Cursors and connection tokens of one node must be good on every other.
pub const SECRET: &str = "the same secret on every node of the tests";

/// Nodes, the wires to them, and nginx in front.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes, running or not.
    pub nodes: Vec<Node>,
    /// From the proxy to each node.
    pub lines: Vec<Relay>,
    /// From the tabs to the proxy.
    pub front: Relay,
    /// The proxy.
    pub proxy: Nginx,
}

impl Cluster {
    /// Nodes with these settings, not started yet, behind a proxy that is; nothing if there is no nginx on this machine,
    /// which is said in one line.
    ///
    /// # Panics
    /// If the proxy does not start.
    pub async fn prepare(settings: impl IntoIterator<Item = Settings>) -> Option<Self> {
        if Nginx::program().is_none() {
            skip("nodes behind a proxy", "nginx is not installed");
            return None;
        }
        let nodes: Vec<Node> = settings.into_iter().map(|settings| Node::prepare(settings.secret(SECRET))).collect();
        let mut lines = Vec::new();
        for node in &nodes {
            lines.push(Relay::to(node.address()).await);
        }
        let behind: Vec<SocketAddr> = lines.iter().map(Relay::address).collect();
        let proxy = Nginx::start(ports::free(), &behind)?;
        let front = Relay::to(proxy.address()).await;
        Some(Self { nodes, lines, front, proxy })
    }

    /// Starts every node, all at once, and waits until they are ready.
    pub async fn start(&mut self) {
        for node in &mut self.nodes {
            node.launch();
        }
        for node in &mut self.nodes {
            node.ready().await;
        }
    }

    /// Where tabs connect to.
    pub fn address(&self) -> SocketAddr {
        self.front.address()
    }

    /// All that proxy and nodes have logged.
    pub fn logs(&self) -> String {
        let nodes = self.nodes.iter().map(Node::log);
        nodes.chain([self.proxy.logs()]).collect::<Vec<_>>().join("\n")
    }
}
