//! Why a token was refused.

/// Why a token was refused; it never holds anything out of the token itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token is longer than any token should be; it was not parsed.
    #[error("the token is longer than {limit} bytes")]
    TooLong {
        /// The longest token that is parsed, in bytes.
        limit: usize,
    },
    /// The token is not three base64url parts of which the first two are JSON objects.
    #[error("this is not a JSON Web Token")]
    Malformed,
    /// The header names an algorithm that is symmetric, unknown or not the key's, or none.
    #[error("the token is not signed with an algorithm that its key is for")]
    WrongAlgorithm,
    /// The header demands an extension (`crit`) that is not understood.
    #[error("the token demands a header extension that is not supported")]
    UnsupportedExtension,
    /// The header names no key, or one that the issuer does not publish.
    #[error("the token names a signing key that its issuer does not publish")]
    UnknownKey,
    /// The signature does not match the named key.
    #[error("the token's signature does not match")]
    BadSignature,
    /// The token's issuer is not configured here.
    #[error("the token's issuer is not accepted here")]
    UnknownIssuer,
    /// The token was issued for another audience.
    #[error("the token was issued for another audience")]
    WrongAudience,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The token's `nbf` lies in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token's `iat` lies in the future.
    #[error("the token was issued in the future; compare the clocks")]
    IssuedInFuture,
    /// The token lives longer than this verifier keeps logouts in mind.
    #[error("the token lives longer than {limit} s, the longest lifetime accepted")]
    LifetimeTooLong {
        /// The longest lifetime accepted, in seconds.
        limit: u64,
    },
    /// A claim that every token must have is absent.
    #[error("the token has no claim `{claim}`")]
    MissingClaim {
        /// The claim's configured name.
        claim: String,
    },
    /// A claim is of the wrong kind or holds what is not allowed in it.
    #[error("the token's claim `{claim}` is not valid: {reason}")]
    InvalidClaim {
        /// The claim's configured name.
        claim: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The issuer may not name what the claim names.
    #[error("the token's claim `{claim}` names an org that its issuer may not name")]
    OtherOrg {
        /// The claim's configured name.
        claim: String,
    },
    /// The issuer's keys could not be fetched: the fault is not the caller's.
    #[error("the issuer's keys cannot be fetched at the moment")]
    KeysUnavailable,
}

impl TokenError {
    /// Tells whether the server is at fault (503) rather than the token (401).
    pub fn is_server_fault(&self) -> bool {
        matches!(self, Self::KeysUnavailable)
    }

    /// A short constant name for metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too_long",
            Self::Malformed => "malformed",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::UnsupportedExtension => "unsupported_extension",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::UnknownIssuer => "unknown_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::LifetimeTooLong { .. } => "lifetime_too_long",
            Self::MissingClaim { .. } => "missing_claim",
            Self::InvalidClaim { .. } => "invalid_claim",
            Self::OtherOrg { .. } => "org_not_of_issuer",
            Self::KeysUnavailable => "keys_unavailable",
        }
    }

    pub(crate) fn missing(claim: &str) -> Self {
        Self::MissingClaim { claim: claim.to_owned() }
    }

    pub(crate) fn invalid(claim: &str, reason: &'static str) -> Self {
        Self::InvalidClaim { claim: claim.to_owned(), reason }
    }

    /// The claim that is at fault, if it is one.
    pub fn claim(&self) -> Option<&str> {
        match self {
            Self::MissingClaim { claim } | Self::InvalidClaim { claim, .. } | Self::OtherOrg { claim } => Some(claim),
            _ => None,
        }
    }
}
