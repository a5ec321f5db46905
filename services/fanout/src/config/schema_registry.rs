//! `[schema_registry]`: where the schemas of bodies in the Confluent wire format are.

use std::time::Duration;

use reqwest::Url;

use super::node::Secret;
use super::paths::Paths;
use super::{ca_file, secret_file};
use crate::document::Located;
use crate::document::section::Section;

/// The schema registry of the platform.
#[derive(Debug, Clone)]
pub struct SchemaRegistryConfig {
    /// Its URL without a slash at the end.
    pub url: String,
    /// Whether that is on this machine.
    pub is_loopback: bool,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// The certificates of those who sign its own, in PEM.
    pub ca: Option<Vec<u8>>,
    /// How long one question may take.
    pub timeout: Duration,
}

pub(super) const KEYS: &[&str] = &["url", "user", "password_file", "ca_file", "timeout_seconds"];

/// Reads `[schema_registry]`, which may be missing.
pub(super) fn read(root: &Section<'_>, paths: &Paths) -> Option<SchemaRegistryConfig> {
    let section = root.section("schema_registry")?;
    if section.value("password").is_some() {
        let help = "write it into a file and name the file with `password_file`";
        section.fault("password", "`password`: secrets do not stand in this file", Some(help.to_owned()));
        return None;
    }
    let section = section.allow(KEYS);
    let timeout = Duration::from_secs(section.integer("timeout_seconds", 1..=60, 5));
    let login = login(&section, paths);
    let ca = ca_file::read(&section, paths);
    let url = section.required("url").and_then(|url| self::url(&section, url))?;
    let is_loopback = url.host_str().is_some_and(|host| ["127.0.0.1", "[::1]", "localhost"].contains(&host));
    Some(SchemaRegistryConfig {
        url: url.as_str().trim_end_matches('/').to_owned(),
        is_loopback,
        login: login?,
        ca,
        timeout,
    })
}

fn url(section: &Section<'_>, text: Located<&str>) -> Option<Url> {
    let help = "for instance https://schemas.internal:8081";
    let (message, help) = match Url::parse(text.value) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) => {
            (format!("`url` is not an http or https URL: {:?}", text.value), help)
        }
        // Not repeated in the message: it may be a password.
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            ("`url` holds a user or a password".to_owned(), "use the keys `user` and `password_file`")
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            (format!("`url` has more than scheme, host, port and path: {:?}", text.value), help)
        }
        Ok(url) => return Some(url),
        Err(error) => (format!("`url` is not a URL: {error}: {:?}", text.value), help),
    };
    section.document().fault(text.at, message, Some(help.to_owned()));
    None
}

/// User and password; both or none.
fn login(section: &Section<'_>, paths: &Paths) -> Option<Option<(String, Secret)>> {
    match (section.string("user"), section.string("password_file")) {
        (None, None) => Some(None),
        (Some(user), Some(file)) => {
            let password = secret_file::read(section, "password_file", file, paths)?;
            Some(Some((user.value.to_owned(), password)))
        }
        (Some(_), None) => {
            section.fault("user", "there is a `user` but no `password_file`", None);
            None
        }
        (None, Some(_)) => {
            section.fault("password_file", "there is a `password_file` but no `user`", None);
            None
        }
    }
}
