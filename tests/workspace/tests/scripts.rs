//! The output and builds of the scripts.

use std::io::Write as _;
use std::process::{Command, Stdio};

use fanfare_workspace_tests::tree::root;

/// How many tests passed, failed and were skipped, as `scripts/test.sh` counts them in a log.
fn counted(log: &str) -> String {
    let mut awk = Command::new("awk")
        .args(["-f", "scripts/test-results.awk"])
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("awk is there");
    awk.stdin.take().expect("a pipe").write_all(log.as_bytes()).expect("awk reads");
    let said = awk.wait_with_output().expect("awk ends");
    String::from_utf8(said.stdout).expect("text").trim().to_owned()
}

#[test]
fn a_skipped_test_is_counted_once() {
    let one = "running 1 test\nskipped test: kafka: no server\ntest kafka ... ok\n\n\
               test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
    assert_eq!(counted(one), "0 0 1");
    let in_turn = "test kafka ... skipped test: kafka: no server\nok\n\
                   test result: ok. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
    assert_eq!(counted(in_turn), "2 1 1");
}

#[test]
fn every_runner_is_understood() {
    assert_eq!(counted("# pass 4\n# fail 1\n# skipped 2\n"), "4 1 2");
    assert_eq!(
        counted("ℹ pass 4\nℹ fail 0\nℹ skipped 2\n5 passed, 1 failed, 3 skipped\n2 passed, 0 failed\n"),
        "11 1 5"
    );
    assert_eq!(counted("nothing of the kind\n"), "0 0 0");
}

/// `grep -q` ends at its first match: what writes into it may then die of a broken pipe, and with `pipefail` the match
/// reads as none.
#[test]
fn no_script_pipes_into_grep_that_ends_early() {
    let folder = root().join("scripts");
    let mut found = Vec::new();
    for script in std::fs::read_dir(folder).expect("the scripts").map(|entry| entry.expect("an entry").path()) {
        let text = std::fs::read_to_string(&script).expect("text");
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let piped = lines.filter(|line| line.split('|').skip(1).any(|to| to.trim_start().starts_with("grep -q")));
        found.extend(piped.map(|line| format!("{}: {line}", script.display())));
    }
    assert_eq!(found, [""; 0], "read the output whole, and compare it");
}

/// It would double the time of the first `make run`; only `BROKER=kafka` needs it.
#[test]
fn the_build_of_make_run_has_no_kafka_client() {
    let script = std::fs::read_to_string(root().join("scripts/run.sh")).expect("the script");
    let build = script.split("cargo build").nth(1).and_then(|rest| rest.split("\n  mkdir").next()).expect("a build");
    let words: Vec<&str> = build.split_whitespace().collect();
    assert!(words.contains(&"--no-default-features"), "{build}");
    let packages = words.windows(2).filter(|two| two[0] == "-p").flatten();
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--no-default-features", "--features", "nats", "--edges", "normal,build"])
        .args(packages)
        .current_dir(root())
        .output()
        .expect("cargo is there, it built this");
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    assert!(tree.contains("fanfare-auth") && tree.contains("async-nats"), "{tree}");
    for heavy in ["rdkafka-sys", "openssl-sys"] {
        assert!(!tree.contains(heavy), "{heavy} is built");
    }
}

/// The test hub enables the node's feature `embed`, and cargo then builds the node with it, too.
#[test]
fn tests_and_releases_are_built_without_the_test_hub() {
    let mixes = |line: &str| match line.matches("-p fanfare-").count() {
        0 => !line.contains("--exclude fanfare-testhub"),
        packages => packages > 1 && line.contains("-p fanfare-testhub"),
    };
    let mut found = Vec::new();
    for file in ["scripts/test.sh", "scripts/soak.sh", "scripts/release.sh", "scripts/bench.sh", "Dockerfile"] {
        let text = std::fs::read_to_string(root().join(file)).expect("the file").replace("\\\n", " ");
        let builds = text.lines().filter(|line| line.contains("cargo build") || line.contains("cargo test"));
        found.extend(builds.filter(|line| mixes(line)).map(|line| format!("{file}: {line}")));
    }
    assert_eq!(found, [""; 0], "the node is built with the test hub");
}
