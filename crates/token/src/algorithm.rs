//! The algorithms for signing tokens: all of JOSE that are not symmetric.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
};

/// A signature algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
}

use Algorithm::{EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};

const NAMES: [(&str, Algorithm); 11] = [
    ("RS256", Rs256),
    ("RS384", Rs384),
    ("RS512", Rs512),
    ("PS256", Ps256),
    ("PS384", Ps384),
    ("PS512", Ps512),
    ("ES256", Es256),
    ("ES384", Es384),
    ("ES512", Es512),
    ("EdDSA", EdDsa),
    // RFC 9864's name for EdDSA with this curve.
    ("Ed25519", EdDsa),
];

/// The algorithms of an RSA key that does not name one.
pub(crate) const OF_RSA: [Algorithm; 6] = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512];

impl Algorithm {
    /// The algorithm of a name in a header or a key. Symmetric ones have none here: with them anybody who knows a
    /// public key could sign.
    pub(crate) fn find(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
    }

    pub(crate) fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Ps256 => &RSA_PSS_2048_8192_SHA256,
            Ps384 => &RSA_PSS_2048_8192_SHA384,
            Ps512 => &RSA_PSS_2048_8192_SHA512,
            Es256 => &ECDSA_P256_SHA256_FIXED,
            Es384 => &ECDSA_P384_SHA384_FIXED,
            Es512 => &ECDSA_P521_SHA512_FIXED,
            EdDsa => &ED25519,
        }
    }
}
