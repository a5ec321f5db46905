//! Certificates and keys in files, sound and faulty.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::docs::{examples, manual};
use super::*;
use crate::tls::Age;

/// A root, an authority between, a server and its key; all in PEM.
struct Chain {
    root: String,
    between: String,
    server: String,
    key: String,
}

impl Chain {
    fn new() -> Self {
        let key = || KeyPair::generate().expect("a key");
        let params = |name: &str, is_ca: bool| {
            let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
            params.distinguished_name.push(DnType::CommonName, name);
            params.not_before = rcgen::date_time_ymd(2024, 2, 29);
            params.not_after = rcgen::date_time_ymd(2051, 7, 1);
            if is_ca {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }
            params
        };
        let root = CertifiedIssuer::self_signed(params("root", true), key()).expect("a root");
        let between = CertifiedIssuer::signed_by(params("between", true), key(), &root).expect("an authority");
        let own = key();
        let server = params("fanfare.internal", false).signed_by(&own, &between).expect("a certificate");
        Self { root: root.pem(), between: between.pem(), server: server.pem(), key: own.serialize_pem() }
    }
}

/// The faults of a node whose listener has these files.
fn told_of(certificate: &str, key: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tls.crt"), certificate).unwrap();
    std::fs::write(folder.path().join("tls.key"), key).unwrap();
    let text = format!("{LEAST}\n[node.tls]\ncert_file = \"tls.crt\"\nkey_file = \"tls.key\"\n");
    match parse_in(folder.path(), &text) {
        Ok(_) => Vec::new(),
        Err(faults) => {
            faults.iter().map(|fault| fault.to_string().replace(&folder.path().display().to_string(), "")).collect()
        }
    }
}

#[test]
fn faults_of_certificate_files_are_reported_with_their_place() {
    let (chain, other) = (Chain::new(), Chain::new());
    let Chain { root, between, server, key } = &chain;
    let none: [&str; 0] = [];
    for sound in
        [server.clone(), format!("{server}{between}"), format!("{server}{between}{root}"), format!("{key}{server}")]
    {
        assert_eq!(told_of(&sound, key), none);
    }
    let certificate = "/fanfare.toml:15:1: `cert_file` ";
    let of_key = "/fanfare.toml:16:1: `key_file` ";
    let cut = server.replace("MII", "AII");
    for (shown, by, expected) in [
        (&String::new(), key, format!("{certificate}holds no certificate in PEM: /tls.crt")),
        (key, key, format!("{certificate}holds no certificate in PEM: /tls.crt")),
        (&cut, key, format!("{certificate}holds a certificate, number 1, that cannot be read: /tls.crt")),
        (
            &format!("{between}{server}"),
            key,
            format!("{certificate}has the certificate of the key at place 2: it must come first"),
        ),
        (
            &format!("{server}{root}{between}"),
            key,
            format!("{certificate}is a chain in the wrong order: certificate 1 was not signed by the one behind it"),
        ),
        (server, &String::new(), format!("{of_key}holds no private key in PEM: /tls.key")),
        (server, &other.key, format!("{of_key}holds the key of another certificate: /tls.key")),
    ] {
        let told = told_of(shown, by);
        assert!(told.len() == 1 && told[0].starts_with(&expected), "expected {expected}\ntold {told:#?}");
    }
}

#[test]
fn the_time_of_a_certificate_is_read() {
    let (folder, chain) = (tempfile::tempdir().unwrap(), Chain::new());
    std::fs::write(folder.path().join("tls.crt"), &chain.server).unwrap();
    std::fs::write(folder.path().join("tls.key"), &chain.key).unwrap();
    let text = format!("{LEAST}\n[node.operator_tls]\ncert_file = \"tls.crt\"\nkey_file = \"tls.key\"\n");
    let config = parse_in(folder.path(), &text).unwrap_or_else(|faults| panic!("{}", faults[0]));
    let [shown] = &config.node.tls.shown()[..] else { panic!("one certificate") };
    // From a leap day, in the short form of years, until a day in the long one.
    assert_eq!((shown.by, shown.validity.from, shown.validity.until), ("operator", 1_709_164_800, 2_571_782_400));
    assert_eq!(shown.validity.at(1_709_164_799), Age::NotYet);
}

#[test]
fn the_tls_example_is_valid_and_its_nodes_trust_each_other() {
    let (folder, chain) = (tempfile::tempdir().unwrap(), Chain::new());
    for name in ["tls/tls", "operator/tls"] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path.with_extension("crt"), format!("{}{}", chain.server, chain.between)).unwrap();
        std::fs::write(path.with_extension("key"), &chain.key).unwrap();
    }
    std::fs::write(folder.path().join("operator/ca.crt"), &chain.root).unwrap();
    let page = manual("configuration.md");
    let example = examples(&page)[1].replace("/etc/fanfare/", "");
    let shared = LEAST.replace("embedded:log", "nats://127.0.0.1:4222").replace(
        "data = \"data\"",
        "data = \"data\"\nsecret = \"0123456789abcdef0123456789abcdef\"\nadvertise = \"node-1:9090\"",
    );
    let told = |text: &str| match parse_in(folder.path(), &format!("{shared}{text}")) {
        Ok(config) => Ok(config),
        Err(faults) => Err(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    };
    let config = told(&example).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.node.advertise.as_deref(), Some("https://node-1:9090"), "as its listener speaks");
    let (listeners, _) = example.split_once("[node.peers]").expect("an example");
    let faults = told(listeners).unwrap_err();
    assert!(
        faults.contains("[node.tls]: the nodes ask each other over TLS, and nothing says whom they trust"),
        "{faults}"
    );
    let faults = told(&format!("{listeners}[node.peers]\nca_file = \"operator/ca.crt\"\n")).unwrap_err();
    assert!(faults.contains("the nodes have none to show each other"), "{faults}");
    let faults = told(&example.replace("fanfare.internal", "fanfare internal")).unwrap_err();
    assert!(faults.contains("no name of a server: \"fanfare internal\""), "{faults}");
    let faults = told(
        &example
            .replace("minimum", "")
            .replace("key_file = \"tls/tls.key\"", "key_file = \"tls/tls.key\"\nminimum_version = \"1.1\""),
    )
    .unwrap_err();
    assert!(faults.contains("there is no `minimum_version` \"1.1\""), "{faults}");
    let faults =
        told(&example.replace("[node.tls]\n", "[node.tls]\nclient_ca_file = \"operator/ca.crt\"\n")).unwrap_err();
    assert!(faults.contains("[node.tls] has no key `client_ca_file`"), "{faults}");
}
