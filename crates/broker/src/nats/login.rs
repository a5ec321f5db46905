//! Who a process is to the servers: what of it is in files, and what the client is told of it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::rustls::pki_types::pem::PemObject;
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use async_nats::rustls::{ClientConfig, RootCertStore};
use async_nats::{ConnectError, ConnectErrorKind, ConnectOptions};
use fanfare_failure::with_causes;

use super::link::CONNECT_TIMEOUT;
use super::listener::Listener;
use super::options::{Login, OpenError, Options, Tls};
use super::pause::pause;

pub(super) const WRONG_LOGIN: &str = "the NATS server does not accept this login: the user, password, token or \
                                      credentials file is wrong, or none is configured";

/// A plain sentence for errors that waiting does not fix.
pub(super) fn refusal(said: &str) -> Option<String> {
    let lower = said.to_lowercase();
    if lower.contains("authorization violation") || lower.contains("failed signing nonce") {
        return Some(WRONG_LOGIN.to_owned());
    }
    if ["certificate", "tls", "fatal alert"].iter().any(|sign| lower.contains(sign)) {
        return Some(format!(
            "no encrypted connection to the NATS server: {said}; see ca_file, cert_file and key_file"
        ));
    }
    None
}

/// The same of a connection that cannot be made.
pub(super) fn refused_connection(error: &ConnectError) -> Option<String> {
    let said = with_causes(error);
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => Some(WRONG_LOGIN.to_owned()),
        ConnectErrorKind::ServerParse => Some(format!("the address of a NATS server is wrong: {said}")),
        _ => refusal(&said),
    }
}

/// What of the login and the certificates is in files, as they were when they were read: what they hold later counts only
/// once it was tried.
#[derive(Debug, Default)]
pub(super) struct Files {
    credentials: Option<String>,
    tls: Option<ClientConfig>,
}

impl Files {
    pub(super) fn read(login: &Login, tls: Option<&Tls>) -> Result<Self, OpenError> {
        let tls = tls.map(encryption).transpose()?.flatten();
        let Login::CredentialsFile(path) = login else { return Ok(Self { credentials: None, tls }) };
        let text = std::fs::read_to_string(path).map_err(|error| fault(path, error))?;
        if let Err(e) = ConnectOptions::with_credentials(&text) {
            return Err(fault(path, format!("is no credentials file with a JWT and a seed: {e}")));
        }
        Ok(Self { credentials: Some(text), tls })
    }
}

fn fault(path: &Path, reason: impl ToString) -> OpenError {
    OpenError::File { path: path.to_owned(), reason: reason.to_string() }
}

/// The certificates as they are read now. The client reads by itself what this leaves out: the system's authorities, and
/// with them a certificate of one's own.
fn encryption(tls: &Tls) -> Result<Option<ClientConfig>, OpenError> {
    let certificates = |path: &PathBuf| {
        let text = std::fs::read(path).map_err(|error| fault(path, error))?;
        let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let found = found.map_err(|error| fault(path, format!("cannot be read as PEM: {error}")))?;
        if found.is_empty() { Err(fault(path, "holds no certificate in PEM form")) } else { Ok(found) }
    };
    let own = tls.certificate.as_ref().map(|(certificate, key)| {
        let chain = certificates(certificate)?;
        let text = std::fs::read(key).map_err(|error| fault(key, error))?;
        let secret = PrivateKeyDer::from_pem_slice(&text);
        Ok((chain, secret.map_err(|error| fault(key, format!("holds no private key in PEM form: {error}")))?))
    });
    let own = own.transpose()?;
    let Some(authorities) = &tls.ca_file else { return Ok(None) };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authorities)? {
        roots.add(certificate).map_err(|error| fault(authorities, error))?;
    }
    let config = ClientConfig::builder().with_root_certificates(roots);
    let Some((chain, secret)) = own else { return Ok(Some(config.with_no_client_auth())) };
    let pair = config.with_client_auth_cert(chain, secret).map_err(io::Error::other);
    let path = tls.certificate.as_ref().map_or(authorities, |(certificate, _)| certificate);
    pair.map(Some).map_err(|error| fault(path, format!("and its key cannot be used: {error}")))
}

/// What a client is told that logs in so.
pub(super) fn client_options(options: &Options, files: &Files, listener: &Listener) -> ConnectOptions {
    let login = ConnectOptions::new();
    let login = match (&options.login, &files.credentials) {
        (Login::Password { user, password }, _) => login.user_and_password(user.clone(), password.clone()),
        (Login::Token(token), _) => login.token(token.clone()),
        (Login::Nkey(seed), _) => login.nkey(seed.clone()),
        // Checked when the file was read.
        (Login::CredentialsFile(_), Some(text)) => ConnectOptions::with_credentials(text).unwrap_or_default(),
        (Login::Nobody | Login::CredentialsFile(_), _) => login,
    };
    let listener = listener.clone();
    let mut client = login
        .name(&options.name)
        .connection_timeout(CONNECT_TIMEOUT)
        .request_timeout(Some(options.request_timeout))
        .ping_interval(Duration::from_secs(10))
        .reconnect_delay_callback(pause)
        .event_callback(move |event| {
            listener.hear(&event);
            std::future::ready(())
        });
    let Some(tls) = &options.tls else { return client };
    client = client.require_tls(true);
    match (&files.tls, &tls.certificate) {
        (Some(config), _) => client.tls_client_config(config.clone()),
        (None, Some((certificate, key))) => client.add_client_certificate(certificate.clone(), key.clone()),
        (None, None) => client,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_waiting_does_not_mend_is_a_refusal() {
        assert!(refusal("nats: authorization violation").is_some());
        assert!(refusal("IO error: invalid peer certificate: UnknownIssuer").is_some());
        assert!(refusal("IO error: received fatal alert: UnknownCA").is_some());
        assert!(refusal("IO error: Connection refused (os error 111)").is_none());
    }
}
