//! Rules over the source tree.

use fanfare_workspace_tests::assert_none;
use fanfare_workspace_tests::rust::{is_binary, is_test, shipped_lines};
use fanfare_workspace_tests::tree::{SourceFile, files};

const MOST_LINES: usize = 400;

/// Files that are longer, and why they cannot be split.
const LONGER: &[(&str, &str)] = &[];

#[test]
fn no_file_is_too_long_to_read() {
    let sources = files(&[".rs", ".ts", ".tsx", ".mjs"]);
    let too_long = |file: &&SourceFile| file.text.lines().count() > MOST_LINES;
    let listed = |path: &str| LONGER.iter().any(|(known, _)| *known == path);
    let faults: Vec<String> = sources
        .iter()
        .filter(too_long)
        .filter(|file| !listed(&file.path))
        .map(|file| format!("{}: {} lines", file.path, file.text.lines().count()))
        .collect();
    assert_none("a file has more than 400 lines and is not in LONGER", &faults);
    let still_long = |path: &str| sources.iter().filter(too_long).any(|file| file.path == path);
    let stale: Vec<String> =
        LONGER.iter().filter(|(path, _)| !still_long(path)).map(|(path, _)| (*path).to_owned()).collect();
    assert_none("a file is in LONGER but is gone or short", &stale);
}

/// Library files that read the environment, and why.
const READS_ENVIRONMENT: &[(&str, &str)] = &[(
    "crates/telemetry/src/settings.rs",
    "logs are set up before a service has read its configuration, and the OTEL_ variables are the standard's own",
)];

#[test]
fn only_programs_read_the_environment() {
    let words = ["env::var", "env::vars", "env::var_os"];
    let found = shipped_with(&words);
    let faults: Vec<String> = found
        .iter()
        .filter(|(path, _)| !is_binary(path) && !READS_ENVIRONMENT.iter().any(|(known, _)| known == path))
        .map(|(path, line)| format!("{path}:{line}"))
        .collect();
    assert_none("a library reads the environment; take the value as a parameter", &faults);
    let stale = READS_ENVIRONMENT.iter().filter(|(known, _)| !found.iter().any(|(path, _)| path == known));
    assert_none(
        "a file is in READS_ENVIRONMENT but does not",
        &stale.map(|(path, _)| (*path).to_owned()).collect::<Vec<_>>(),
    );
}

#[test]
fn only_programs_end_the_process_or_use_anyhow() {
    let faults: Vec<String> = shipped_with(&["process::exit", "process::abort", "anyhow"])
        .into_iter()
        .filter(|(path, _)| !is_binary(path))
        .map(|(path, line)| format!("{path}:{line}"))
        .collect();
    assert_none("a library ends the process or uses anyhow", &faults);
}

/// Paths of one person's machine. Split, so that this file contains none.
const MACHINES: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/Use", "rs/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("C:\\Use", "rs\\"),
];

#[test]
fn no_file_knows_a_machine() {
    let mut faults = Vec::new();
    for file in files(&[]) {
        for (at, line) in file.text.lines().enumerate() {
            let found = MACHINES.iter().filter(|place| line.contains(*place));
            faults.extend(found.map(|place| format!("{}:{} holds {place}", file.path, at + 1)));
        }
    }
    assert_none("a file holds a path of somebody's machine", &faults);
}

/// Path and line of every shipped line of Rust, outside tests, that contains one of `words`.
fn shipped_with(words: &[&str]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for file in files(&[".rs"]).into_iter().filter(|file| !is_test(&file.path)) {
        let lines = shipped_lines(&file.text).filter(|(_, code)| words.iter().any(|word| code.contains(word)));
        found.extend(lines.map(|(line, _)| (file.path.clone(), line)));
    }
    found
}
