//! The exported usage. The demo platform records none, so it is invented: always the same for one org and day, and
//! different for others.

use super::STEPS;
use super::csv::push_row;
use fanfare_event::Id;

const FEATURES: [&str; 6] = ["search", "editor", "dashboard", "reports", "alerts", "sharing"];
const DAYS: u64 = 30;

/// The part of the report that a step adds.
pub(crate) fn part(org: &Id, step: usize) -> String {
    let mut out = String::with_capacity(16 * 1024);
    if step == 0 {
        push_row(&mut out, &["org", "day", "feature", "users", "minutes"]);
    }
    let months_back = (STEPS.len() - step.min(STEPS.len())) as u64;
    for day in 0..DAYS {
        let days_back = months_back * DAYS - day;
        for feature in FEATURES {
            let seed = mix(org.as_str(), feature, days_back);
            let users = 1 + seed % 40;
            let minutes = users * (3 + (seed >> 8) % 50);
            let cells = [org.as_str(), &format!("D-{days_back}"), feature, &users.to_string(), &minutes.to_string()];
            push_row(&mut out, &cells);
        }
    }
    out
}

/// FNV-1a: spreads its input well enough for invented numbers.
fn mix(org: &str, feature: &str, day: u64) -> u64 {
    let bytes = org.bytes().chain([0]).chain(feature.bytes()).chain(day.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_make_one_table_without_a_day_twice() {
        let org = Id::parse("acme").expect("id");
        let whole: String = (0..STEPS.len()).map(|step| part(&org, step)).collect();
        let lines: Vec<&str> = whole.lines().collect();
        assert_eq!(lines.len(), 1 + STEPS.len() * 30 * FEATURES.len());
        assert!(lines.iter().all(|line| line.split(',').count() == 5));
        let days: std::collections::BTreeSet<_> = lines[1..].iter().map(|line| line.split(',').nth(1)).collect();
        assert_eq!(days.len(), STEPS.len() * 30);
        assert_ne!(part(&org, 1), part(&Id::parse("globex").expect("id"), 1));
    }
}
