//! The runs.

use super::world::World;
use crate::rule::{Rule, break_one};

/// How many runs a broken rule may stay unnoticed.
const UNNOTICED: u64 = 600;

#[test]
fn every_member_gets_the_presence_snapshot() {
    let seed = std::env::var("FANFARE_SIMULATION_SEED").ok().and_then(|text| text.parse().ok());
    let seeds = seed.map_or(0..300, |seed: u64| seed..seed + 1);
    let faults: Vec<String> =
        seeds.filter_map(|seed| World::new(seed).run().err().map(|fault| format!("seed {seed}: {fault}"))).collect();
    assert!(faults.is_empty(), "{} runs failed:\n{}", faults.len(), faults.join("\n"));
}

fn is_noticed(rule: Rule) {
    let broken = |seed: u64| {
        let _broken = break_one(rule);
        World::new(seed).run().err().map(|fault| (seed, fault))
    };
    let found = (0..UNNOTICED).find_map(broken);
    let (seed, fault) = found.unwrap_or_else(|| panic!("{UNNOTICED} runs without this are not noticed: {rule:?}"));
    eprintln!("{rule:?}: seed {seed}: {fault}");
    World::new(seed).run().expect("the same run with every rule kept");
}

macro_rules! noticed {
    ($($name:ident: $variant:ident,)*) => { $(
        #[test]
        fn $name() {
            is_noticed(Rule::$variant);
        }
    )* };
}

mod without {
    use super::{Rule, is_noticed};

    noticed! {
        users_who_come_once: PresentOnce,
        users_who_leave_with_the_last_tab: LastOneLeaves,
        members_that_are_gone_with_their_node: EndedAreGone,
        changes_behind_a_snapshot: ChangesBehindSnapshot,
        a_snapshot_after_missed_changes: SnapshotAfterGap,
        changes_sent_to_the_other_members: OthersAlone,
        rooms_of_one_org: RoomsOfOrgs,
    }
}
