//! Processes are killed, stopped and cut off while tabs listen and producers publish; nothing is lost.
//!
//! Each run is drawn from a seed, which is printed. `FANFARE_FAULT_SEED` repeats one, `FANFARE_FAULT_RUNS` is the
//! number of runs per broker.

mod fleet;
mod load;
mod nodes;
mod outages;
mod plan;
mod refusals;
mod report;
mod run;
mod soak;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write as _;

use fanfare_e2e_tests::backplane::Kind;

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
    // Short enough to type.
    (0..runs).map(|_| RandomState::new().build_hasher().finish() % 1_000_000).collect()
}

/// Prints a line that is also shown when the test passes: the test harness captures what macros print.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Seeded runs.
mod faults {
    use super::*;

    pub(crate) async fn faults_lose_nothing(kind: Kind) {
        for seed in seeds() {
            say(&format!("{}: FANFARE_FAULT_SEED={seed}", kind.name()));
            let Some(report) = run::run(kind, seed).await else { return };
            say(&report.to_string());
            report.expect_good();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_on_the_embedded_log_lose_nothing() {
    faults::faults_lose_nothing(Kind::Embedded).await;
}

/// The same tests on each broker that several nodes can share.
macro_rules! on_brokers {
    ($($from:ident :: $test:ident),* $(,)?) => {
        mod nats {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$from::$test(super::Kind::Nats).await;
            })*
        }
        mod kafka {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$from::$test(super::Kind::Kafka).await;
            })*
        }
    };
}

on_brokers! {
    faults::faults_lose_nothing,
    outages::a_node_waits_for_a_broker_that_is_away_at_start,
    outages::tabs_stay_while_the_broker_is_away,
    outages::a_slow_broker_delays_and_loses_nothing,
    outages::connections_that_are_lost_without_a_word_are_given_up,
    outages::a_flood_of_poison_is_set_aside,
    outages::a_purged_stream_is_told_to_who_resumes,
    nodes::a_cursor_is_good_on_a_node_that_started_later,
    nodes::a_stateful_connection_is_never_deaf_on_another_node,
    nodes::clocks_may_differ,
    nodes::other_routes_are_named,
}

/// `make soak`: minutes of churn and broker faults, and the nodes' memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; `make soak` runs it"]
async fn soak() {
    let kind = match std::env::var("FANFARE_SOAK_BROKER").as_deref() {
        Ok("embedded") => Kind::Embedded,
        Ok("nats") | Err(_) => Kind::Nats,
        Ok("kafka") => Kind::Kafka,
        Ok(other) => panic!("FANFARE_SOAK_BROKER is {other}, but must be embedded, nats or kafka"),
    };
    let time = std::time::Duration::from_secs(number("FANFARE_SOAK_SECONDS").unwrap_or(300));
    let seed = seeds()[0];
    say(&format!("{}: FANFARE_FAULT_SEED={seed}", kind.name()));
    soak::soak(kind, time, seed).await;
}
