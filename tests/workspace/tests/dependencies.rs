//! The dependencies of the workspace.

use fanfare_workspace_tests::assert_none;
use fanfare_workspace_tests::graph::{Graph, Package};
use fanfare_workspace_tests::licence;

/// Crates that no build may contain.
const BANNED: &[(&str, &str)] = &[
    ("ring", "the crypto provider is aws-lc-rs, and one is enough"),
    ("openssl", "TLS is rustls"),
    ("native-tls", "TLS is rustls"),
];

#[test]
fn there_is_one_crypto_provider() {
    let graph = Graph::of_workspace();
    let found = BANNED.iter().filter(|(name, _)| graph.package(name).is_some());
    let faults: Vec<String> =
        found.map(|(name, why)| format!("{name}: {why}; `cargo tree -i {name}` tells who asks for it")).collect();
    assert_none("a banned crate is built", &faults);
    assert!(graph.package("aws-lc-rs").is_some(), "the crypto provider is aws-lc-rs");
}

/// librdkafka supports TLS and SCRAM only through OpenSSL; nothing else here may use it.
#[test]
fn only_librdkafka_needs_openssl() {
    assert_eq!(Graph::of_workspace().needed_by("openssl-sys"), ["rdkafka-sys"]);
}

#[test]
fn only_programs_and_tests_use_anyhow() {
    let graph = Graph::of_workspace();
    let faults: Vec<String> = graph
        .members()
        .filter(|member| member.needs.iter().any(|&at| graph.packages[at].name == "anyhow"))
        .filter(|member| !member.has_binary && !member.folder.ends_with("tests/e2e"))
        .map(|member| format!("{} has no binary; a library says whose fault an error is", member.name))
        .collect();
    assert_none("a library depends on anyhow", &faults);
}

/// Crates that exist in several versions, and why that cannot be avoided here.
const SEVERAL_VERSIONS: &[(&str, &str)] = &[
    ("base64", "hyper-util and reqwest are on 0.23, jsonwebtoken and pem on 0.22"),
    ("block-buffer", "comes with the two versions of digest"),
    ("cpufeatures", "comes with the two versions of sha2"),
    ("crypto-common", "comes with the two versions of digest"),
    ("digest", "comes with the two versions of sha2"),
    ("getrandom", "comes with the two versions of rand_core"),
    ("hashbrown", "sqlx is on 0.16, indexmap on 0.17"),
    ("heck", "ouroboros, which apache-avro builds with, is on 0.4; only macros"),
    ("pem", "rcgen, which only tests use, is on 4, jsonwebtoken on 3"),
    ("rand", "async-nats is on 0.8, opentelemetry_sdk on 0.9, apache-avro and proptest on 0.10"),
    ("rand_chacha", "comes with the versions of rand"),
    ("rand_core", "comes with the versions of rand"),
    ("sha2", "sqlx-core is on 0.10, sqlx-postgres on 0.11"),
    ("syn", "macros move from 2 to 3 one by one; nothing of it is in a binary"),
    ("untrusted", "aws-lc-rs is on 0.7, rustls-webpki on 0.9"),
];

#[test]
fn a_crate_exists_once_or_with_a_reason() {
    let several = Graph::of_workspace().several_versions();
    let listed = |name: &str| SEVERAL_VERSIONS.iter().any(|(known, _)| *known == name);
    let faults: Vec<String> = several
        .iter()
        .filter(|(name, _)| !listed(name))
        .map(|(name, versions)| format!("{name} {}; `cargo tree -d` tells who asks for which", versions.join(", ")))
        .collect();
    assert_none("a crate exists in several versions and is not in SEVERAL_VERSIONS", &faults);
    let stale: Vec<String> = SEVERAL_VERSIONS
        .iter()
        .filter(|(name, _)| !several.contains_key(name))
        .map(|(name, _)| format!("{name}: take it out of SEVERAL_VERSIONS"))
        .collect();
    assert_none("a crate is listed but exists once", &stale);
}

/// Licences that only require their text to be kept.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[test]
fn every_licence_is_allowed() {
    let graph = Graph::of_workspace();
    let allowed =
        |package: &Package| package.licence.as_deref().is_some_and(|terms| licence::is_allowed(terms, LICENCES));
    let faults: Vec<String> = graph
        .packages
        .iter()
        .filter(|package| !allowed(package))
        .map(|package| format!("{} {}: {:?}", package.name, package.version, package.licence))
        .collect();
    assert_none("a crate's licence is not in LICENCES", &faults);
}
