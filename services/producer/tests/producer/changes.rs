//! A change and its events are one transaction.

use crate::{SERVICE, flag};
use fanfare_event::Id;
use fanfare_producer::About;
use fanfare_producer::testing::Harness;

fn acme() -> Id {
    Id::parse("acme").expect("id")
}

#[tokio::test]
async fn uncommitted_rows_are_never_published() {
    let mut harness = Harness::open(SERVICE).await;
    let (producer, org) = (harness.producer.clone(), acme());
    let mut dropped = producer.begin().await.expect("change");
    dropped.publish(About::org(&org, "x"), &flag(&org, false)).await.expect("published");
    drop(dropped);
    let mut kept = producer.begin().await.expect("change");
    let id = kept.publish(About::org(&org, "x"), &flag(&org, true)).await.expect("published");
    kept.commit().await.expect("commit");
    let event = harness.event().await;
    assert_eq!(event.attributes.id, id.0);
    assert_eq!(event.data["enabled"], true);
}

#[tokio::test]
async fn an_event_names_its_source_and_its_subject() {
    let mut harness = Harness::open(SERVICE).await;
    let org = acme();
    let mut change = harness.producer.begin().await.expect("change");
    let now = change.now();
    change.publish(About::org(&org, "switch"), &flag(&org, true)).await.expect("published");
    change.commit().await.expect("commit");
    let event = harness.event().await;
    assert_eq!(event.event_type(), "license.FlagToggled");
    assert_eq!(event.attributes.source, "/services/license");
    assert_eq!(event.attributes.subject.as_deref(), Some("switch"));
    assert_eq!(event.attributes.org, Some(org));
    assert_eq!(event.attributes.time, now);
    assert_eq!(event.key.as_deref(), Some("switch"));
}

#[tokio::test]
async fn revisions_rise_with_the_clock_and_past_it() {
    let harness = Harness::open(SERVICE).await;
    let change = harness.producer.begin().await.expect("change");
    let now = change.now().0;
    assert_eq!(change.next_revision(0), now);
    assert_eq!(change.next_revision(now), now + 1);
    assert_eq!(change.next_revision(now + 50), now + 51);
}

#[tokio::test]
async fn events_that_were_committed_before_a_kill_are_published_after_it() {
    let harness = Harness::open(SERVICE).await;
    let org = acme();
    // The relay stops first, as if the fan-out were unreachable; then the process ends.
    let producer = harness.producer.clone();
    harness.shutdown.cancel();
    let mut change = producer.begin().await.expect("change");
    let id = change.publish(About::org(&org, "x"), &flag(&org, true)).await.expect("published");
    change.commit().await.expect("commit");
    let folder = harness.stop().await;
    let mut again = Harness::open_in(SERVICE, folder).await;
    assert_eq!(again.event().await.attributes.id, id.0);
}
