//! The HTTP client with which a command calls a node, over TLS if its port speaks it.

use std::time::Duration;

use crate::config::{Config, ListenerTls};
use crate::tls::{Asking, Trust};

/// A client, and the scheme of the port's URLs.
///
/// It trusts the certificate that the configuration names and those that the nodes trust, and shows the certificate
/// that nodes show each other.
///
/// # Errors
/// Why there is none.
pub(super) fn client(
    config: &Config,
    port: Option<&ListenerTls>,
    timeout: Duration,
) -> Result<(reqwest::Client, &'static str), String> {
    let builder = reqwest::Client::builder().timeout(timeout).no_proxy();
    let (builder, scheme) = match port {
        None => (builder, "http"),
        Some(port) => {
            let peers = config.node.tls.peers.as_ref().map(|peers| peers.asking.clone()).unwrap_or_default();
            let trust = Trust::new(Asking { known: Some(port.listening.identity.clone()), ..peers })?;
            (builder.tls_backend_preconfigured(trust.client()?), "https")
        }
    };
    Ok((builder.build().map_err(|error| error.to_string())?, scheme))
}
