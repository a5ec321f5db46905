//! Where other nodes reach this one.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::nodes::Nodes;
use crate::socket::{App, address_of_hubs};

/// What is known of it at the start.
pub(super) struct Reached {
    /// What the hubs listen on.
    pub hubs: Option<SocketAddr>,
    /// What the operator's port listens on.
    pub operator: Option<SocketAddr>,
    /// The servers of the broker.
    pub brokers: Vec<String>,
    /// The address of the operator's port, as somebody said.
    pub advertised: Option<String>,
    /// The address of the hubs, as somebody said.
    pub advertised_hubs: Option<String>,
}

impl Reached {
    /// Tells the other nodes, and the tokens of connections. Waits while there is no way to the broker.
    pub(super) async fn tell(self, nodes: Nodes, app: Arc<App>) {
        let Self { hubs, operator, brokers, advertised, advertised_hubs } = self;
        let operator = match (advertised, operator) {
            (Some(advertised), _) => Some(advertised),
            (None, Some(listened)) => Some(nodes.find_address(listened, brokers).await),
            (None, None) => None,
        };
        let found = || address_of_hubs(hubs?, operator.as_deref()?);
        match advertised_hubs.or_else(found) {
            Some(address) => app.forwarder.set_address(&address),
            None => tracing::info!(
                "other nodes cannot forward requests to the hubs of this one; `advertise_hubs` of [node] says how they may"
            ),
        }
    }
}
