//! The requests for an issuer's keys.

use std::time::Duration;

use fanfare_failure::with_causes;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::split_pattern;
use crate::jwk::{KeySet, PublicJwk};

const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_BODY: usize = 256 * 1024;

/// Why the keys could not be fetched; only for logs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{}", with_causes(.0))]
    Request(#[from] reqwest::Error),
    #[error("the answer was {0}")]
    Status(reqwest::StatusCode),
    #[error("the answer is longer than {MAX_BODY} bytes")]
    TooLong,
    #[error("the answer is not the expected JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the discovery document is of another issuer")]
    OtherIssuer,
    #[error("the discovery document's jwks_uri is not usable: it must be a URL, and https if the document's is")]
    BadJwksUri,
    #[error("the key set holds no key that can verify a token: RSA, EC or Ed25519, for signatures")]
    NoKeys,
}

/// The address of one issuer's keys.
pub(crate) enum Place {
    Jwks(Url),
    Discovery(Url),
}

/// Fetches the keys of one issuer.
pub(crate) struct Fetcher {
    client: Client,
    issuer: String,
    place: Place,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// A key set whose members are parsed one by one, so that one bad key does not spoil the others.
#[derive(Deserialize)]
struct LooseJwks {
    keys: Vec<Value>,
}

impl Fetcher {
    /// `ca` are the authorities for the servers, in PEM, in addition to the machine's.
    pub(crate) fn new(issuer: String, place: Place, ca: Option<&[u8]>) -> Result<Self, reqwest::Error> {
        let (Place::Jwks(url) | Place::Discovery(url)) = &place;
        let mut client = Client::builder().redirect(Policy::none()).timeout(TIMEOUT).connect_timeout(TIMEOUT);
        if let Some(pem) = ca {
            client = Certificate::from_pem_bundle(pem)?.into_iter().fold(client, |c, ca| c.add_root_certificate(ca));
        }
        if is_loopback(url) {
            // A proxy from the environment is never used for this machine itself.
            client = client.no_proxy();
        }
        Ok(Self { client: client.build()?, issuer, place })
    }

    /// Whether a discovery document belongs to this issuer. That of several tenants contains a pattern, as the
    /// configuration does.
    fn is_of_issuer(&self, said: &str) -> bool {
        match (split_pattern(said), split_pattern(&self.issuer)) {
            (Some(said), Some(own)) => said == own,
            _ => said == self.issuer,
        }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Fetches the keys once.
    pub(crate) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let jwks: LooseJwks = match &self.place {
            Place::Jwks(url) => self.get(url.clone()).await?,
            Place::Discovery(url) => {
                let found: Discovery = self.get(url.clone()).await?;
                if !self.is_of_issuer(&found.issuer) {
                    return Err(FetchError::OtherIssuer);
                }
                let jwks_uri = Url::parse(&found.jwks_uri).map_err(|_| FetchError::BadJwksUri)?;
                if !(jwks_uri.scheme() == "https" || (jwks_uri.scheme() == "http" && url.scheme() == "http")) {
                    return Err(FetchError::BadJwksUri);
                }
                self.get(jwks_uri).await?
            }
        };
        let (read, unread): (Vec<_>, Vec<_>) =
            jwks.keys.into_iter().map(serde_json::from_value::<PublicJwk>).partition(Result::is_ok);
        let mut keys = KeySet::usable(read.into_iter().flatten().collect());
        unread.iter().for_each(|_| keys.pass_over("", "a member of it is no text"));
        // A set without a usable key must not replace the last good one.
        if keys.is_empty() { Err(FetchError::NoKeys) } else { Ok(keys) }
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, FetchError> {
        let mut response = self.client.get(url).header("accept", "application/json").send().await?;
        if !response.status().is_success() {
            return Err(FetchError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(FetchError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        None => false,
    }
}
