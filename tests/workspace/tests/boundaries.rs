//! Who may not depend on whom.

use fanfare_workspace_tests::assert_none;
use fanfare_workspace_tests::graph::Graph;
use fanfare_workspace_tests::rust::{is_test, shipped_lines};
use fanfare_workspace_tests::tree::files;

/// Everything that opens a socket or waits for one.
const SOCKETS: &[&str] = &["tokio", "axum", "hyper", "reqwest", "socket2"];
/// The clients of the brokers, and the crate that wraps them.
const BROKERS: &[&str] = &["fanfare-broker", "redb", "async-nats", "rdkafka", "rskafka", "krafka"];
const STAGES: &[&str] =
    &["fanfare-event", "fanfare-broker", "fanfare-outbox", "fanfare-token", "fanfare-signalr", "fanfare-producer"];
const PRODUCERS: &[&str] =
    &["fanfare-producer", "fanfare-outbox", "fanfare-auth", "fanfare-license", "fanfare-export", "sqlx"];
/// What a producer must not need: it publishes to the broker or over HTTP, and knows neither nodes nor hubs.
///
/// The broker's crate is none of these: the stream is what producers and nodes share, and a producer that publishes to
/// it needs no node to be up.
const FANOUT: &[&str] = &["fanfare-fanout", "fanfare-signalr"];
/// What has no need of a broker at all.
const NO_BROKER: &[&str] = &["fanfare-fanout", "fanfare-signalr", "fanfare-broker"];

/// The packages and what they never see, directly or through others.
const NEVER_SEES: &[(&str, &[&[&str]])] = &[
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

/// Packages that test or measure the others and so may see any of them.
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

/// A folder of the fan-out and the words that its shipped code never holds.
struct Stage {
    folder: &'static str,
    never: &'static [&'static str],
    /// Longer words that hold a forbidden one and are allowed all the same.
    but: &'static [&'static str],
}

/// What the broker's crate defines as plain values; what reads and writes is the rest of it.
const BROKER_VALUES: &[&str] = &[
    "fanfare_broker::AgeClock",
    "fanfare_broker::Position",
    "fanfare_broker::PublishError",
    "fanfare_broker::Record",
    "fanfare_broker::{Position, Record}",
];
/// What waits, listens, or looks at a clock.
const IMPURE: &[&str] =
    &["tokio", "axum", "hyper", "reqwest", "fanfare_broker", "crate::socket", "crate::pipeline", "::now("];

/// What Cargo cannot tell apart inside one package.
///
/// Pure stages neither wait nor look at a clock. The pipeline knows no sockets. The sockets know no broker: they hold
/// what the pipeline hands out for publishing, for replay and about its state, and never what reads the stream.
const STAGES_OF_FANOUT: &[Stage] = &[
    Stage { folder: "route", never: IMPURE, but: BROKER_VALUES },
    Stage { folder: "projection", never: IMPURE, but: BROKER_VALUES },
    Stage { folder: "connection", never: IMPURE, but: BROKER_VALUES },
    Stage { folder: "limit", never: IMPURE, but: &[] },
    Stage { folder: "groups", never: &["axum", "hyper", "crate::socket", "crate::pipeline"], but: &[] },
    Stage { folder: "pipeline", never: &["axum", "hyper", "crate::socket"], but: &[] },
    Stage {
        folder: "socket",
        never: &[
            "fanfare_broker",
            "pipeline::Pipeline",
            "pipeline::decode",
            "pipeline::to_message",
            "pipeline::reader",
        ],
        but: BROKER_VALUES,
    },
];

#[test]
fn the_stages_of_the_fanout_keep_to_themselves() {
    let sources = files(&[".rs"]);
    let mut faults = Vec::new();
    for stage in STAGES_OF_FANOUT {
        let place = format!("services/fanout/src/{}", stage.folder);
        let inside = |path: &str| path.starts_with(&format!("{place}/")) || path == format!("{place}.rs");
        for file in sources.iter().filter(|file| inside(&file.path) && !is_test(&file.path)) {
            for (line, code) in shipped_lines(&file.text) {
                let held = stage.held(code).map(|word| format!("{}:{line} holds {word}", file.path));
                faults.extend(held);
            }
        }
    }
    assert_none("a stage of the fan-out sees what it must not", &faults);
}

impl Stage {
    fn held(&self, code: &str) -> impl Iterator<Item = &'static str> {
        let rest = self.but.iter().fold(code.to_owned(), |rest, allowed| rest.replace(allowed, ""));
        self.never.iter().copied().filter(move |word| rest.contains(word))
    }
}

#[test]
fn a_forbidden_word_is_found_and_an_allowed_one_is_not() {
    let stage = Stage { folder: "x", never: &["fanfare_broker", "tokio"], but: &["fanfare_broker::Position"] };
    assert_eq!(stage.held("use fanfare_broker::Position;").count(), 0);
    assert_eq!(stage.held("use fanfare_broker::{Broker, Position};").collect::<Vec<_>>(), ["fanfare_broker"]);
    assert_eq!(stage.held("tokio::spawn(fanfare_broker::Position::new)").collect::<Vec<_>>(), ["tokio"]);
}
