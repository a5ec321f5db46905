//! The compact form of a signed token, split but not yet verified.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::error::TokenError;
use crate::jwk::{MAX_KID, Sought};

/// The longest token that is parsed, in bytes.
pub(crate) const MAX_TOKEN: usize = 24 * 1024;

/// A split token; nothing in it may be trusted before its signature was verified.
pub(crate) struct Jws<'t> {
    /// The id of the key that it claims.
    kid: Option<String>,
    /// The algorithm that it claims.
    pub(crate) algorithm: Algorithm,
    /// The claims.
    pub(crate) payload: Map<String, Value>,
    /// The signed bytes.
    pub(crate) signed: &'t [u8],
    /// The signature.
    pub(crate) signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    alg: Option<Value>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

impl<'t> Jws<'t> {
    pub(crate) fn parse(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::TooLong { limit: MAX_TOKEN });
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = from_base64_json(header)?;
        let algorithm = header.alg.as_ref().and_then(Value::as_str).and_then(Algorithm::find);
        let algorithm = algorithm.ok_or(TokenError::WrongAlgorithm)?;
        if header.crit.is_some() {
            return Err(TokenError::UnsupportedExtension);
        }
        let kid = header.kid.filter(|kid| !kid.is_empty());
        if kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID) {
            return Err(TokenError::UnknownKey);
        }
        Ok(Self {
            kid,
            algorithm,
            payload: from_base64_json(payload)?,
            signed: signed.as_bytes(),
            signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?,
        })
    }

    /// The key that the header names.
    pub(crate) fn key(&self) -> Sought<'_> {
        Sought { kid: self.kid.as_deref(), algorithm: self.algorithm }
    }
}

fn from_base64_json<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
}
