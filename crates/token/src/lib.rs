//! Claims and verification of JSON Web Tokens, and the keys that sign them.
//!
//! Only RS256 exists here: a key is an RSA key by its type, so a token cannot choose another algorithm. What a
//! [`Verifier`] accepts is a [`Claims`] whose ids are valid; why it refused is a [`TokenError`], which never holds
//! anything out of the token. When keys are fetched is decided by a pure state machine (`keys`), the requests
//! themselves are in `fetch`.

mod cache;
mod check;
mod claims;
mod config;
mod error;
mod fetch;
mod jwk;
mod jws;
mod key_file;
mod keys;
mod mint;
mod payload;
mod publish;
mod signing;
mod source;
mod verifier;

pub use claims::{Audience, Claims};
pub use config::{ClaimNames, ConfigError, IssuerConfig, Keys, VerifierOptions};
pub use error::TokenError;
pub use jwk::{Jwks, PublicJwk};
pub use key_file::KeyFileError;
pub use mint::NewToken;
pub use publish::Publish;
pub use signing::{KeyError, SigningKey};
pub use verifier::Verifier;
