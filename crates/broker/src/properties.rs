//! Settings of Kafka's client that an operator passes on.

use std::collections::BTreeMap;

/// Properties that this client sets itself, because order, replay and the count of records depend on them.
const RESERVED: &[&str] = &[
    "bootstrap.servers",
    "metadata.broker.list",
    "group.id",
    "group.instance.id",
    "enable.idempotence",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.partition.eof",
    "auto.offset.reset",
    "isolation.level",
    "acks",
    "request.required.acks",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "retries",
    "message.send.max.retries",
    "transactional.id",
];

/// Parts of names whose values are secrets.
const SECRETS: [&str; 4] = ["password", "secret", "ssl.key.pem", "oauthbearer.config"];

/// Whether the client sets this property itself, so that operators may not.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// Whether the value of this property is a secret.
pub fn is_secret(name: &str) -> bool {
    SECRETS.iter().any(|part| name.contains(part))
}

/// Whether this property says who the client is, or how its connection is encrypted: it may change while it runs.
pub fn is_of_login(name: &str) -> bool {
    ["sasl.", "ssl.", "security.", "enable.sasl.", "enable.ssl."].iter().any(|first| name.starts_with(first))
}

/// Parses lines `NAME=VALUE`, as in the files of Kafka's own tools.
///
/// # Errors
/// The number of the faulty line and what is wrong with it; the line is not repeated, because it may be a secret.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>, (usize, String)> {
    let mut properties = BTreeMap::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let fault = |message: String| Err((index + 1, message));
        match line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
            Some((name, _)) if is_reserved(name) => return fault(format!("`{name}` is set by the client itself")),
            Some((name, value)) if !name.is_empty() => drop(properties.insert(name.to_owned(), value.to_owned())),
            _ => return fault("not a line of the form NAME=VALUE".to_owned()),
        }
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_properties_is_read() {
        let text = "# the login\n sasl.username = fanfare\n\n! more\nsasl.password=hun=ter2\nclient.id=\n";
        let read = parse(text).expect("sound");
        let pairs: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("client.id", ""), ("sasl.password", "hun=ter2"), ("sasl.username", "fanfare")]);
        assert_eq!(parse("a=1\nhunter2"), Err((2, "not a line of the form NAME=VALUE".to_owned())));
        assert_eq!(parse("=x"), Err((1, "not a line of the form NAME=VALUE".to_owned())));
        assert_eq!(parse("acks = 1"), Err((1, "`acks` is set by the client itself".to_owned())));
        assert!(is_of_login("sasl.password") && is_of_login("security.protocol") && !is_of_login("linger.ms"));
        assert!(is_secret("sasl.password") && is_secret("ssl.key.password") && !is_secret("sasl.username"));
    }
}
