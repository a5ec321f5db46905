//! Relaying: order, failures, parked events, leases.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare_outbox::{PublishError, RelayOptions};
use support::{Database, Recorder, Seeded, commit, event, quick, start, until, until_empty};
use tokio::time::Instant;

fn retry() -> PublishError {
    PublishError::Retry("not now".into())
}

fn numbers(from: u32, to: u32) -> Vec<String> {
    (from..to).map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn a_commit_wakes_the_relay_long_before_its_next_poll() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let recorder = Recorder::accepting();
    let relay = start(&outbox, recorder.clone(), RelayOptions { poll: Duration::from_secs(600), ..quick() });
    until("the lease", || relay.stats.leading()).await;
    for number in 0..20 {
        commit(&outbox, [event("acme", number)]).await;
        recorder.wait_for(number as usize + 1).await;
    }
    relay.stop().await;
}

#[tokio::test]
async fn polling_finds_what_another_process_has_committed() {
    let database = Database::new().await;
    let (ours, theirs) = (database.outbox().await, database.outbox().await);
    let recorder = Recorder::accepting();
    let relay = start(&ours, recorder.clone(), RelayOptions { poll: Duration::from_millis(50), ..quick() });
    until("the lease", || relay.stats.leading()).await;
    commit(&theirs, [event("acme", 1)]).await;
    recorder.wait_for(1).await;
    relay.stop().await;
}

#[tokio::test]
async fn orgs_are_published_side_by_side_and_each_in_order() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let orgs: Vec<String> = (0..10).map(|org| format!("org{org}")).collect();
    commit(&outbox, (0..200_u32).map(|number| event(&orgs[number as usize % 10], number))).await;
    let recorder = Recorder::accepting().slow(Duration::from_millis(2));
    let relay = start(&outbox, recorder.clone(), RelayOptions { in_flight: 4, ..quick() });
    recorder.wait_for(200).await;
    until_empty(&outbox).await;
    relay.stop().await;
    assert!(!recorder.overtaken());
    assert_eq!(recorder.most_in_flight(), 4);
    for (index, org) in orgs.iter().enumerate() {
        let expected: Vec<String> = (0..20).map(|number| (number * 10 + index).to_string()).collect();
        assert_eq!(recorder.first_ids_of(org), expected);
    }
    assert_eq!(recorder.ids().len(), 200, "published once while nothing fails");
}

#[tokio::test]
async fn a_busy_org_does_not_hold_up_the_others() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let mut tx = outbox.begin().await.unwrap();
    for number in 0..600 {
        outbox.append(&mut tx, &event("busy", number)).await.unwrap();
    }
    outbox.append(&mut tx, &event("calm", 1000)).await.unwrap();
    tx.commit().await.unwrap();
    let recorder = Recorder::accepting().slow(Duration::from_millis(1));
    let relay = start(&outbox, recorder.clone(), quick());
    recorder.wait_for(601).await;
    relay.stop().await;
    let place = recorder.ids().iter().position(|id| id == "1000").unwrap();
    assert!(place < 50, "the calm org's event came at place {place}");
    assert_eq!(recorder.first_ids_of("busy"), numbers(0, 600));
}

#[tokio::test]
async fn random_failures_lose_nothing_and_keep_the_order_of_each_org() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let mut random = Seeded(20_260_102);
    let recorder = Recorder::new(move |_, _| match random.below(10) {
        0 | 1 => Err(retry()),
        2 => Err(PublishError::Unreachable("away".into())),
        _ => Ok(()),
    });
    let relay = start(&outbox, recorder.clone(), quick());
    commit(&outbox, (0..150_u32).map(|number| event(&format!("org{}", number % 5), number))).await;
    recorder.wait_for(150).await;
    until_empty(&outbox).await;
    let retries = relay.stats.retries();
    relay.stop().await;
    assert!(retries > 10, "only {retries} failures: this test tests nothing");
    assert!(!recorder.overtaken());
    for org in 0..5 {
        let expected: Vec<String> = (0..30).map(|number| (number * 5 + org).to_string()).collect();
        assert_eq!(recorder.first_ids_of(&format!("org{org}")), expected);
    }
}

