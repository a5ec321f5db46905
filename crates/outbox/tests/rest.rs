//! An idle relay costs nothing. The only test of its file, because it measures the whole process.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use fanfare_outbox::{PublishError, RelayOptions};
use support::{Database, Recorder, commit, event, start, until};

/// The processor time that this process has used, in hundredths of a second.
fn processor_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

async fn used_within_a_second() -> u64 {
    let before = processor_time();
    tokio::time::sleep(Duration::from_secs(1)).await;
    processor_time() - before
}

#[tokio::test]
async fn a_relay_that_waits_does_not_spin() {
    for answer in [None, Some(PublishError::Unreachable("away".into())), Some(PublishError::Retry("no".into()))] {
        let database = Database::new().await;
        let outbox = database.outbox().await;
        let idle = answer.is_none();
        let refusal = answer.clone();
        let recorder = Recorder::new(move |_, _| refusal.clone().map_or(Ok(()), Err));
        let options = RelayOptions { first_pause: Duration::from_secs(5), ..RelayOptions::default() };
        let relay = start(&outbox, recorder, options);
        if !idle {
            commit(&outbox, (0..3).map(|number| event("acme", number))).await;
            until("the first failure", || relay.stats.retries() > 0).await;
        }
        until("the lease", || relay.stats.leading()).await;
        let used = used_within_a_second().await;
        relay.stop().await;
        assert!(used < 25, "{used} % of a processor while waiting after {answer:?}");
    }
}
