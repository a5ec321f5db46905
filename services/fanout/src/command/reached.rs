//! The addresses at which other nodes reach this one.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::config::Config;
use crate::nodes::Nodes;
use crate::socket::{App, address_of_hubs};
use crate::vocabulary::{reached_over, scheme_of};

/// What is known at the start.
pub(super) struct Reached {
    /// The hubs' listener.
    hubs: Option<SocketAddr>,
    /// The operator's listener.
    operator: Option<SocketAddr>,
    /// The servers of the broker.
    brokers: Vec<String>,
    /// The address of the operator's port, if configured.
    advertised: Option<String>,
    /// The address of the hubs, if configured.
    advertised_hubs: Option<String>,
    /// Whether the hubs speak TLS, and whether the operator's port does.
    tls: (bool, bool),
}

impl Reached {
    /// From configuration and listeners.
    pub(super) fn of(config: &Config, hubs: &TcpListener, operator: &TcpListener) -> Self {
        Self {
            hubs: hubs.local_addr().ok(),
            operator: operator.local_addr().ok(),
            brokers: config.broker.kind.servers(),
            advertised: config.node.advertise.clone(),
            advertised_hubs: config.node.advertise_hubs.clone(),
            tls: (config.node.tls.hubs.is_some(), config.node.tls.operator.is_some()),
        }
    }

    /// Whether the way to the broker may have to be waited for.
    pub(super) fn may_wait(&self) -> bool {
        self.advertised.is_none() && self.operator.is_some_and(|listened| listened.ip().is_unspecified())
    }

    /// Finds them, for the lease and for connection tokens. Waits while there is no way to the broker.
    pub(super) async fn tell(self, nodes: Nodes, app: Arc<App>) {
        let Self { hubs, operator, brokers, advertised, advertised_hubs, tls: (hubs_tls, operator_tls) } = self;
        let operator = match (advertised, operator) {
            (Some(advertised), _) => Some(advertised),
            (None, Some(listened)) => Some(nodes.find_address(listened, operator_tls, brokers).await),
            (None, None) => None,
        };
        let found = || {
            let (_, operator) = scheme_of(operator.as_deref()?);
            address_of_hubs(hubs?, operator).map(|address| reached_over(hubs_tls, &address))
        };
        match advertised_hubs.or_else(found) {
            Some(address) => app.edge.forwarder.set_address(&address),
            None => tracing::info!(
                "other nodes cannot forward requests to the hubs of this one; `advertise_hubs` of [node] says how they may"
            ),
        }
    }
}
