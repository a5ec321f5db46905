//! The address at which a port of a node is reached: `host:port`, or `https://host:port` if it speaks TLS.

/// An address that says whether TLS is spoken there.
#[must_use]
pub fn reached_over(tls: bool, address: &str) -> String {
    if tls { format!("https://{address}") } else { address.to_owned() }
}

/// The scheme to use there, with the host and the port.
#[must_use]
pub fn scheme_of(reached: &str) -> (&'static str, &str) {
    match reached.strip_prefix("https://") {
        Some(address) => ("https", address),
        None => ("http", reached),
    }
}
