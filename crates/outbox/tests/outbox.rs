//! Appending: exactly the committed events are in the outbox.

mod support;

use fanfare_outbox::OutboxError;
use support::{Database, Recorder, commit, event, outbox, quick, start, until_empty};

#[tokio::test]
async fn an_event_is_stored_only_if_its_transaction_commits() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let mut tx = outbox.begin().await.unwrap();
    outbox.append(&mut tx, &event("acme", 1)).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(outbox.pending().await.unwrap(), 0);
    commit(&outbox, [event("acme", 1)]).await;
    assert_eq!(outbox.pending().await.unwrap(), 1);
}

#[tokio::test]
async fn the_event_comes_out_as_it_went_in() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let mut first = event("acme", 1);
    first.attributes.subject = Some("fläg".into());
    first.attributes.data_version = Some(2);
    first.attributes.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
    first.body = (0..=255).collect();
    let mut second = event("acme", 2);
    second.attributes.org = None;
    second.key = None;
    second.body = Vec::new();
    commit(&outbox, [first.clone(), second.clone()]).await;
    let recorder = Recorder::accepting();
    let relay = start(&outbox, recorder.clone(), quick());
    recorder.wait_for(2).await;
    relay.stop().await;
    let published = recorder.published();
    for expected in [first, second] {
        let found = published.iter().find(|event| event.attributes.id == expected.attributes.id).unwrap();
        assert_eq!(found.attributes, expected.attributes);
        assert_eq!((&found.body, &found.key), (&expected.body, &expected.key));
    }
}

#[tokio::test]
async fn a_second_event_of_the_same_id_is_refused_and_leaves_the_transaction_usable() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let mut other_source = event("acme", 1);
    other_source.attributes.source = "/services/other".into();
    let mut tx = outbox.begin().await.unwrap();
    outbox.append(&mut tx, &event("acme", 1)).await.unwrap();
    let refused = outbox.append(&mut tx, &event("globex", 1)).await;
    assert!(matches!(refused, Err(OutboxError::DuplicateEvent { .. })), "{refused:?}");
    outbox.append(&mut tx, &other_source).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(outbox.pending().await.unwrap(), 2);
}

#[tokio::test]
async fn an_event_that_no_node_would_take_is_refused() {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let mut tx = outbox.begin().await.unwrap();
    let mut bad_id = event("acme", 1);
    bad_id.attributes.id = "two\nlines".into();
    assert!(matches!(outbox.append(&mut tx, &bad_id).await, Err(OutboxError::InvalidEvent(_))));
    let mut large = event("acme", 1);
    large.body = vec![0; fanfare_event::MAX_BODY + 1];
    assert!(matches!(outbox.append(&mut tx, &large).await, Err(OutboxError::TooLarge { .. })));
}

#[tokio::test]
async fn a_table_of_an_earlier_version_is_brought_up_to_date() {
    let database = Database::new().await;
    commit(&database.outbox().await, [event("acme", 1)]).await;
    let before = [
        "DROP INDEX fanfare_outbox_waiting",
        "ALTER TABLE fanfare_outbox DROP COLUMN published_at",
        "ALTER TABLE fanfare_outbox DROP COLUMN place",
    ];
    for statement in before {
        database.execute(statement).await;
    }
    let outbox = database.outbox().await;
    assert_eq!(outbox.pending().await.unwrap(), 1);
    commit(&outbox, [event("acme", 2)]).await;
    assert_eq!(outbox.pending().await.unwrap(), 2);
}

#[tokio::test]
async fn the_tables_can_be_installed_at_the_same_time_and_again() {
    let database = Database::new().await;
    let mut installing = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let url = database.url.clone();
        installing.spawn(async move { outbox(&url).await });
    }
    let outboxes = installing.join_all().await;
    commit(&outboxes[0], [event("acme", 1)]).await;
    assert_eq!(database.outbox().await.pending().await.unwrap(), 1);
}

#[tokio::test]
async fn a_database_of_another_kind_is_refused() {
    let missing = fanfare_outbox::connect("mysql://localhost/producer", 1).await;
    assert!(missing.is_err());
}

#[tokio::test]
async fn producers_and_the_relay_write_at_the_same_time() {
    let database = Database::new().await;
    let first = database.outbox().await;
    sqlx::query("CREATE TABLE change (n BIGINT)")
        .execute(&fanfare_outbox::connect(&database.url, 1).await.unwrap())
        .await
        .unwrap();
    let recorder = Recorder::accepting();
    let relay = start(&first, recorder.clone(), quick());
    let mut producers = tokio::task::JoinSet::new();
    for producer in 0..4_u32 {
        let outbox = first.clone();
        producers.spawn(async move {
            for number in 0..25 {
                let mut tx = outbox.begin().await.unwrap();
                // A read before the write: without the write lock SQLite could not continue after a write of the relay.
                let _: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM change").fetch_one(&mut *tx).await.unwrap();
                sqlx::query("INSERT INTO change (n) VALUES (1)").execute(&mut *tx).await.unwrap();
                outbox.append(&mut tx, &event(&format!("org{producer}"), producer * 1000 + number)).await.unwrap();
                tx.commit().await.unwrap();
                outbox.wake();
            }
        });
    }
    producers.join_all().await;
    recorder.wait_for(100).await;
    until_empty(&first).await;
    relay.stop().await;
    assert_eq!(recorder.ids().len(), 100);
}
