//! Several nodes behind a plain load balancer, each through a proxy that can be cut.

use std::net::SocketAddr;

use fanfare_test_servers::nginx::Nginx;
use fanfare_test_servers::skip;

use crate::node::Node;
use crate::ports;
use crate::relay::Relay;
use crate::settings::Settings;

/// Cursors and connection tokens of one node must be valid on every other.
pub const SECRET: &str = "the same secret on every node of the tests";

/// Nodes, the proxies in front of them, and nginx in front of all.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes, running or not.
    pub nodes: Vec<Node>,
    /// Between nginx and each node.
    pub lines: Vec<Relay>,
    /// Between the tabs and nginx.
    pub front: Relay,
    /// nginx.
    pub proxy: Nginx,
}

impl Cluster {
    /// Nodes with these settings, not started yet, behind a running nginx; none if nginx is not installed on this
    /// machine, which is reported in one line.
    ///
    /// If nginx does not start.
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

    /// Starts all nodes at once, and waits until they are ready.
    pub async fn start(&mut self) {
        for node in &mut self.nodes {
            node.launch();
        }
        for node in &mut self.nodes {
            node.ready().await;
        }
    }

    /// The address for tabs.
    pub fn address(&self) -> SocketAddr {
        self.front.address()
    }

    /// The logs of nginx and the nodes.
    pub fn logs(&self) -> String {
        let nodes = self.nodes.iter().map(Node::log);
        nodes.chain([self.proxy.logs()]).collect::<Vec<_>>().join("\n")
    }
}
