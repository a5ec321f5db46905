//! librdkafka's own mock of a cluster: the part of the contract that it supports, and faults that a real cluster shows
//! too rarely.
//!
//! It has no settings of topics, no compaction, and one time for all records.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::{event, open, options, take};
use crate::broker::Broker;
use crate::contract::{Abilities, Fixture};
use crate::error::PublishError;
use crate::kafka::Options;
use crate::kafka::names::Names;
use crate::position::Position;

type Cluster = MockCluster<'static, DefaultProducerContext>;

type Stage = Box<dyn FnOnce(&Cluster) + Send>;

struct Mock {
    // The cluster stays on the thread that created it, and ends with it.
    stage: mpsc::Sender<Stage>,
    options: Options,
}

impl Mock {
    /// Does something to the cluster, and waits until it is done.
    fn stage(&self, what: impl FnOnce(&Cluster) + Send + 'static) {
        let (tell, done) = mpsc::channel();
        let what: Stage = Box::new(move |cluster| {
            what(cluster);
            let _ = tell.send(());
        });
        self.stage.send(what).expect("the cluster lives");
        done.recv().expect("done");
    }
}

fn mock() -> Mock {
    let (stage, stages) = mpsc::channel::<Stage>();
    let (tell, servers) = mpsc::channel();
    std::thread::spawn(move || {
        let cluster = Cluster::new(1).expect("a mock cluster");
        let _ = tell.send(cluster.bootstrap_servers());
        stages.iter().for_each(|stage| stage(&cluster));
    });
    let mock = Mock { stage, options: Options { is_mock: true, ..options(&servers.recv().expect("an address")) } };
    let Options { prefix, events, state, services, .. } = &mock.options;
    let names = Names::new(prefix, events, state, services).expect("names");
    mock.stage(move |cluster| {
        for topic in names.topics.iter().map(|topic| &topic.name).chain([&names.letters, &names.nodes]) {
            cluster.create_topic(topic, 1, 1).expect("a topic");
        }
    });
    mock
}

#[async_trait]
impl Fixture for Mock {
    async fn open(&self) -> Arc<dyn Broker> {
        Arc::new(open(&self.options))
    }

    fn abilities(&self) -> Abilities {
        Abilities { deduplicates: false, tells_conflicts: false }
    }
}

crate::contract_suite!(@tests mock();
    order::records_come_back_in_order_and_unchanged,
    order::a_waiting_reader_wakes,
    order::a_reader_at_the_end_sees_nothing_old,
    order::concurrent_publishers_keep_their_order,
    order::wrong_messages_are_refused,
    order::a_closed_broker_refuses_work,
    position::positions_stay_valid_after_opening_again,
    position::other_incarnations_and_the_future_are_refused,
    position::the_head_covers_what_was_published,
    position::giving_up_waiting_loses_nothing,
    letters::there_is_one_letter_for_each_record,
    letters::letters_are_no_records,
);

fn inject(mock: &Mock, errors: &[RDKafkaRespErr]) {
    let errors = errors.to_vec();
    mock.stage(move |cluster| cluster.request_errors(RDKafkaApiKey::Produce, &errors));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_is_kept_when_writes_have_to_be_tried_again() {
    let mock = mock();
    let kafka = Arc::new(open(&mock.options));
    kafka.publish(event("first")).await.expect("published");
    use RDKafkaRespErr::{
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS as FEW, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as MOVED,
    };
    inject(&mock, &[MOVED, FEW, MOVED, FEW]);
    let ids: Vec<String> = (0..50).map(|n| format!("e{n}")).collect();
    let mut answers = Vec::new();
    for id in &ids {
        let (kafka, message) = (Arc::clone(&kafka), event(id));
        // Each is sent before the next, but none is waited for.
        let mut publish = Box::pin(async move { kafka.publish(message).await });
        let started = tokio::time::timeout(Duration::from_millis(2), &mut publish).await;
        answers.push(match started {
            Ok(done) => tokio::spawn(async move { done }),
            Err(_) => tokio::spawn(publish),
        });
    }
    let mut stored = vec!["first".to_owned()];
    for (id, answer) in ids.iter().zip(answers) {
        match answer.await.expect("no panic") {
            Ok(_) => stored.push(id.clone()),
            // A write whose first attempt was stored after all is answered without its place, and so is one that was
            // not stored.
            Err(PublishError::Unknown(_)) => {}
            Err(other) => panic!("{id}: {other}"),
        }
    }
    assert!(stored.len() > ids.len() / 2, "most are told to be stored: {stored:?}");
    let start = Position::start(kafka.head().await.expect("a head").incarnation());
    let mut reader = kafka.read(&start).await.expect("a reader");
    let mut read: Vec<String> = Vec::new();
    while stored.last().is_some_and(|last| !read.contains(last)) {
        let records = take(&mut reader, 1).await;
        read.extend(records.into_iter().map(|record| record.message.id));
    }
    read.retain(|id| stored.contains(id));
    assert_eq!(read, stored);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_records_are_not_stored_and_unanswered_ones_are_unknown() {
    let mock = mock();
    let kafka = open(&Options { delivery_timeout: Duration::from_millis(1500), ..mock.options.clone() });
    kafka.publish(event("first")).await.expect("published");

    inject(&mock, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    let refused = kafka.publish(event("large")).await.expect_err("refused");
    assert!(matches!(refused, PublishError::TooLarge { .. }), "{refused}");

    // The answer does not come while the publisher waits.
    mock.stage(|cluster| cluster.broker_round_trip_time(1, Duration::from_secs(4)).expect("slow"));
    let left_open = kafka.publish(event("slow")).await.expect_err("unknown");
    assert!(matches!(left_open, PublishError::Unknown(_)), "{left_open}");

    // librdkafka remembers this until it asks for the topics again, so it is last, on a separate cluster.
    let mock = self::mock();
    let kafka = open(&mock.options);
    kafka.publish(event("first")).await.expect("published");
    inject(&mock, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    let refused = kafka.publish(event("denied")).await.expect_err("refused");
    assert!(matches!(&refused, PublishError::Refused(why) if why.contains("right")), "{refused}");
}
