//! NATS, as configured.

use std::sync::Arc;

use fanfare_broker::Broker;
use fanfare_broker::nats::{Login, Nats, Options, Tls};

use super::{BrokerSettings, PublisherError, file};

/// Opens the client; the servers need not be reachable yet.
pub(super) fn open(servers: Vec<String>, settings: &BrokerSettings) -> Result<Arc<dyn Broker>, PublisherError> {
    let certificate = settings.broker_cert_file.clone().zip(settings.broker_key_file.clone());
    let encrypted = settings.broker_tls || settings.broker_ca_file.is_some() || certificate.is_some();
    let options = Options {
        prefix: settings.broker_prefix.clone(),
        login: login(settings)?,
        tls: encrypted.then(|| Tls { ca_file: settings.broker_ca_file.clone(), certificate }),
        create: settings.broker_create,
        ..Options::new(servers)
    };
    let broker = Nats::open(options).map_err(|error| PublisherError::Broker(error.to_string()))?;
    Ok(Arc::new(broker))
}

fn login(settings: &BrokerSettings) -> Result<Login, PublisherError> {
    if let Some(path) = &settings.broker_credentials_file {
        file::text(path)?;
        return Ok(Login::CredentialsFile(path.clone()));
    }
    if let Some(path) = &settings.broker_token_file {
        return file::secret(path).map(Login::Token);
    }
    match (&settings.broker_user, &settings.broker_password_file) {
        (Some(user), Some(path)) => Ok(Login::Password { user: user.clone(), password: file::secret(path)? }),
        _ => Ok(Login::Nobody),
    }
}
