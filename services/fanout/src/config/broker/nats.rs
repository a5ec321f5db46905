//! `[broker.nats]`: how to log in to a NATS server, and how streams are created.

use std::path::PathBuf;

use reqwest::Url;

use crate::config::Secret;
use crate::config::paths::Paths;
use crate::config::secret_file;
use crate::document::Located;
use crate::document::section::{Section, text};

/// NATS JetStream as the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsConfig {
    /// The servers as `host:port`.
    pub servers: Vec<String>,
    /// Who this node is to the server.
    pub login: NatsLogin,
    /// Whether the connection is encrypted, whatever the server offers.
    pub tls: bool,
    /// The authorities that the server's certificate must come from; the system's if absent.
    pub ca_file: Option<PathBuf>,
    /// This node's own certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The files that the login and the encryption come from.
    pub login_files: Vec<PathBuf>,
    /// How many servers keep each stream that is made.
    pub replicas: usize,
    /// Whether settings that may lose acknowledged events are refused, instead of only reported.
    pub strict: bool,
    /// Whether streams that are missing are made.
    pub create: bool,
    /// The monitoring ports of the servers, which `fanfare check` asks.
    pub monitor: Vec<Url>,
}

/// Who a node is to a NATS server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NatsLogin {
    /// Nobody in particular.
    None,
    /// A file with a JWT and its seed, as `nsc` writes it.
    Credentials(PathBuf),
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token.
    Token(Secret),
    /// The seed of an nkey.
    Nkey(Secret),
}

/// The keys that say who the node is, and how its connection is encrypted: they take effect while it runs.
pub const LOGIN_KEYS: [&str; 9] =
    ["credentials_file", "user", "password_file", "token_file", "nkey_file", "tls", "ca_file", "cert_file", "key_file"];

/// All keys of the section.
pub(super) fn keys() -> Vec<&'static str> {
    [&LOGIN_KEYS[..], &["replicas", "strict", "create", "monitor"]].concat()
}

/// Secrets are in files; these are the keys that people write instead.
const PLAIN_SECRETS: [(&str, &str); 5] = [
    ("password", "password_file"),
    ("token", "token_file"),
    ("nkey", "nkey_file"),
    ("credentials", "credentials_file"),
    ("key", "key_file"),
];

/// Reads `[broker.nats]`, which may be missing.
pub(super) fn read(broker: &Section<'_>, servers: Option<Vec<String>>, paths: &Paths) -> Option<NatsConfig> {
    let Some(section) = broker.section("nats") else {
        return broker.value("nats").is_none().then_some(NatsConfig {
            servers: servers?,
            login: NatsLogin::None,
            tls: false,
            ca_file: None,
            certificate: None,
            login_files: Vec::new(),
            replicas: 1,
            strict: false,
            create: true,
            monitor: Vec::new(),
        });
    };
    let section = section.titled("[broker.nats]".to_owned());
    for (key, file_key) in PLAIN_SECRETS.into_iter().filter(|(key, _)| section.value(key).is_some()) {
        let help = format!("write it into a file and name the file with `{file_key}`");
        section.fault(key, format!("`{key}`: secrets do not stand in this file"), Some(help));
    }
    let section = section.allow(&[&keys()[..], &PLAIN_SECRETS.map(|(key, _)| key)].concat());
    let login = login(&section, paths);
    let ca_file = existing(&section, "ca_file", paths);
    let certificate = certificate(&section, paths);
    let tls = section.boolean("tls").unwrap_or(ca_file.is_some() || certificate.is_some());
    if !tls && (ca_file.is_some() || certificate.is_some()) {
        section.fault("tls", "there are certificates, but `tls` is false", Some("tls = true".to_owned()));
    }
    let replicas = usize::try_from(section.integer("replicas", 1..=5, 1)).unwrap_or(1);
    let strict = section.boolean("strict").unwrap_or(false);
    let create = section.boolean("create").unwrap_or(true);
    let monitor = monitor(&section);
    let files = LOGIN_KEYS.into_iter().filter(|key| key.ends_with("_file"));
    let named = files.filter_map(|key| section.value(key).and_then(text));
    let login_files = named.map(|file| paths.resolve(file.value)).collect();
    Some(NatsConfig {
        servers: servers?,
        login: login?,
        tls,
        ca_file,
        certificate,
        login_files,
        replicas,
        strict,
        create,
        monitor,
    })
}

/// The URLs of monitoring ports.
fn monitor(section: &Section<'_>) -> Vec<Url> {
    let mut urls = Vec::new();
    for text in section.strings("monitor").unwrap_or_default() {
        match Url::parse(text.value) {
            Ok(url)
                if matches!(url.scheme(), "http" | "https")
                    && url.username().is_empty()
                    && url.password().is_none() =>
            {
                urls.push(url);
            }
            // Not repeated in the message: it may hold a password.
            _ => {
                let help = "the monitoring port of a server, for instance http://nats-0.nats:8222";
                section.document().fault(
                    text.at,
                    "`monitor` is not an http or https URL without a login",
                    Some(help.to_owned()),
                );
            }
        }
    }
    urls
}

fn login(section: &Section<'_>, paths: &Paths) -> Option<NatsLogin> {
    let ways = ["credentials_file", "user", "token_file", "nkey_file"];
    let said: Vec<_> = ways.into_iter().filter(|key| section.value(key).is_some()).collect();
    if let [first, second, ..] = said[..] {
        let message = format!("`{first}` and `{second}` exclude each other");
        section.fault(second, message, Some("a node is one of them to the server".to_owned()));
        return None;
    }
    let password = section.string("password_file");
    if section.value("user").is_none() && password.is_some() {
        section.fault("password_file", "there is a `password_file` but no `user`", None);
        return None;
    }
    match said.first() {
        None => Some(NatsLogin::None),
        Some(&"credentials_file") => existing(section, "credentials_file", paths).map(NatsLogin::Credentials),
        Some(&"token_file") => {
            let file = section.string("token_file")?;
            secret_file::read(section, "token_file", file, paths).map(NatsLogin::Token)
        }
        Some(&"nkey_file") => {
            let file = section.string("nkey_file")?;
            secret_file::read(section, "nkey_file", file, paths).map(NatsLogin::Nkey)
        }
        Some(_) => {
            let user = section.string("user")?;
            let Some(file) = password else {
                section.fault("user", "there is a `user` but no `password_file`", None);
                return None;
            };
            let password = secret_file::read(section, "password_file", file, paths)?;
            Some(NatsLogin::Password { user: user.value.to_owned(), password })
        }
    }
}

fn certificate(section: &Section<'_>, paths: &Paths) -> Option<(PathBuf, PathBuf)> {
    for (there, missing) in [("cert_file", "key_file"), ("key_file", "cert_file")] {
        if section.value(there).is_some() && section.value(missing).is_none() {
            section.fault(there, format!("there is a `{there}` but no `{missing}`"), None);
        }
    }
    Some((existing(section, "cert_file", paths)?, existing(section, "key_file", paths)?))
}

/// A file that must be there now: later, nobody looks at what the configuration says.
fn existing(section: &Section<'_>, key: &str, paths: &Paths) -> Option<PathBuf> {
    let Located { value, at } = section.string(key)?;
    let path = paths.resolve(value);
    if let Err(error) = std::fs::File::open(&path) {
        section.document().fault(at, format!("`{key}` cannot be read: {}: {error}", path.display()), None);
        return None;
    }
    Some(path)
}