#[tokio::test]
async fn a_failing_org_does_not_hold_up_the_others() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let repaired = Arc::new(AtomicBool::new(false));
    let works = Arc::clone(&repaired);
    let recorder = Recorder::new(move |event, _| {
        let failing = event.attributes.org.as_ref().is_some_and(|org| org.as_str() == "failing");
        if failing && !works.load(Ordering::SeqCst) { Err(retry()) } else { Ok(()) }
    });
    commit(&outbox, (0..40).map(|number| event("failing", number))).await;
    commit(&outbox, (40..80).map(|number| event("fine", number))).await;
    let relay = start(&outbox, recorder.clone(), quick());
    recorder.wait_for(40).await;
    assert_eq!(recorder.first_ids_of("fine"), numbers(40, 80));
    repaired.store(true, Ordering::SeqCst);
    recorder.wait_for(80).await;
    relay.stop().await;
    assert_eq!(recorder.first_ids_of("failing"), numbers(0, 40));
}

#[tokio::test]
async fn a_rejected_event_is_parked_with_its_reason_and_its_org_continues() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let recorder = Recorder::new(|event, attempts| match event.attributes.id.as_str() {
        "2" if attempts == 0 => Err(PublishError::Rejected("seats: expected int".into())),
        _ => Ok(()),
    });
    commit(&outbox, (1..4).map(|number| event("acme", number))).await;
    let relay = start(&outbox, recorder.clone(), quick());
    recorder.wait_for(2).await;
    until_empty(&outbox).await;
    assert_eq!(recorder.ids(), ["1", "3"]);
    assert_eq!(relay.stats.parked(), 1);
    let parked = outbox.parked(10).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!((parked[0].event_id.as_str(), parked[0].reason.as_str()), ("2", "seats: expected int"));
    assert_eq!((parked[0].event_type.as_str(), parked[0].attempts), ("license.FlagToggled", 1));

    assert!(outbox.unpark(parked[0].seq).await.unwrap());
    assert!(!outbox.unpark(parked[0].seq).await.unwrap());
    recorder.wait_for(3).await;
    relay.stop().await;
    assert_eq!(recorder.ids(), ["1", "3", "2"]);
    assert!(outbox.parked(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_parked() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    commit(&outbox, (1..4).map(|number| event("acme", number))).await;
    let pool = fanfare_outbox::connect(&database.url, 1).await.unwrap();
    sqlx::query("UPDATE fanfare_outbox SET headers = 'no json' WHERE event_id = '2'").execute(&pool).await.unwrap();
    let recorder = Recorder::accepting();
    let relay = start(&outbox, recorder.clone(), quick());
    until_empty(&outbox).await;
    relay.stop().await;
    assert_eq!(recorder.ids(), ["1", "3"]);
    assert!(outbox.parked(10).await.unwrap()[0].reason.contains("stored headers"));
}

#[tokio::test]
async fn an_outage_pauses_the_whole_relay_and_ends_with_the_first_success() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (noted, start_of_test) = (Arc::clone(&calls), Instant::now());
    let recorder = Recorder::new(move |_, _| {
        let mut calls = noted.lock().unwrap();
        calls.push(start_of_test.elapsed());
        if calls.len() <= 20 { Err(PublishError::Unreachable("away".into())) } else { Ok(()) }
    });
    commit(&outbox, (0..32_u32).map(|number| event(&format!("org{number}"), number))).await;
    let options = RelayOptions { first_pause: Duration::from_millis(40), in_flight: 16, ..quick() };
    let relay = start(&outbox, recorder.clone(), options);
    recorder.wait_for(32).await;
    relay.stop().await;
    let calls = calls.lock().unwrap();
    // The first 16 are published at once; after that one at a time, each after a pause of at least half of 40 ms.
    for pair in calls[16..21].windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(20), "{calls:?}");
    }
    assert_eq!(calls.len(), 20 + 32);
}

