//! Forbidden dependencies between packages.

use fanfare_workspace_tests::assert_none;
use fanfare_workspace_tests::graph::Graph;

/// Everything that opens a socket or waits for one.
const SOCKETS: &[&str] = &["tokio", "axum", "hyper", "reqwest", "socket2"];
/// The brokers' clients, and the crate that wraps them.
const BROKERS: &[&str] = &["fanfare-broker", "redb", "async-nats", "rdkafka", "rskafka", "krafka"];
const STAGES: &[&str] =
    &["fanfare-event", "fanfare-broker", "fanfare-outbox", "fanfare-token", "fanfare-signalr", "fanfare-producer"];
const PRODUCERS: &[&str] =
    &["fanfare-producer", "fanfare-outbox", "fanfare-auth", "fanfare-license", "fanfare-export", "sqlx"];
/// What a producer must not depend on: it publishes to the broker or over HTTP, and knows neither nodes nor hubs.
///
/// The broker crate is allowed: producers and nodes share the stream, and a producer that publishes to it needs no
/// running node.
const FANOUT: &[&str] = &["fanfare-fanout", "fanfare-signalr"];
/// Packages without a broker.
const NO_BROKER: &[&str] = &["fanfare-fanout", "fanfare-signalr", "fanfare-broker"];

/// The packages and their forbidden dependencies, direct or transitive.
const NEVER_SEES: &[(&str, &[&[&str]])] = &[
    ("fanfare-failure", &[SOCKETS, STAGES]),
    ("fanfare-event", &[SOCKETS, BROKERS]),
    ("fanfare-broker", &[&["fanfare-event", "fanfare-signalr", "axum"]]),
    ("fanfare-outbox", &[FANOUT, &["axum"]]),
    ("fanfare-token", &[&["axum"], NO_BROKER]),
    ("fanfare-signalr", &[SOCKETS, &["fanfare-event"]]),
    ("fanfare-telemetry", &[STAGES, &["axum"]]),
    ("fanfare-fanout", &[PRODUCERS]),
    ("fanfare-producer", &[FANOUT]),
    ("fanfare-auth", &[FANOUT]),
    ("fanfare-license", &[FANOUT]),
    ("fanfare-export", &[FANOUT]),
    ("fanfare-relay", &[FANOUT]),
];

/// Packages that test or measure the others and may depend on any of them.
const SEE_ALL: &[&str] = &[
    "fanfare-workspace-tests",
    "fanfare-e2e-tests",
    "fanfare-bench",
    "fanfare-testhub",
    "fanfare-test-servers",
    "fanfare-attackers",
];

#[test]
fn no_package_sees_what_it_must_not() {
    let graph = Graph::of_workspace();
    let mut faults = Vec::new();
    for (package, forbidden) in NEVER_SEES {
        let reach = graph.reach(package);
        faults.extend(forbidden.iter().flat_map(|names| names.iter()).filter_map(|name| reach.get(name)).cloned());
    }
    assert_none("a package depends on one that it must never see", &faults);
}

#[test]
fn every_package_has_a_row() {
    let graph = Graph::of_workspace();
    let rows: Vec<&str> = NEVER_SEES.iter().map(|(package, _)| *package).chain(SEE_ALL.iter().copied()).collect();
    let without: Vec<String> = graph
        .members()
        .filter(|member| !rows.contains(&member.name.as_str()))
        .map(|member| member.name.clone())
        .collect();
    assert_none("a package of the workspace has no row in NEVER_SEES", &without);
    let gone = NEVER_SEES.iter().map(|(package, _)| *package).filter(|row| graph.package(row).is_none());
    assert_none("a row names a package that is gone", &gone.map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn nobody_builds_on_the_fanout() {
    let others: Vec<String> = Graph::of_workspace()
        .dependents("fanfare-fanout")
        .into_iter()
        .filter(|name| !SEE_ALL.contains(name))
        .map(str::to_owned)
        .collect();
    assert_none("a package depends on fanfare-fanout, which is a program and no library for others", &others);
}
