//! The runs.

use std::time::{SystemTime, UNIX_EPOCH};

use super::world::World;

/// Replays one seed.
const SEED: &str = "FANFARE_SIMULATION_SEED";

/// How many seeds are tried.
const SEEDS: &str = "FANFARE_SIMULATION_SEEDS";

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

fn run(seed: u64) {
    if let Err(fault) = World::new(seed).run() {
        panic!("{fault}\nreplay with {SEED}={seed}");
    }
}

fn run_many(first: u64, most: u64) {
    if let Some(seed) = number(SEED) {
        return run(seed);
    }
    let seeds = number(SEEDS).unwrap_or(most);
    eprintln!("seeds from {first}, {seeds} of them");
    (first..first + seeds).for_each(run);
}

/// The same seeds each time: a change that breaks one has broken it, and others are tried in the long run.
#[test]
fn nothing_is_lost_and_nobody_hears_what_is_not_theirs() {
    run_many(0, 200);
}

#[test]
#[ignore = "minutes long: for soaking"]
fn nothing_is_lost_in_thousands_of_runs() {
    // Other seeds every second.
    let first = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs()) << 16;
    run_many(first, 5_000);
}
