//! The runs.

use std::time::{SystemTime, UNIX_EPOCH};

use super::rule::{Rule, Rules};
use super::world::World;

/// Replays one seed.
const SEED: &str = "FANFARE_SIMULATION_SEED";

/// How many seeds are tried.
const SEEDS: &str = "FANFARE_SIMULATION_SEEDS";

/// How many runs a broken rule may stay unnoticed.
const UNNOTICED: u64 = 500;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

fn fault(seed: u64) -> Option<String> {
    let fault = World::new(seed, Rules::all()).run().err()?;
    Some(format!("{fault}\nreplay with {SEED}={seed}"))
}

fn run(seed: u64) {
    if let Some(fault) = fault(seed) {
        panic!("{fault}");
    }
}

fn run_many(first: u64, most: u64) {
    if let Some(seed) = number(SEED) {
        return run(seed);
    }
    let seeds = number(SEEDS).unwrap_or(most);
    eprintln!("seeds from {first}, {seeds} of them");
    let faults = (first..first + seeds).filter_map(fault).inspect(|fault| eprintln!("{fault}")).count();
    assert_eq!(faults, 0, "so many of {seeds} runs failed");
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

/// Runs that break a rule fail, and the first seed that shows it passes with every rule kept.
fn is_noticed(rule: Rule) {
    let broken = |seed: u64| World::new(seed, Rules::but(rule)).run().err().map(|fault| (seed, fault));
    let found = (0..UNNOTICED).find_map(broken);
    let (seed, fault) = found.unwrap_or_else(|| panic!("{UNNOTICED} runs without this are not noticed: {rule:?}"));
    eprintln!("{rule:?}: seed {seed}: {}", fault.lines().next().unwrap_or_default());
    run(seed);
}

macro_rules! noticed {
    ($($name:ident: $rule:ident,)*) => { $(
        #[test]
        fn $name() {
            is_noticed(Rule::$rule);
        }
    )* };
}

mod without {
    use super::{Rule, is_noticed};

    noticed! {
        state_that_is_read_before_the_log: StateBeforeLive,
        a_new_stream_told_from_its_window: NewStreamLive,
        the_state_of_a_new_stream: StateOfNewStream,
        tabs_that_are_closed_for_the_state_of_a_new_stream: CloseForNewState,
        state_that_is_read_again_after_a_gap: StateAfterGap,
        tabs_that_are_closed_at_a_gap: CloseAtGap,
        events_that_are_told_once: Deduplicate,
        order: OrderKept,
        tokens_that_are_refused_at_connect: RefuseAtConnect,
        a_second_look_after_joining: LookAfterJoining,
        groups_that_are_announced_before_the_look: JoinBeforeLook,
        logouts_that_are_felt: LogoutFelt,
        withdrawals_that_are_felt: WithdrawalFelt,
        roles_that_are_felt: RolesFelt,
        grants_that_bound_a_resume: GrantsOnResume,
        resumes_from_the_cursor: ResumeFromCursor,
        resumes_that_say_what_is_missing: IncompleteSaid,
        cursors_behind_what_was_queued: CursorBehindDeliveries,
        what_is_retained_at_connect: RetainedAtConnect,
    }
}
