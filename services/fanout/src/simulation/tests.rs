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

/// Other seeds every second.
fn run_many(most: u64) {
    if let Some(seed) = number(SEED) {
        return run(seed);
    }
    let first = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs()) << 16;
    let seeds = number(SEEDS).unwrap_or(most);
    eprintln!("seeds from {first}, {seeds} of them");
    (first..first + seeds).for_each(run);
}

#[test]
fn nothing_is_lost_and_nobody_hears_what_is_not_theirs() {
    run_many(200);
}

#[test]
#[ignore = "minutes long: for soaking"]
fn nothing_is_lost_in_thousands_of_runs() {
    run_many(5_000);
}
