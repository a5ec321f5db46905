//! The benchmarks still work: each kind of client once, on builds that say nothing about speed.

use std::process::Command;

#[test]
fn every_kind_of_client_of_the_benchmarks_still_reaches_a_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = env!("CARGO_BIN_EXE_fanfare-bench");
    let node = std::path::Path::new(bench).with_file_name("fanfare");
    assert!(node.exists(), "{} is missing: cargo build --workspace --bins makes it", node.display());
    let output = Command::new(bench)
        .args(["--pairs", "1", "publish_latency_1", "connect_storm_5k", "analytics_100", "forwarded", "tls"])
        .arg("hostile_hub_pings")
        .arg("--lines")
        .arg(folder.path())
        .arg("--charts")
        .arg(folder.path())
        .output()
        .expect("the benchmarks start");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let charts = std::fs::read_dir(folder.path()).expect("charts").filter_map(Result::ok);
    let charts = charts.filter(|file| file.file_name().to_string_lossy().ends_with(".svg")).count();
    assert!(charts >= 3, "{charts} charts\n{said}");
}
