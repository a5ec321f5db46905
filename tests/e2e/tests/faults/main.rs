//! Processes are killed, stopped and cut off while tabs listen and producers publish; nothing is lost.
//!
//! Each run is drawn from a seed, which is printed; `FANFARE_FAULT_SEED` repeats one, `FANFARE_FAULT_RUNS` says how many
//! there are for each broker.

mod backplane;
mod follower;
mod load;
mod plan;
mod report;
mod run;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write as _;

use backplane::Kind;

const RUNS: usize = 3;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text}, but must be a number")))
}

/// The seeds of this test run.
fn seeds() -> Vec<u64> {
    if let Some(seed) = number("FANFARE_FAULT_SEED") {
        return vec![seed];
    }
    let runs = number("FANFARE_FAULT_RUNS").map_or(RUNS, |runs| usize::try_from(runs).expect("a few"));
    // Short enough to be typed.
    (0..runs).map(|_| RandomState::new().build_hasher().finish() % 1_000_000).collect()
}

/// Prints a line that is also seen when the test passes: the test harness keeps what macros print.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

async fn survive(kind: Kind) {
    for seed in seeds() {
        say(&format!("{}: FANFARE_FAULT_SEED={seed}", kind.name()));
        let Some(report) = run::run(kind, seed).await else { return };
        say(&report.to_string());
        report.expect_good();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_on_the_embedded_log_lose_nothing() {
    survive(Kind::Embedded).await;
}