#[tokio::test]
async fn an_event_that_looks_like_an_outage_does_not_hold_up_the_other_orgs() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let recorder = Recorder::new(|event, _| match event.attributes.id.as_str() {
        "0" => Err(PublishError::Unreachable("the fan-out may not write to this topic".into())),
        _ => Ok(()),
    });
    commit(&outbox, [event("stuck", 0), event("stuck", 1)]).await;
    commit(&outbox, (2..40).map(|number| event("fine", number))).await;
    // One at a time: nothing is published beside the failing event.
    let relay = start(&outbox, recorder.clone(), RelayOptions { in_flight: 1, ..quick() });
    recorder.wait_for(38).await;
    relay.stop().await;
    assert_eq!(recorder.ids(), numbers(2, 40));
}

#[tokio::test]
async fn two_relays_on_one_database_work_one_at_a_time() {
    let database = Database::new().await;
    let (one, other) = (database.outbox().await, database.outbox().await);
    let (recorder, other_recorder) = (Recorder::accepting(), Recorder::accepting());
    let options = RelayOptions { poll: Duration::from_millis(20), lease: Duration::from_secs(600), ..quick() };
    let first = start(&one, recorder.clone(), options.clone());
    until("the lease", || first.stats.leading()).await;
    let second = start(&other, other_recorder.clone(), options);
    commit(&one, (0..20).map(|number| event("acme", number))).await;
    recorder.wait_for(20).await;
    assert!(!second.stats.leading());
    first.stop().await;
    // A released lease is taken over without waiting for its end.
    until("the lease to be taken over", || second.stats.leading()).await;
    commit(&one, (20..40).map(|number| event("acme", number))).await;
    other_recorder.wait_for(20).await;
    second.stop().await;
    assert_eq!((recorder.ids(), other_recorder.ids()), (numbers(0, 20), numbers(20, 40)));
}

#[tokio::test]
async fn the_lease_of_a_relay_that_died_runs_out() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let options = RelayOptions { lease: Duration::from_millis(600), ..quick() };
    let stuck = Recorder::accepting().slow(Duration::from_secs(600));
    let first = start(&outbox, stuck.clone(), options.clone());
    commit(&outbox, [event("acme", 1)]).await;
    until("the publication", || stuck.most_in_flight() == 1).await;
    first.crash().await;
    let recorder = Recorder::accepting();
    let begun = Instant::now();
    let second = start(&outbox, recorder.clone(), options);
    recorder.wait_for(1).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    second.stop().await;
    assert!(stuck.ids().is_empty());
}

#[tokio::test]
async fn a_relay_that_lost_its_lease_stops_publishing() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let recorder = Recorder::accepting().slow(Duration::from_millis(700));
    let relay = start(&outbox, recorder.clone(), RelayOptions { lease: Duration::from_millis(600), ..quick() });
    commit(&outbox, [event("acme", 1)]).await;
    until("the publication", || recorder.most_in_flight() == 1).await;
    // Another relay has taken over the lease, for a long time.
    let pool = fanfare_outbox::connect(&database.url, 1).await.unwrap();
    let stolen =
        "UPDATE fanfare_outbox_lease SET holder = 'thief', token = token + 1, expires_at = expires_at + 600000";
    sqlx::query(stolen).execute(&pool).await.unwrap();
    until("the relay to notice", || !relay.stats.leading()).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(recorder.ids().is_empty(), "the publication in flight was dropped");
    sqlx::query("UPDATE fanfare_outbox_lease SET expires_at = 0").execute(&pool).await.unwrap();
    recorder.wait_for(1).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_publication_may_take_longer_than_the_lease_is_long() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let recorder = Recorder::accepting().slow(Duration::from_millis(1500));
    let relay = start(&outbox, recorder.clone(), RelayOptions { lease: Duration::from_millis(600), ..quick() });
    commit(&outbox, [event("acme", 1)]).await;
    recorder.wait_for(1).await;
    relay.stop().await;
    assert_eq!(recorder.attempts("1"), 1);
}

