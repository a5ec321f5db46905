//! What a node says about a request that it forwards: who the client is. It is sealed, so that nobody else can say it.

use std::net::{IpAddr, Ipv6Addr};

use http::request::Parts;
use http::{HeaderName, HeaderValue};
use thiserror::Error;

use crate::seal::{Purpose, Seal};
use crate::socket::header::{BadHeader, one};

/// The header of a forwarded request.
pub(super) const HEADER: HeaderName = HeaderName::from_static("fanfare-forwarded");

/// How long this is valid, in seconds; and how far the clocks of two nodes may be apart.
const LIFETIME: i64 = 60;

/// What another node says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::socket) struct Forwarded {
    /// The client's address, as far as that node knows it.
    pub(in crate::socket) client: Option<IpAddr>,
    /// Whether the request came to that node from a proxy that is trusted there.
    pub(in crate::socket) by_proxy: bool,
}

/// A request says that another node forwards it, which is false.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(in crate::socket) enum NotForwarded {
    /// The header cannot be read.
    #[error(transparent)]
    Header(#[from] BadHeader),
    /// No node of this secret has sealed it.
    #[error("the header {HEADER} is for nodes of the same secret alone")]
    Unknown,
    /// It is older than a request takes.
    #[error("what the header {HEADER} says is older than {LIFETIME} s; are the clocks of both nodes right?")]
    Expired,
}

impl Forwarded {
    /// As a header.
    pub(super) fn header(self, seal: &Seal, now: i64) -> HeaderValue {
        let mut payload = (now + LIFETIME).to_be_bytes().to_vec();
        payload.push(u8::from(self.by_proxy));
        if let Some(client) = self.client {
            let client = match client {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => ip,
            };
            payload.extend_from_slice(&client.octets());
        }
        let sealed = seal.close(Purpose::Forwarded, &payload);
        // The alphabet of sealed text is one of headers.
        HeaderValue::from_str(&sealed).unwrap_or(HeaderValue::from_static(""))
    }

    /// Takes it from the head of a request; none if no node forwards it.
    pub(in crate::socket) fn take(seal: &Seal, parts: &mut Parts, now: i64) -> Result<Option<Self>, NotForwarded> {
        let Some(text) = one(&parts.headers, HEADER)? else { return Ok(None) };
        let payload = seal.open(Purpose::Forwarded, text).ok_or(NotForwarded::Unknown)?;
        let said = Self::read(&payload, now)?;
        parts.headers.remove(HEADER);
        Ok(Some(said))
    }

    fn read(payload: &[u8], now: i64) -> Result<Self, NotForwarded> {
        let (end, rest) = payload.split_first_chunk::<8>().ok_or(NotForwarded::Unknown)?;
        let (by_proxy, client) = rest.split_first().ok_or(NotForwarded::Unknown)?;
        let end = i64::from_be_bytes(*end);
        if !(now - LIFETIME..=now + 2 * LIFETIME).contains(&end) {
            return Err(NotForwarded::Expired);
        }
        let client = <[u8; 16]>::try_from(client).ok().map(|octets| Ipv6Addr::from(octets).to_canonical());
        Ok(Self { client, by_proxy: *by_proxy == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(value: &HeaderValue) -> Parts {
        http::Request::get("/hub").header(HEADER, value).body(()).expect("a request").into_parts().0
    }

    #[test]
    fn a_nodes_statement_about_a_client_decodes_and_cannot_be_forged() {
        let (seal, other) = (Seal::new(b"one", &[]), Seal::new(b"two", &[]));
        for client in [None, Some("192.0.2.7"), Some("2001:db8::7")] {
            let client = client.map(|text| text.parse().expect("an address"));
            let said = Forwarded { client, by_proxy: client.is_some() };
            let header = said.header(&seal, 1000);
            let mut head = parts(&header);
            assert_eq!(Forwarded::take(&seal, &mut head, 1060), Ok(Some(said)));
            assert_eq!(Forwarded::take(&seal, &mut head, 1060), Ok(None), "it is taken out");
            assert_eq!(Forwarded::take(&seal, &mut parts(&header), 1200), Err(NotForwarded::Expired));
            assert_eq!(Forwarded::take(&other, &mut parts(&header), 1000), Err(NotForwarded::Unknown));
        }
        let node = HeaderValue::from_str(&seal.close(Purpose::Node, &1060_i64.to_be_bytes())).expect("a value");
        assert_eq!(
            Forwarded::take(&seal, &mut parts(&node), 1000),
            Err(NotForwarded::Unknown),
            "sealed for another use"
        );
    }
}
