//! A broker that loses the end of its log while events are still being written, as in a power failure.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fanfare_broker::nats::{Nats, Options};
use fanfare_broker::{Broker, Position, Record};
use fanfare_outbox::{BrokerPublisher, Outbox};
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, skip};
use support::{Database, SOON, alert, commit, event, quick, start, until_empty};
use tokio::time::{sleep, timeout};

const ORGS: [&str; 3] = ["acme", "globex", "initech"];
const STATE_EACH: u32 = 10;

#[tokio::test]
async fn events_that_nats_forgets_under_load_are_published_again_in_order_and_once() {
    loses(Duration::from_secs(2)).await;
}

#[tokio::test]
#[ignore = "half a minute under load, for soaking"]
async fn half_a_minute_that_nats_forgets_under_load_is_published_again_in_order_and_once() {
    loses(Duration::from_secs(30)).await;
}

/// Rolls the store back by this much while events are committed without a pause.
async fn loses(span: Duration) {
    let mut server = match NatsServer::start(Version::Current).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("a store that is put back under load", &why),
        Err(error) => panic!("{error}"),
    };
    let options = Options { request_timeout: Duration::from_secs(1), ..Options::new([server.address()]) };
    let broker: Arc<dyn Broker> = Arc::new(Nats::open(options).unwrap());
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let relay = start(&outbox, BrokerPublisher::new(Arc::clone(&broker)).horizon(2 * SOON), quick());
    let (over, with_state) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    let writer = tokio::spawn(write(outbox.clone(), Arc::clone(&over), Arc::clone(&with_state)));

    sleep(Duration::from_secs(1)).await;
    server.keep_files().await;
    sleep(span).await;
    let before = relay.stats.published();
    with_state.store(false, Ordering::Relaxed);
    sleep(Duration::from_millis(300)).await;
    server.restore_files().await;
    sleep(Duration::from_secs(1)).await;
    with_state.store(true, Ordering::Relaxed);
    sleep(Duration::from_secs(1)).await;
    over.store(true, Ordering::Relaxed);
    let (written, states) = writer.await.unwrap();
    timeout(2 * SOON, until_empty(&outbox)).await.unwrap();
    let lost = relay.stats.lost();
    relay.stop().await;

    let kept = read_all(&*broker).await;
    let expected: Vec<_> = (0..written).map(|number| format!("14:/services/test:{number:06}")).collect();
    for org in ORGS {
        let ids = ids_of(&kept, |record| {
            record.message.topic == "system.Alert" && record.message.org.as_deref() == Some(org)
        });
        let expected: Vec<_> = expected.iter().map(|id| id.replace("test:", &format!("test:{org}-"))).collect();
        let missing: Vec<_> = expected.iter().filter(|id| !ids.contains(id)).collect();
        assert!(missing.is_empty(), "{org}: {before} were published before, {lost} again; {missing:?} are missing");
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected, "{org}: each once");
        // An event in flight to the server that died may be stored by its successor before the relay can check it.
        let ahead = ids.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!(ahead <= 1, "{org}: in the order in which they were committed, and not {ids:?}");
    }
    let state = ids_of(&kept, |record| record.message.topic == "license.FlagToggled");
    let newest = format!("14:/services/test:{}", states - 1);
    assert_eq!(state.last(), Some(&newest), "the newest state is the last: {state:?}");
    broker.close().await;
}

/// Commits one event per org in turn, and now and then a state; returns the number per org, and that of the state.
async fn write(outbox: Outbox, over: Arc<AtomicBool>, with_state: Arc<AtomicBool>) -> (u32, u32) {
    let (mut number, mut states) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        commit(&outbox, ORGS.map(|org| alert(&format!("{org}-{number:06}"), Some(org), None, org))).await;
        if number % STATE_EACH == 0 && with_state.load(Ordering::Relaxed) {
            commit(&outbox, [event("acme", states)]).await;
            states += 1;
        }
        number += 1;
        sleep(Duration::from_millis(5)).await;
    }
    (number, states)
}

fn ids_of(records: &BTreeMap<(u32, u64), Record>, are: impl Fn(&Record) -> bool) -> Vec<String> {
    records.values().filter(|record| are(record)).map(|record| record.message.id.clone()).collect()
}

/// Everything in the log, by place.
async fn read_all(broker: &dyn Broker) -> BTreeMap<(u32, u64), Record> {
    let head = broker.head().await.unwrap();
    let mut reader = broker.read(&Position::start(head.incarnation())).await.unwrap();
    let mut records = BTreeMap::new();
    let is_behind = |position: &Position| head.offsets().iter().any(|(at, offset)| !position.covers(*at, *offset));
    while is_behind(reader.position()) {
        let batch = timeout(SOON, reader.next()).await.unwrap().unwrap();
        records.extend(batch.into_iter().map(|record| ((record.partition, record.offset), record)));
    }
    records
}
