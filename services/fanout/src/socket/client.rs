//! The address that a request comes from.

use std::net::{IpAddr, SocketAddr};

use http::HeaderName;
use http::request::Parts;

use super::forward::Forwarded;
use super::header::{BadHeader, one};
use crate::limit::TrustedProxies;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The other end of a request's TCP connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub SocketAddr);

/// The client has shown a certificate that the port asks for, and the authority that is trusted there vouches for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownClient;

/// The client's address, as far as it is known; that of a forwarded request is known to the node that forwards it.
pub(super) fn address(proxies: &TrustedProxies, parts: &Parts) -> Option<IpAddr> {
    if let Some(forwarded) = parts.extensions.get::<Forwarded>() {
        return forwarded.client;
    }
    let peer = parts.extensions.get::<Peer>()?.0.ip();
    let values = parts.headers.get_all(FORWARDED_FOR);
    let values: Vec<&str> = values.iter().map(|value| value.to_str().unwrap_or_default()).collect();
    Some(proxies.client(peer, values.into_iter()))
}

/// Whether a request comes from a trusted proxy, or came from one to the node that forwards it.
pub(super) fn is_of_trusted_proxy(proxies: &TrustedProxies, parts: &Parts) -> bool {
    match parts.extensions.get::<Forwarded>() {
        Some(forwarded) => forwarded.by_proxy,
        None => parts.extensions.get::<Peer>().is_some_and(|peer| proxies.trust(peer.0.ip())),
    }
}

/// The host that the client named, from a trusted proxy; the first of several is the client's own.
pub(super) fn forwarded_host<'p>(proxies: &TrustedProxies, parts: &'p Parts) -> Result<Option<&'p str>, BadHeader> {
    if !is_of_trusted_proxy(proxies, parts) {
        return Ok(None);
    }
    let named = one(&parts.headers, FORWARDED_HOST)?;
    Ok(named.and_then(|value| value.split(',').next()).map(str::trim).filter(|host| !host.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(peer: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).expect("a request").into_parts().0;
        parts.extensions.insert(Peer(peer.parse().expect("an address")));
        parts
    }

    #[test]
    fn a_forwarded_address_and_host_count_from_a_trusted_proxy_alone() {
        let proxies = TrustedProxies::parse(["10.0.0.0/8"]).expect("a network");
        let headers = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-host", "app.example.com, inner")];
        let (from_proxy, from_client) = (parts("10.0.0.1:9", &headers), parts("198.51.100.1:9", &headers));
        assert_eq!(address(&proxies, &from_proxy), "192.0.2.7".parse().ok());
        assert_eq!(forwarded_host(&proxies, &from_proxy), Ok(Some("app.example.com")));
        assert_eq!(address(&proxies, &from_client), "198.51.100.1".parse().ok());
        assert_eq!(forwarded_host(&proxies, &from_client), Ok(None));
    }
}
