//! The address at which other nodes reach the hubs of this one.

use std::net::SocketAddr;

/// The address of the hubs: that of the operator's port with the port of the hubs; if the hubs listen on one address,
/// that one. None if they listen on an address of this machine only, and the operator's port does not: then only a
/// proxy on the same machine reaches them.
#[must_use]
pub fn address_of_hubs(listened: SocketAddr, operator: &str) -> Option<String> {
    let (host, _) = operator.rsplit_once(':')?;
    let ip = listened.ip();
    if ip.is_unspecified() {
        return Some(format!("{host}:{}", listened.port()));
    }
    let is_local = host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()) || host == "[::1]";
    (!ip.is_loopback() || is_local || host == "localhost").then(|| listened.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_that_of_the_operators_port_or_the_one_listened_on() {
        for (listened, operator, found) in [
            ("0.0.0.0:8080", "10.0.0.7:9090", Some("10.0.0.7:8080")),
            ("[::]:8080", "[fd00::7]:9090", Some("[fd00::7]:8080")),
            ("0.0.0.0:8080", "fanfare-0.fanfare:9090", Some("fanfare-0.fanfare:8080")),
            ("10.1.0.7:8080", "10.0.0.7:9090", Some("10.1.0.7:8080")),
            ("127.0.0.1:8080", "127.0.0.1:9090", Some("127.0.0.1:8080")),
            ("[::1]:8080", "[::1]:9090", Some("[::1]:8080")),
            ("127.0.0.1:8080", "10.0.0.7:9090", None),
        ] {
            let address = address_of_hubs(listened.parse().expect("an address"), operator);
            assert_eq!(address.as_deref(), found, "{listened} {operator}");
        }
    }
}
