//! Whether a page may open a WebSocket here.
//!
//! WebSockets have no CORS: a page of any origin could open one with the visitor's cookies or network position, so the
//! origin is checked here. Clients outside of browsers send none.

use std::sync::{Arc, PoisonError, RwLock};

use http::header;
use http::request::Parts;

use super::client::forwarded_host;
use super::header::{BadHeader, one};
use crate::config::OriginPatterns;
use crate::limit::TrustedProxies;

/// The origins of pages that are allowed.
#[derive(Debug, Clone)]
pub(super) struct Origins {
    /// Other origins that are allowed.
    pub others: Allowed,
    /// The hosts of this node's own pages, in lower case; if empty, the host that a request names is its own.
    pub hosts: Vec<String>,
}

/// The origins that are allowed as of now; its clones have the same ones.
#[derive(Debug, Clone)]
pub(super) struct Allowed(Arc<RwLock<OriginPatterns>>);

impl Allowed {
    pub(super) fn new(origins: OriginPatterns) -> Self {
        Self(Arc::new(RwLock::new(origins)))
    }

    /// Whether an origin is among them.
    pub(super) fn contains(&self, origin: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(origin)
    }

    /// Others from now on.
    pub(super) fn set(&self, origins: OriginPatterns) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = origins;
    }
}

/// A page is of another origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreign {
    /// Where the page is from.
    pub origin: String,
    /// The node's own origin.
    pub host: String,
}

impl Origins {
    /// Whether a request may open a WebSocket; if not, with both names.
    pub(super) fn check(&self, proxies: &TrustedProxies, parts: &Parts) -> Result<Result<(), Foreign>, BadHeader> {
        let Some(origin) = one(&parts.headers, header::ORIGIN)? else { return Ok(Ok(())) };
        let origin = origin.to_ascii_lowercase();
        let forwarded = forwarded_host(proxies, parts)?;
        let named = forwarded.or(one(&parts.headers, header::HOST)?).unwrap_or_default().to_ascii_lowercase();
        let own = self.hosts.iter().any(|host| is_of(&origin, host)) || self.hosts.is_empty() && is_of(&origin, &named);
        if own || self.others.contains(&origin) {
            return Ok(Ok(()));
        }
        let host = if self.hosts.is_empty() { named } else { self.hosts.join(" ") };
        Ok(Err(Foreign { origin, host }))
    }
}

/// Whether an origin is of a host; browsers leave out the port that is the scheme's own, and proxies may not.
fn is_of(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let usual = match scheme {
        "https" => ":443",
        _ => ":80",
    };
    let bare = |authority: &'_ str| authority.strip_suffix(usual).unwrap_or(authority).to_owned();
    !host.is_empty() && bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::client::Peer;

    fn check(hosts: &[&str], headers: &[(&str, &str)]) -> Result<(), Foreign> {
        let others = OriginPatterns::parse(["https://other.example.com", "https://*.pages.example"]).expect("origins");
        let origins =
            Origins { others: Allowed::new(others), hosts: hosts.iter().map(|host| (*host).to_owned()).collect() };
        let mut request = http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).expect("a request").into_parts().0;
        parts.extensions.insert(Peer("10.0.0.1:9".parse().expect("an address")));
        let proxies = TrustedProxies::parse(["10.0.0.1"]).expect("an address");
        origins.check(&proxies, &parts).expect("sound headers")
    }

    #[test]
    fn origins_are_the_pages_own_or_configured() {
        for (origin, allowed) in [
            (None, true),
            (Some("http://127.0.0.1:8080"), true),
            (Some("https://other.example.com"), true),
            (Some("https://OTHER.example.com"), true),
            (Some("https://a.pages.example"), true),
            (Some("https://pages.example"), false),
            (Some("https://evil.example"), false),
            (Some("null"), false),
            (Some(""), false),
        ] {
            let headers = [Some(("host", "127.0.0.1:8080")), origin.map(|origin| ("origin", origin))];
            let headers: Vec<_> = headers.into_iter().flatten().collect();
            assert_eq!(check(&[], &headers).is_ok(), allowed, "{origin:?}");
        }
    }

    #[test]
    fn behind_a_proxy_that_replaces_the_host_its_header_or_the_setting_counts() {
        let (page, inner) = (("origin", "https://app.example.com"), ("host", "fanout-1:8080"));
        let refused = check(&[], &[page, inner]).expect_err("nobody says so");
        assert_eq!((&*refused.origin, &*refused.host), ("https://app.example.com", "fanout-1:8080"));
        assert!(check(&[], &[page, inner, ("x-forwarded-host", "app.example.com")]).is_ok());
        assert!(check(&[], &[page, inner, ("x-forwarded-host", "App.Example.com:443")]).is_ok());
        assert!(check(&[], &[page, inner, ("x-forwarded-host", "evil.example")]).is_err());
        assert!(check(&["app.example.com"], &[page, inner]).is_ok());
        assert!(check(&["app.example.com:8443"], &[page, inner]).is_err(), "another port");
    }

    #[test]
    fn where_the_hosts_are_known_a_request_cannot_name_another() {
        let headers = [("origin", "http://evil.example"), ("host", "evil.example")];
        assert!(check(&[], &headers).is_ok());
        let refused = check(&["app.example.com"], &headers).expect_err("another name of the same address");
        assert_eq!(refused.host, "app.example.com");
    }
}
