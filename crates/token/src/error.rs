//! Why a token was refused.

/// Why a token was refused; it never contains any part of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token is longer than any token should be; it was not parsed.
    #[error("the token is longer than {limit} bytes")]
    TooLong {
        /// The longest token that is parsed, in bytes.
        limit: usize,
    },
    /// The token does not consist of three base64url parts, the first two of them JSON objects.
    #[error("this is not a JSON Web Token")]
    Malformed,
    /// The header's algorithm is symmetric, unknown, absent or not the key's.
    #[error("the token is not signed with an algorithm that its key is for")]
    WrongAlgorithm,
    /// The header requires an unknown extension (`crit`).
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
    /// The token's `nbf` is in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token's `iat` is in the future.
    #[error("the token was issued in the future; compare the clocks")]
    IssuedInFuture,
    /// The token's lifetime exceeds the time for which this verifier remembers logouts.
    #[error("the token lives longer than {limit} s, the longest lifetime accepted")]
    LifetimeTooLong {
        /// The longest lifetime accepted, in seconds.
        limit: u64,
    },
    /// A required claim is missing.
    #[error("the token has no claim `{claim}`")]
    MissingClaim {
        /// The claim's configured name.
        claim: String,
    },
    /// A claim has the wrong type or a value that is not allowed.
    #[error("the token's claim `{claim}` is not valid: {reason}")]
    InvalidClaim {
        /// The claim's configured name.
        claim: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The issuer may not name the org in the claim.
    #[error("the token's claim `{claim}` names an org that its issuer may not name")]
    OtherOrg {
        /// The claim's configured name.
        claim: String,
    },
    /// The issuer's keys could not be fetched: this is not the caller's fault.
    #[error("the issuer's keys cannot be fetched at the moment")]
    KeysUnavailable,
}

impl TokenError {
    /// Whether the server is at fault (503) rather than the token (401).
    pub fn is_server_fault(&self) -> bool {
        matches!(self, Self::KeysUnavailable)
    }

    /// A short constant label for metrics and logs.
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

    /// The faulty claim, if there is one.
    pub fn claim(&self) -> Option<&str> {
        match self {
            Self::MissingClaim { claim } | Self::InvalidClaim { claim, .. } | Self::OtherOrg { claim } => Some(claim),
            _ => None,
        }
    }
}
