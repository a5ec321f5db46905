//! Configuration files, sound and faulty.

mod demo;
mod docs;
mod faults;
mod join;
mod presence;
mod shared_brokers;
mod tls;
mod together;
mod words;

use std::path::Path;

use super::*;

/// The least that a node needs.
pub(super) const LEAST: &str = r#"
[node]
listen = "127.0.0.1:8080"
admin_listen = "127.0.0.1:9090"
data = "data"
[broker]
url = "embedded:log"
[routes]
path = "."
[development]
signing_key = "key.pem"
[hub."/hubs/a"]
"#;

/// Checks a text as the file `fanfare.toml` of a folder.
pub(super) fn parse_in(folder: &Path, text: &str) -> Result<Config, Vec<Fault>> {
    Config::parse(&Source { path: folder.join("fanfare.toml"), text: text.to_owned() })
}

pub(super) fn parse(text: &str) -> Result<Config, Vec<Fault>> {
    parse_in(Path::new(env!("CARGO_MANIFEST_DIR")), text)
}

pub(super) fn sound(text: &str) -> Config {
    parse(text).unwrap_or_else(|faults| panic!("{}", faults[0]))
}
