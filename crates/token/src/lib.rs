//! Claims and verification of JSON Web Tokens, and the keys that sign them.
//!
//! All algorithms that are not symmetric are supported. The key decides which of them it may be used with, so a token
//! cannot choose another. Tokens created here are signed with RS256. A [`Verifier`] returns the [`Claims`] of a token
//! it accepts, with valid ids, or a [`TokenError`], which never contains any part of the token. A pure state machine
//! decides when keys are fetched (`keys`); the requests themselves are in `fetch`.

mod algorithm;
mod cache;
mod check;
mod claim_name;
mod claims;
mod config;
mod error;
mod fetch;
mod issuer;
mod issuer_orgs;
mod jwk;
mod jws;
mod key_file;
mod keys;
mod mint;
mod name_list;
mod payload;
mod publish;
mod signing;
mod source;
mod texts;
mod verifier;

pub use check::{Dropped, LeftOut, Why};
pub use claim_name::{ClaimName, ClaimNameError};
pub use claims::{Audience, ClaimKind, Claims, OtherClaims, UnusableClaim};
pub use config::{ClaimNames, ConfigError, IssuerConfig, Keys, VerifierOptions, split_pattern};
pub use error::TokenError;
pub use issuer::OtherKeys;
pub use issuer_orgs::IssuerOrgs;
pub use jwk::{Jwks, PublicJwk};
pub use key_file::KeyFileError;
pub use mint::NewToken;
pub use name_list::NameList;
pub use publish::Publish;
pub use signing::{KeyError, SigningKey};
pub use texts::claim_texts;
pub use verifier::Verifier;
