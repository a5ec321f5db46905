//! Opens NATS as configured.

use std::sync::Arc;

use fanfare_broker::nats::{Login, Nats, Options, Tls};

use super::text;
use crate::command::node::StartError;
use crate::config::{BrokerConfig, NatsConfig, NatsLogin};

/// Opens the client; the servers need not be there yet.
pub(super) fn open(config: &BrokerConfig, nats: &NatsConfig) -> Result<Arc<Nats>, StartError> {
    let options = Options {
        prefix: config.prefix.clone(),
        login: login(nats)?,
        tls: tls(nats),
        replicas: nats.replicas,
        strict: nats.strict,
        create: nats.create,
        retention_age: config.retention,
        retention_bytes: config.retention_bytes,
        window: config.window,
        ..Options::new(nats.servers.iter().cloned())
    };
    let broker = Nats::open(options).map_err(|error| StartError::Broker(error.to_string()))?;
    Ok(Arc::new(broker))
}

/// Who the node is to the servers.
pub(super) fn login(nats: &NatsConfig) -> Result<Login, StartError> {
    Ok(match &nats.login {
        NatsLogin::None => Login::Nobody,
        NatsLogin::Credentials(path) => Login::CredentialsFile(path.clone()),
        NatsLogin::Password { user, password } => Login::Password { user: user.clone(), password: text(password)? },
        NatsLogin::Token(token) => Login::Token(text(token)?),
        NatsLogin::Nkey(seed) => Login::Nkey(text(seed)?),
    })
}

/// How the connection is encrypted.
pub(super) fn tls(nats: &NatsConfig) -> Option<Tls> {
    nats.tls.then(|| Tls { ca_file: nats.ca_file.clone(), certificate: nats.certificate.clone() })
}
