//! Messages that are stored while a reader starts, and a server of a cluster that lacks the newest ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::super::{Nats, Options};
use super::relay::{Meddler, relay};
use super::server::Server;
use super::{event, state};
use crate::broker::{Broker, Reader};
use crate::message::Message;

/// The id of the next record.
async fn next_id(reader: &mut Box<dyn Reader>) -> String {
    let reading = async {
        loop {
            let batch = reader.next().await.expect("a batch");
            if let Some(record) = batch.into_iter().next() {
                return record.message.id;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("a record in time")
}

/// Stores a message once the consumer is created, before the stream is checked again.
struct Between {
    nats: Arc<Nats>,
    stream: &'static str,
    message: Message,
    made: AtomicBool,
    stored: AtomicBool,
}

#[async_trait]
impl Meddler for Between {
    async fn before(&self, request: &str) {
        if request.contains(&format!("$JS.API.CONSUMER.CREATE.{}.", self.stream)) {
            self.made.store(true, Ordering::Relaxed);
            return;
        }
        let looks = request.contains(&format!("$JS.API.STREAM.INFO.{}", self.stream));
        if looks && self.made.load(Ordering::Relaxed) && !self.stored.swap(true, Ordering::Relaxed) {
            self.nats.publish(self.message.clone()).await.expect("stored");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_stored_while_a_reader_starts_at_the_end_are_read() {
    let test = "records_stored_while_a_reader_starts_at_the_end_are_read";
    for (stream, first, second) in
        [("fanfare-events", event("1"), event("2")), ("fanfare-state", state("k", "1"), state("l", "2"))]
    {
        let Some(server) = Server::current(test).await else { return };
        let nats = Arc::new(server.nats(|_| {}));
        nats.publish(first).await.expect("published");
        let (made, stored) = (AtomicBool::new(false), AtomicBool::new(false));
        let between = Arc::new(Between { nats: Arc::clone(&nats), stream, message: second, made, stored });
        let address = relay(server.address(), Arc::clone(&between) as Arc<dyn Meddler>).await;
        let reading = Nats::open(Options::new([address])).expect("opens");
        let mut reader = reading.read(&reading.head().await.expect("a head")).await.expect("a reader");
        assert_eq!(next_id(&mut reader).await, "2", "{stream}");
        assert!(between.stored.load(Ordering::Relaxed), "stored while the reader began");
        assert_eq!(*reader.position(), nats.head().await.expect("a head"));
    }
}

/// Makes the consumer report what one reports on a server that lacks the last message of its stream: in a cluster a
/// consumer may be on a server that follows the stream's leader.
struct Lagging {
    lied: AtomicBool,
}

#[async_trait]
impl Meddler for Lagging {
    fn instead(&self, answer: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8_lossy(&answer);
        if !text.contains("consumer_create_response") || !text.contains("\"num_pending\":1") {
            return answer;
        }
        self.lied.store(true, Ordering::Relaxed);
        // As long as before: the server sent the length.
        text.replace("\"num_pending\":1", "\"num_pending\":0").into_bytes()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_have_the_end_yet_does_not_hide_it() {
    let test = "a_server_that_does_not_have_the_end_yet_does_not_hide_it";
    let Some(server) = Server::current(test).await else { return };
    let nats = server.nats(|_| {});
    nats.publish(event("1")).await.expect("published");
    let before = nats.head().await.expect("a head");
    nats.publish(event("2")).await.expect("published");
    nats.publish(state("k", "3")).await.expect("published");
    let lagging = Arc::new(Lagging { lied: AtomicBool::new(false) });
    let address = relay(server.address(), Arc::clone(&lagging) as Arc<dyn Meddler>).await;
    let reading = Nats::open(Options::new([address])).expect("opens");
    let mut log = reading.read(&before).await.expect("a reader");
    let mut ids = [next_id(&mut log).await, next_id(&mut log).await];
    ids.sort_unstable();
    assert_eq!(ids, ["2", "3"]);
    assert!(lagging.lied.swap(false, Ordering::Relaxed), "the consumer said that there was nothing");
    let mut all_state = reading.state().await.expect("a reader");
    let batch = tokio::time::timeout(Duration::from_secs(10), all_state.next()).await.expect("in time");
    assert_eq!(batch.expect("a batch").first().expect("the state").message.id, "3");
    assert!(lagging.lied.load(Ordering::Relaxed), "the consumer said that there was nothing");
}
