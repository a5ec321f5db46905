//! Finds the address at which other nodes reach this one, if the configuration does not say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;

use super::Nodes;
use crate::vocabulary::reached_over;

/// The pause between two tries.
const PAUSE: Duration = Duration::from_secs(2);

impl Nodes {
    /// Finds the address of this node's operator's port for the other nodes: that of the listener, or, if that is every
    /// address of the machine, the one from which it reaches the broker. Waits while there is none; returns it. It says
    /// whether TLS is spoken there.
    pub async fn find_address(&self, listened: SocketAddr, tls: bool, brokers: Vec<String>) -> String {
        let ip = if listened.ip().is_unspecified() { towards(listened.ip(), &brokers).await } else { listened.ip() };
        let address = SocketAddr::new(ip, listened.port());
        if ip.is_loopback() && !brokers.is_empty() {
            tracing::info!(%address, "nodes on other machines cannot ask this one; `advertise` of [node] says how they may");
        }
        let address = reached_over(tls, &address.to_string());
        self.directory().set_address(address.clone());
        self.renew();
        address
    }
}

/// The address from which this machine sends to one of these, each `host:port`.
async fn towards(listened: IpAddr, brokers: &[String]) -> IpAddr {
    let (any, local): (SocketAddr, IpAddr) = match listened {
        IpAddr::V4(_) => ((Ipv4Addr::UNSPECIFIED, 0).into(), Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(_) => ((Ipv6Addr::UNSPECIFIED, 0).into(), Ipv6Addr::LOCALHOST.into()),
    };
    if brokers.is_empty() {
        return local;
    }
    loop {
        for broker in brokers {
            let broker = broker.rsplit_once("//").map_or(broker.as_str(), |(_, broker)| broker);
            // Nothing is sent: connecting such a socket only asks the routing table.
            let asked = async {
                let socket = UdpSocket::bind(any).await?;
                socket.connect(broker).await?;
                socket.local_addr()
            };
            match asked.await {
                Ok(address) => return address.ip(),
                Err(error) => tracing::debug!(%error, broker, "no way to the broker yet"),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::NodeId;

    async fn found(listened: &str, brokers: &[&str]) -> Option<String> {
        let nodes = Nodes::new(NodeId::new("a", 1), None);
        let found = nodes
            .find_address(
                listened.parse().expect("an address"),
                false,
                brokers.iter().map(|b| (*b).to_owned()).collect(),
            )
            .await;
        assert_eq!(nodes.alive().swap_remove(0).address, Some(found.clone()));
        Some(found)
    }

    #[tokio::test]
    async fn the_address_is_the_one_listened_on_or_the_one_towards_the_broker() {
        assert_eq!(found("10.0.0.7:9090", &["127.0.0.1:4222"]).await.as_deref(), Some("10.0.0.7:9090"));
        for broker in ["127.0.0.1:4222", "nats://127.0.0.1:4222"] {
            assert_eq!(found("0.0.0.0:9090", &["no such host", broker]).await.as_deref(), Some("127.0.0.1:9090"));
        }
        assert_eq!(found("[::]:9090", &[]).await.as_deref(), Some("[::1]:9090"));
    }
}