#[tokio::test]
async fn a_shutdown_waits_for_what_is_in_flight() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let recorder = Recorder::accepting().slow(Duration::from_millis(200));
    let relay = start(&outbox, recorder.clone(), quick());
    commit(&outbox, [event("acme", 1), event("acme", 2)]).await;
    until("the publication", || recorder.most_in_flight() == 1).await;
    relay.stop().await;
    assert_eq!(recorder.ids(), ["1"]);
    assert_eq!(outbox.pending().await.unwrap(), 1, "what was published is deleted, the rest is left");
}

#[tokio::test]
async fn a_publisher_that_panics_does_not_end_the_relay() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let recorder = Recorder::accepting();
    let panicking = Panicking(recorder.clone(), AtomicBool::new(false));
    let relay = start(&outbox, panicking, RelayOptions { lease: Duration::from_millis(300), ..quick() });
    commit(&outbox, [event("acme", 1)]).await;
    recorder.wait_for(1).await;
    relay.stop().await;
}

/// Panics the first time.
struct Panicking(Recorder, AtomicBool);

#[async_trait::async_trait]
impl fanfare_outbox::Publisher for Panicking {
    async fn publish(&self, event: &fanfare_event::Encoded) -> Result<(), PublishError> {
        assert!(self.1.swap(true, Ordering::SeqCst), "this panic is part of the test");
        self.0.publish(event).await
    }
}

#[tokio::test]
async fn the_relay_counts_what_it_does() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    commit(&outbox, (1..4).map(|number| event("acme", number))).await;
    let blocked = Recorder::new(|_, _| Err(PublishError::Unreachable("away".into())));
    let relay = start(&outbox, blocked, quick());
    until("the backlog to be counted", || relay.stats.pending() == 3).await;
    until("retries", || relay.stats.retries() >= 2).await;
    relay.stop().await;
    let relay = start(&outbox, Recorder::accepting(), quick());
    until_empty(&outbox).await;
    assert_eq!((relay.stats.published(), relay.stats.database_errors()), (3, 0));
    relay.stop().await;
}

#[tokio::test]
async fn the_relay_continues_when_its_database_is_back() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let recorder = Recorder::accepting();
    let relay = start(&outbox, recorder.clone(), RelayOptions { poll: Duration::from_millis(20), ..quick() });
    commit(&outbox, [event("acme", 1)]).await;
    recorder.wait_for(1).await;
    until_empty(&outbox).await;
    let pool = fanfare_outbox::connect(&database.url, 1).await.unwrap();
    sqlx::query("ALTER TABLE fanfare_outbox RENAME TO out_of_reach").execute(&pool).await.unwrap();
    until("failures", || relay.stats.database_errors() >= 3).await;
    sqlx::query("ALTER TABLE out_of_reach RENAME TO fanfare_outbox").execute(&pool).await.unwrap();
    commit(&outbox, [event("acme", 2)]).await;
    recorder.wait_for(2).await;
    until_empty(&outbox).await;
    relay.stop().await;
    assert_eq!(recorder.ids(), ["1", "2"]);
}

/// Only if transactions overlap: SQLite has one writer at a time.
#[tokio::test]
async fn a_transaction_that_commits_late_is_not_passed_over() {
    if std::env::var("FANFARE_TEST_POSTGRES").is_err() {
        return;
    }
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let recorder = Recorder::accepting();
    let relay = start(&outbox, recorder.clone(), quick());
    let mut late = outbox.begin().await.unwrap();
    outbox.append(&mut late, &event("acme", 1)).await.unwrap();
    commit(&outbox, [event("acme", 2)]).await;
    recorder.wait_for(1).await;
    until_empty(&outbox).await;
    late.commit().await.unwrap();
    outbox.wake();
    recorder.wait_for(2).await;
    relay.stop().await;
    assert_eq!(recorder.ids(), ["2", "1"]);
}
