//! Opens NATS as configured.

use std::sync::Arc;

use fanfare_broker::Broker;
use fanfare_broker::nats::{Login, Nats, Options, Tls};

use super::text;
use crate::command::node::StartError;
use crate::config::{BrokerConfig, NatsConfig, NatsLogin};

/// Opens the client; the servers need not be there yet.
pub(super) fn open(config: &BrokerConfig, nats: &NatsConfig) -> Result<Arc<dyn Broker>, StartError> {
    let login = match &nats.login {
        NatsLogin::None => Login::Nobody,
        NatsLogin::Credentials(path) => Login::CredentialsFile(path.clone()),
        NatsLogin::Password { user, password } => Login::Password { user: user.clone(), password: text(password)? },
        NatsLogin::Token(token) => Login::Token(text(token)?),
    };
    let options = Options {
        prefix: config.prefix.clone(),
        login,
        tls: nats.tls.then(|| Tls { ca_file: nats.ca_file.clone(), certificate: nats.certificate.clone() }),
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
