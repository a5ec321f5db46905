//! The fan-out's folders as floors of a house: each imports only those below it.

use std::collections::BTreeSet;

use fanfare_workspace_tests::assert_none;
use fanfare_workspace_tests::imports::{imports, module_of};
use fanfare_workspace_tests::rust::is_test;
use fanfare_workspace_tests::tree::files;

const SOURCES: &str = "services/fanout/src/";

/// One folder, or one file, directly under `src`.
struct Floor {
    name: &'static str,
    /// Whether it neither waits, nor opens anything, nor reads a clock.
    pure: bool,
    /// Other things that it never names.
    never: &'static [&'static str],
}

const fn pure(name: &'static str) -> Floor {
    Floor { name, pure: true, never: &[] }
}

const fn edge(name: &'static str) -> Floor {
    Floor { name, pure: false, never: &[] }
}

/// All of them, from the ground up.
const FLOORS: &[Floor] = &[
    edge("clock"),
    // It reads the files of certificates and keys.
    edge("tls"),
    pure("rule"),
    pure("seal"),
    pure("operator"),
    pure("websocket"),
    // It reads the file that it is given.
    edge("document"),
    pure("vocabulary"),
    pure("limit"),
    pure("route"),
    pure("method"),
    pure("presence"),
    edge("config"),
    pure("projection"),
    pure("connection"),
    pure("roster"),
    Floor { name: "nodes", pure: false, never: HTTP },
    Floor { name: "groups", pure: false, never: HTTP },
    Floor { name: "pipeline", pure: false, never: HTTP },
    pure("shard"),
    Floor { name: "socket", pure: false, never: BROKER },
    edge("command"),
    edge("embed"),
];

/// Test tools of a node, which are in no shipped program.
const OF_TESTS: &[&str] = &["scene", "simulation"];

const HTTP: &[&str] = &["axum", "hyper"];
/// The sockets hold what the pipeline gives them, and never what reads the stream.
const BROKER: &[&str] = &[
    "fanfare_broker",
    "crate::pipeline::Pipeline",
    "crate::pipeline::decode",
    "crate::pipeline::to_message",
    "crate::pipeline::reader",
];
/// What waits, listens, or reads a clock.
const IMPURE: &[&str] = &[
    "tokio",
    "axum",
    "hyper",
    "mio",
    "reqwest",
    "fanfare_broker",
    "std::fs",
    "std::env",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "std::time::Instant::now",
    "std::time::SystemTime::now",
];
/// The plain values that the broker crate defines.
const BROKER_VALUES: &[&str] = &["AgeClock", "PartitionRange", "Position", "PublishError", "Record"];

/// Exceptions for pure folders.
const BUT: &[(&str, &str)] = &[
    // The queue in which an embedder's code receives a client's upload.
    ("services/fanout/src/method/handler.rs", "tokio::sync::mpsc"),
];

/// Every path that the shipped code of a floor names, with its file.
fn named(floor: &str) -> Vec<(String, String)> {
    let sources = files(&[".rs"]);
    let inside = |path: &str| path.starts_with(&format!("{floor}/")) || path == format!("{floor}.rs");
    let mut found = Vec::new();
    for file in &sources {
        let Some(path) = file.path.strip_prefix(SOURCES).filter(|path| inside(path) && !is_test(path)) else {
            continue;
        };
        found.extend(imports(&file.text, &module_of(path)).into_iter().map(|import| (file.path.clone(), import)));
    }
    found
}

/// Whether `path` is `name` or within it.
fn lies_in(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn is_broker_value(path: &str) -> bool {
    path.strip_prefix("fanfare_broker::")
        .and_then(|rest| rest.split("::").next())
        .is_some_and(|name| BROKER_VALUES.contains(&name))
}

#[test]
fn a_folder_imports_only_those_below_it() {
    let mut faults = Vec::new();
    for (height, floor) in FLOORS.iter().enumerate() {
        let above: Vec<&str> =
            FLOORS[height + 1..].iter().map(|floor| floor.name).chain(OF_TESTS.iter().copied()).collect();
        for (file, import) in named(floor.name) {
            let up = above.iter().find(|name| lies_in(&import, &format!("crate::{name}")));
            faults.extend(up.map(|_| format!("{file} imports {import}, which lies above it")));
        }
    }
    assert_none("a folder of the fan-out imports from above", &faults);
}

#[test]
fn pure_code_neither_waits_nor_reads_a_clock() {
    let mut faults = Vec::new();
    for floor in FLOORS {
        let pure: &[&str] = if floor.pure { IMPURE } else { &[] };
        for (file, import) in named(floor.name) {
            let forbidden = pure.iter().chain(floor.never).find(|name| lies_in(&import, name));
            let is_known = BUT.iter().any(|(of, name)| *of == file && lies_in(&import, name));
            if forbidden.is_some() && !is_broker_value(&import) && !is_known {
                faults.push(format!("{file} names {import}"));
            }
        }
    }
    assert_none("a folder of the fan-out sees what it must not", &faults);
}

#[test]
fn every_folder_is_a_floor() {
    let files = files(&[".rs"]);
    let there: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.path.strip_prefix(SOURCES))
        .map(|path| path.split('/').next().unwrap_or(path).trim_end_matches(".rs"))
        .filter(|name| !matches!(*name, "lib" | "main"))
        .collect();
    let known: BTreeSet<&str> = FLOORS.iter().map(|floor| floor.name).chain(OF_TESTS.iter().copied()).collect();
    let differing: Vec<String> = there.symmetric_difference(&known).map(|name| (*name).to_owned()).collect();
    assert_none("a folder of the fan-out has no floor, or a floor no folder", &differing);
}
