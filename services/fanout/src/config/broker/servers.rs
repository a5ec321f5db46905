//! `nats://host:port,host:port`: the servers of a broker.

use crate::config::document::Located;
use crate::config::section::Section;

/// The most servers that are listed; they tell of each other anyway.
const MAX_SERVERS: usize = 32;

/// Reads the servers of a URL as `host:port`.
pub(super) fn read(section: &Section<'_>, url: Located<&str>, scheme: &str, port: u16) -> Option<Vec<String>> {
    let example = format!("{scheme}://localhost:{port}");
    let fault = |message: String, help: String| section.document().fault(url.at, message, Some(help));
    let Some(list) = url.value.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://")) else {
        fault(format!("{:?} lists no servers", url.value), format!("for instance {example}"));
        return None;
    };
    if list.contains('@') {
        // The URL is not repeated: what stands before the @ is likely a secret.
        let message = "credentials do not stand in the URL".to_owned();
        fault(message, format!("the files of secrets are named in [broker.{scheme}]"));
        return None;
    }
    let mut servers = Vec::new();
    for server in list.split(',').map(str::trim) {
        match server_fault(server) {
            None => servers.push(server.to_owned()),
            Some((message, help)) => {
                let help = help.unwrap_or_else(|| format!("host and port, for instance {example}"));
                fault(message, help.replace("PORT", &port.to_string()));
                return None;
            }
        }
    }
    if servers.len() > MAX_SERVERS {
        let message = format!("the URL lists {} servers, and {MAX_SERVERS} are the most", servers.len());
        fault(message, "a few are enough: they tell of the others".to_owned());
        return None;
    }
    Some(servers)
}

/// What is wrong with `host:port`, and what would be right.
fn server_fault(server: &str) -> Option<(String, Option<String>)> {
    if server.contains("://") {
        let message = format!("the scheme stands twice, before {server:?} too");
        return Some((message, Some("it stands once, before the first server".to_owned())));
    }
    let (host, port) = match server.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => match host.parse::<std::net::Ipv6Addr>() {
            Ok(_) => (server.get(..host.len() + 2)?, rest.strip_prefix(':')),
            Err(_) => return Some((format!("{server:?} is no server"), None)),
        },
        None => server.rsplit_once(':').map_or((server, None), |(host, port)| (host, Some(port))),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if host.is_empty() || !(host.starts_with('[') || host.chars().all(plain)) {
        return Some((format!("{server:?} is no server"), None));
    }
    match port {
        None => Some((format!("the server {server:?} has no port"), Some(format!("for instance {host}:PORT")))),
        Some(port) if port.parse::<u16>().is_ok_and(|port| port > 0) => None,
        Some(port) => Some((format!("{port:?} is no port"), Some(format!("1 to 65535, for instance {host}:PORT")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port() {
        for sound in ["localhost:4222", "10.0.0.1:1", "[::1]:4222", "nats-0.nats.default.svc:65535", "a_b:9092"] {
            assert_eq!(server_fault(sound), None, "{sound}");
        }
        for (wrong, expected) in [
            ("localhost", "the server \"localhost\" has no port"),
            ("[::1]", "the server \"[::1]\" has no port"),
            ("a:0", "\"0\" is no port"),
            ("a:65536", "\"65536\" is no port"),
            ("a:4222/x", "\"4222/x\" is no port"),
            ("", "\"\" is no server"),
            (":4222", "\":4222\" is no server"),
            ("::1:4222", "\"::1:4222\" is no server"),
            ("[x]:1", "\"[x]:1\" is no server"),
            ("a b:1", "\"a b:1\" is no server"),
            ("nats://a:1", "the scheme stands twice, before \"nats://a:1\" too"),
        ] {
            assert_eq!(server_fault(wrong).expect(wrong).0, expected, "{wrong}");
        }
    }
}
