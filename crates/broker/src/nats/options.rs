//! How to reach the servers, and how streams are created.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::limits::Limits;

/// The options of a connection. Each value has a default; servers on their default port need none.
#[derive(Debug, Clone)]
pub struct Options {
    /// The servers, as `host:port`, `nats://host:port` or `tls://host:port`; one reachable server is enough.
    pub servers: Vec<String>,
    /// The prefix of the streams' names; default `fanfare`.
    pub prefix: String,
    /// The name of this connection at the server; default `fanfare`.
    pub name: String,
    /// How this process authenticates.
    pub login: Login,
    /// Require encryption; otherwise a connection is encrypted if a server requires it.
    pub tls: Option<Tls>,
    /// The replicas of each created stream, 1 to 5; default 1.
    pub replicas: usize,
    /// Whether a risk to lose acknowledged messages is refused instead of only reported; default no.
    pub strict: bool,
    /// Whether missing streams are created; default yes.
    pub create: bool,
    /// How long the stream of events keeps a record, if it is created here; default 24 hours.
    pub retention_age: Duration,
    /// How many bytes the stream of events keeps, if it is created here; default 1 GiB, 0 means no limit.
    pub retention_bytes: u64,
    /// How long an id is remembered for de-duplication, if the streams are created here; default 10 minutes.
    pub dedup: Duration,
    /// The replay window: the stream of events must keep records at least that long; default 10 minutes.
    pub window: Duration,
    /// The largest message. A larger one is refused.
    pub limits: Limits,
    /// How long the answer to a request may take; default 5 seconds.
    pub request_timeout: Duration,
    /// How long a reader bridges an outage before it reports it; default 5 seconds.
    pub patience: Duration,
    /// Records that a reader requests at once; default 512.
    pub batch_records: usize,
    /// Bytes that a reader requests at once; default 1 MiB, always at least twice the largest message of the server.
    pub batch_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            servers: vec!["127.0.0.1:4222".into()],
            prefix: "fanfare".into(),
            name: "fanfare".into(),
            login: Login::Nobody,
            tls: None,
            replicas: 1,
            strict: false,
            create: true,
            retention_age: Duration::from_secs(24 * 3600),
            retention_bytes: 1 << 30,
            dedup: Duration::from_secs(600),
            window: Duration::from_secs(600),
            limits: Limits::default(),
            request_timeout: Duration::from_secs(5),
            patience: Duration::from_secs(5),
            batch_records: 512,
            batch_bytes: 1 << 20,
        }
    }
}

/// How a process authenticates.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    /// Without a login.
    Nobody,
    /// A file with a JWT and its seed, as `nsc` writes it.
    CredentialsFile(PathBuf),
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token.
    Token(String),
    /// The seed of an nkey.
    Nkey(String),
}

// Secrets must not appear in a log.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("Nobody"),
            Self::CredentialsFile(path) => f.debug_tuple("CredentialsFile").field(path).finish(),
            Self::Password { user, .. } => f.debug_struct("Password").field("user", user).finish_non_exhaustive(),
            Self::Token(_) => f.write_str("Token(..)"),
            Self::Nkey(_) => f.write_str("Nkey(..)"),
        }
    }
}

/// Certificates of an encrypted connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificates of authorities that may sign a server's certificate; those of the system if absent.
    pub ca_file: Option<PathBuf>,
    /// This process's own certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// What is wrong with the options.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A value that cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// A file that cannot be read or has the wrong content.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Options {
    /// Options with these servers, and defaults.
    pub fn new(servers: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { servers: servers.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<(), OpenError> {
        let invalid = |reason: String| Err(OpenError::Invalid(reason));
        if self.servers.is_empty() {
            return invalid("no NATS server is given; name at least one, as host:port".into());
        }
        let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        if self.prefix.is_empty() || self.prefix.len() > 32 || !self.prefix.bytes().all(plain) {
            return invalid(format!("prefix {:?} is not 1 to 32 letters, digits, - and _", self.prefix));
        }
        if !(1..=5).contains(&self.replicas) {
            return invalid(format!("{} replicas; a stream has 1 to 5", self.replicas));
        }
        for (name, value) in [("duplicate window", self.dedup), ("replay window", self.window)] {
            if value > self.retention_age {
                let kept = self.retention_age;
                return invalid(format!("a {name} of {value:?} is longer than events are kept, which is {kept:?}"));
            }
        }
        if self.batch_records == 0 {
            return invalid("a reader cannot ask for 0 records at once".into());
        }
        Ok(())
    }
}
