//! Certificates of a private authority.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
};

/// PEM files: an authority, and certificates that it has signed.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority's certificate.
    pub ca: PathBuf,
    /// A server at 127.0.0.1 and localhost: its certificate and its key.
    pub server: (PathBuf, PathBuf),
    /// A client: its certificate and its key.
    pub client: (PathBuf, PathBuf),
}

impl Certificates {
    /// Writes new ones into a folder.
    pub fn write(folder: &Path) -> Self {
        Self::write_good(folder, (1975, 1, 1), (4096, 1, 1))
    }

    /// The same, with servers and clients that are valid from one day until another.
    pub fn write_good(folder: &Path, from: (i32, u8, u8), until: (i32, u8, u8)) -> Self {
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "an authority for tests");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, key()).expect("an authority");
        let ca = folder.join("ca.pem");
        std::fs::write(&ca, authority.pem()).expect("written");
        let issue = |name: &str, names: &[&str], purposes: &[ExtendedKeyUsagePurpose]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut params = CertificateParams::new(names).expect("names");
            params.distinguished_name.push(DnType::CommonName, name);
            params.extended_key_usages = purposes.to_vec();
            params.not_before = date_time_ymd(from.0, from.1, from.2);
            params.not_after = date_time_ymd(until.0, until.1, until.2);
            let key = key();
            let certificate = params.signed_by(&key, &authority).expect("a certificate");
            let files = (folder.join(format!("{name}.pem")), folder.join(format!("{name}-key.pem")));
            std::fs::write(&files.0, certificate.pem()).expect("written");
            std::fs::write(&files.1, key.serialize_pem()).expect("written");
            files
        };
        // Servers of a cluster are each other's clients, and Kafka checks at its start that its certificate allows
        // that.
        let both = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let server = issue("server", &["127.0.0.1", "localhost"], &both);
        let client = issue("client", &["client"], &both[1..]);
        Self { ca, server, client }
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}
