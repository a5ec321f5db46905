//! The address of a broker outside this process, such as `nats://host:port,host:port`.

use std::str::FromStr;

/// The largest number of servers in a URL. The servers name each other anyway.
const MAX_SERVERS: usize = 32;

/// A kind of broker outside this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// NATS JetStream.
    Nats,
    /// Apache Kafka.
    Kafka,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Nats, Self::Kafka];

    /// The scheme of its URLs.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Nats => "nats",
            Self::Kafka => "kafka",
        }
    }

    fn usual_port(self) -> u16 {
        match self {
            Self::Nats => 4222,
            Self::Kafka => 9092,
        }
    }
}

/// The address of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The kind of broker.
    pub kind: Kind,
    /// Each server, as `host:port`.
    pub servers: Vec<String>,
}

/// Why a text is not the address of a broker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} ({help})")]
pub struct AddressError {
    /// What is wrong; contains no part of the text that may be a secret.
    pub what: String,
    /// What would be right.
    pub help: String,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(url: &str) -> Result<Self, AddressError> {
        let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.scheme() == scheme) else {
            let help = "it begins with nats:// or kafka://".to_owned();
            return Err(AddressError { what: format!("there is no broker {scheme:?}"), help });
        };
        let example = format!("for instance {scheme}://localhost:{}", kind.usual_port());
        let Some(list) = url[scheme.len()..].strip_prefix("://") else {
            return Err(AddressError { what: format!("{url:?} lists no servers"), help: example });
        };
        if list.contains('@') {
            // The error does not repeat the URL: the text before the @ is probably a secret.
            let help = "put secrets into separate files".to_owned();
            return Err(AddressError { what: "the URL must not contain credentials".to_owned(), help });
        }
        let servers: Vec<_> = list.split(',').map(|server| server.trim().to_owned()).collect();
        for server in &servers {
            check(server, kind, &example)?;
        }
        if servers.len() > MAX_SERVERS {
            let what = format!("the URL lists {} servers, and {MAX_SERVERS} are the most", servers.len());
            return Err(AddressError { what, help: "a few are enough: the servers name each other".to_owned() });
        }
        Ok(Self { kind, servers })
    }
}

/// Checks that a text is `host:port`.
fn check(server: &str, kind: Kind, example: &str) -> Result<(), AddressError> {
    let fault = |what: String, help: String| Err(AddressError { what, help });
    if server.contains("://") {
        let help = "write it once, before the first server".to_owned();
        return fault(format!("the scheme stands twice, before {server:?} too"), help);
    }
    let (host, port) = match server.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => server.rsplit_once(':').map_or((server, None), |(host, port)| (host, Some(port))),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let sound = match server.starts_with('[') {
        true => host.parse::<std::net::Ipv6Addr>().is_ok(),
        false => !host.is_empty() && host.chars().all(plain),
    };
    if !sound {
        return fault(format!("{server:?} is no server"), format!("host and port, {example}"));
    }
    match port {
        Some(port) if port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(()),
        Some(port) => fault(format!("{port:?} is no port"), format!("1 to 65535, {example}")),
        None => {
            let help = format!("for instance {server}:{}", kind.usual_port());
            fault(format!("the server {server:?} has no port"), help)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_and_servers() {
        let address: Address =
            "nats://localhost:4222, [::1]:4223,nats-0.nats.default.svc:65535".parse().expect("sound");
        assert_eq!(address.kind, Kind::Nats);
        assert_eq!(address.servers, ["localhost:4222", "[::1]:4223", "nats-0.nats.default.svc:65535"]);
        assert_eq!("kafka://a_b:9092".parse::<Address>().expect("sound").kind, Kind::Kafka);
    }

    #[test]
    fn bad_addresses_are_reported() {
        for (wrong, expected) in [
            ("amqp://a:1", "there is no broker \"amqp\" (it begins with nats:// or kafka://)"),
            ("", "there is no broker \"\" (it begins with nats:// or kafka://)"),
            ("nats:a:1", "\"nats:a:1\" lists no servers (for instance nats://localhost:4222)"),
            ("nats://localhost", "the server \"localhost\" has no port (for instance localhost:4222)"),
            ("kafka://a:1,b", "the server \"b\" has no port (for instance b:9092)"),
            ("nats://[::1]", "the server \"[::1]\" has no port (for instance [::1]:4222)"),
            ("nats://a:0", "\"0\" is no port (1 to 65535, for instance nats://localhost:4222)"),
            ("nats://a:65536", "\"65536\" is no port (1 to 65535, for instance nats://localhost:4222)"),
            ("nats://a:4222/x", "\"4222/x\" is no port (1 to 65535, for instance nats://localhost:4222)"),
            ("nats://", "\"\" is no server (host and port, for instance nats://localhost:4222)"),
            ("nats://:4222", "\":4222\" is no server (host and port, for instance nats://localhost:4222)"),
            ("nats://::1:4222", "\"::1:4222\" is no server (host and port, for instance nats://localhost:4222)"),
            ("nats://[x]:1", "\"[x]:1\" is no server (host and port, for instance nats://localhost:4222)"),
            ("nats://a b:1", "\"a b:1\" is no server (host and port, for instance nats://localhost:4222)"),
            (
                "nats://a:1,nats://b:1",
                "the scheme stands twice, before \"nats://b:1\" too (write it once, before the first server)",
            ),
            ("nats://user:hunter2@a:1", "the URL must not contain credentials (put secrets into separate files)"),
        ] {
            assert_eq!(wrong.parse::<Address>().expect_err(wrong).to_string(), expected);
        }
        let many = format!("nats://{}", vec!["a:1"; 33].join(","));
        assert!(many.parse::<Address>().expect_err("too many").to_string().starts_with("the URL lists 33 servers"));
    }
}
