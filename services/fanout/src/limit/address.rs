//! The address of a client, as trusted proxies report it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use thiserror::Error;

/// A text is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not an IP address or network: {0:?}")]
pub struct NotNetwork(String);

/// The proxies whose `X-Forwarded-For` and `X-Forwarded-Host` are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads addresses and networks such as `10.0.0.0/8`.
    ///
    /// # Errors
    /// [`NotNetwork`] with the one that is neither.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, NotNetwork> {
        let one = |text: &str| {
            let network = text.parse::<IpNet>().ok();
            let network = network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
            network.map(|network| network.trunc()).ok_or_else(|| NotNetwork(text.to_owned()))
        };
        texts.into_iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address is that of a trusted proxy.
    #[must_use]
    pub fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client's address: the last in the way of the request that is no trusted proxy.
    ///
    /// `forwarded` are the values of all `X-Forwarded-For` headers in their order. What an untrusted party wrote stands
    /// to the left of its own address, so it is never reached.
    pub fn client<'h>(&self, peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'h str>) -> IpAddr {
        let mut client = peer.to_canonical();
        for entry in forwarded.rev().flat_map(|value| value.rsplit(',')).map(str::trim) {
            if !self.trust(client) {
                break;
            }
            match of_entry(entry) {
                Some(address) => client = address.to_canonical(),
                // The address before it cannot be known.
                None => break,
            }
        }
        client
    }
}

/// An entry is an address, and some proxies add a port.
fn of_entry(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// The network that one client has: an IPv4 address, or the 64 bits that an IPv6 client chooses its addresses from.
#[must_use]
pub fn of_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let proxies = TrustedProxies::parse(proxies.iter().copied()).expect("networks");
        proxies.client(peer.parse().expect("an address"), forwarded.iter().copied()).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        const PROXIES: &[&str] = &["10.0.0.0/8", "fd00::/8"];
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["198.51.100.7"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["1.2.3.4, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
            ("10.0.0.1", &["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7:5123"], "198.51.100.7"),
            ("10.0.0.1", &["[2001:db8::1]:5123"], "2001:db8::1"),
            ("10.0.0.1", &["1.2.3.4, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("fd00::1", &["::ffff:198.51.100.7"], "198.51.100.7"),
        ] {
            assert_eq!(client(PROXIES, peer, forwarded), expected, "{peer} {forwarded:?}");
        }
        assert_eq!(client(&[], "10.0.0.1", &["198.51.100.7"]), "10.0.0.1");
    }

    #[test]
    fn networks_are_read_and_what_is_none_is_named() {
        let proxies = TrustedProxies::parse(["10.1.2.3/8", "::1", "192.0.2.1"]).expect("networks");
        assert!(proxies.trust("10.9.9.9".parse().expect("valid")) && proxies.trust("::1".parse().expect("valid")));
        assert!(!proxies.trust("192.0.2.2".parse().expect("valid")));
        let refused = TrustedProxies::parse(["10.0.0.0/33"]).expect_err("no network");
        assert_eq!(refused.to_string(), "not an IP address or network: \"10.0.0.0/33\"");
    }

    #[test]
    fn one_client_is_one_address_or_one_network_of_64_bits() {
        let of = |text: &str| of_network(text.parse().expect("valid")).to_string();
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(
            (of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::9")),
            ("2001:db8:1:2::".into(), "2001:db8:1:2::".into())
        );
    }
}
