//! Topics with wrong settings, topics that grow, and topics that contain what foreign producers wrote.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};

use fanfare_test_servers::kafka::KafkaServer;

use super::{PATIENCE, event, open, options, options_or_skip, take};
use crate::broker::Broker;
use crate::condition::RiskKind;
use crate::error::{BrokerError, PublishError};
use crate::kafka::{Kafka, OpenError, Options};
use crate::message::Message;
use crate::position::Position;

/// A setting of a topic, by name.
type Setting<'a> = (&'a str, &'a str);

fn client(options: &Options) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.servers[0]);
    config
}

fn admin(options: &Options) -> AdminClient<DefaultClientContext> {
    client(options).create().expect("an admin client")
}

async fn make(options: &Options, topic: &str, settings: &[Setting<'_>]) {
    let new = NewTopic::new(topic, 1, TopicReplication::Fixed(1));
    let new = settings.iter().fold(new, |new, (name, value)| new.set(name, value));
    let made = admin(options).create_topics(&[new], &AdminOptions::new()).await.expect("an answer");
    assert!(made[0].is_ok(), "{made:?}");
}

async fn refusal(options: &Options) -> String {
    match open(options).head().await {
        Err(BrokerError::Refused(reason)) => reason,
        other => panic!("must be refused, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_as_it_must_be_is_refused_with_what_would_be_right() {
    const APPENDED: Setting<'static> = ("message.timestamp.type", "LogAppendTime");
    const SMALL: Setting<'static> = ("max.message.bytes", "500000");
    let Some(one) = options_or_skip("topics::a_topic_that_is_not_as_it_must_be").await else { return };
    let cases: [(&str, &[Setting<'_>], &str); 7] = [
        ("events", &[APPENDED, ("cleanup.policy", "compact")], "cleanup.policy=compact; it must be delete"),
        ("events", &[], "message.timestamp.type=CreateTime; it must be LogAppendTime"),
        (
            "events",
            &[APPENDED, ("retention.ms", "599999")],
            "retention.ms=599999; it must be at least the replay window",
        ),
        ("state", &[APPENDED], "cleanup.policy=delete; it must be compact"),
        ("state", &[APPENDED, ("cleanup.policy", "compact,delete")], "it must be compact"),
        ("events", &[APPENDED, SMALL], "max.message.bytes=500000; it must be at least 1000000, the batch.size"),
        ("state", &[APPENDED, ("cleanup.policy", "compact"), SMALL], "max.message.bytes=500000"),
    ];
    for (stream, settings, expected) in cases {
        let options = options(&one.servers[0]);
        let first = if stream == "events" { &options.events } else { &options.state };
        let topic = format!("{first}.license");
        make(&options, &topic, settings).await;
        let reason = refusal(&options).await;
        assert!(reason.contains(expected) && reason.contains(&topic), "{reason}");
        let refused = open(&options).publish(event("1")).await.expect_err("refused");
        assert!(matches!(&refused, PublishError::NotStored(why) if why.contains(expected)), "{refused}");
    }
}

/// Many records that wait together are sent in one batch, which the topic must accept as a whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_that_may_lose_acknowledged_records_are_reported_and_refused_if_strict() {
    let Some(options) = options_or_skip("topics::what_may_lose_acknowledged_records").await else { return };
    let unclean = ("unclean.leader.election.enable", "true");
    let sound = [("cleanup.policy", "delete"), ("message.timestamp.type", "LogAppendTime"), unclean];
    let sound = [&sound[..], &[("max.message.bytes", "1200000")]].concat();
    make(&options, &format!("{}.license", options.events), &sound).await;
    let kafka = open(&options);
    kafka.head().await.expect("a head");
    let risks = kafka.condition().await.risks;
    // This includes the topics that were just created.
    let of = |kind| risks.iter().filter(|risk| risk.kind == kind).count();
    assert_eq!(of(RiskKind::Replicas), 8, "{risks:?}");
    assert_eq!(of(RiskKind::Acknowledgement), 8, "{risks:?}");
    assert_eq!(of(RiskKind::UncleanElection), 1, "{risks:?}");
    let reason = refusal(&Options { strict: true, ..options }).await;
    assert!(reason.contains("is kept by 1 servers") && reason.contains("strict"), "{reason}");
}

/// Nobody looks at `flush.ms` of a topic, unless the servers are told how often.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_records_reach_the_disk_is_told_and_says_how_long_they_may_be_lost() {
    let Some(options) = options_or_skip("topics::when_records_reach_the_disk").await else { return };
    let told = async |options: &Options| {
        let kafka = open(options);
        assert_eq!(kafka.horizon(), Duration::from_secs(60), "as long as nothing is known");
        kafka.head().await.expect("a head");
        (kafka.condition().await.disk.expect("told"), kafka.horizon().as_secs())
    };
    let settings =
        [("message.timestamp.type", "LogAppendTime"), ("flush.ms", "2000"), ("max.message.bytes", "1200000")];
    make(&options, &format!("{}.license", options.events), &settings).await;
    let (disk, horizon) = told(&options).await;
    assert!(disk.contains("when the system writes it") && horizon == 60, "{disk} {horizon}");
    for (more, part, seconds) in [
        ("log.flush.interval.ms=7000\nlog.flush.scheduler.interval.ms=500", "within 7.5 s", 15),
        ("log.flush.interval.messages=1", "on the disk already", 10),
    ] {
        let server = KafkaServer::start_with(more).await.expect("there is one");
        let (disk, horizon) = told(&super::options(&server.address())).await;
        assert!(disk.contains(part) && horizon == seconds, "{disk} {horizon}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_of_small_records_gets_small_batches() {
    let Some(options) = options_or_skip("topics::a_topic_of_small_records").await else { return };
    let settings = [("message.timestamp.type", "LogAppendTime"), ("max.message.bytes", "500000")];
    make(&options, &format!("{}.license", options.events), &settings).await;
    let properties = [("batch.size", "500000"), ("linger.ms", "1000")].map(|(name, value)| (name.into(), value.into()));
    let kafka = std::sync::Arc::new(open(&Options { properties: properties.into(), ..options }));
    let publish = |n: u32| {
        let (kafka, message) =
            (std::sync::Arc::clone(&kafka), Message { body: vec![0; 100_000].into(), ..event(&n.to_string()) });
        tokio::spawn(async move { kafka.publish(message).await })
    };
    let publishing: Vec<_> = (0..20).map(publish).collect();
    for publishing in publishing {
        publishing.await.expect("no panic").expect("published");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_topic_is_refused_with_how_to_make_it_where_none_may_be_made() {
    let Some(one) = options_or_skip("topics::a_missing_topic").await else { return };
    let reason = refusal(&Options { create: false, ..one.clone() }).await;
    for part in [".license does not exist", "cleanup.policy=delete", "LogAppendTime", "2 partitions", "retention.ms="] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    open(&one).head().await.expect("made where that is allowed");
    open(&Options { create: false, ..one }).head().await.expect("there now");
}

/// Nodes' records are in one order, which several partitions do not have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_of_nodes_with_several_partitions_is_refused() {
    let Some(options) = options_or_skip("topics::a_topic_of_nodes").await else { return };
    let topic = format!("{}.nodes", options.prefix);
    let new = NewTopic::new(&topic, 2, TopicReplication::Fixed(1));
    let new = new.set("cleanup.policy", "compact").set("message.timestamp.type", "LogAppendTime");
    let made = admin(&options).create_topics(&[new], &AdminOptions::new()).await.expect("an answer");
    assert!(made[0].is_ok(), "{made:?}");
    let reason = refusal(&options).await;
    assert!(reason.contains(&topic) && reason.contains("has 2 partitions; it must have 1"), "{reason}");
}

#[test]
fn wrong_properties_are_named() {
    let with = |name: &str, value: &str| Options {
        properties: [(name.to_owned(), value.to_owned())].into(),
        ..Options::new(vec!["127.0.0.1:9".into()], vec!["auth".into()])
    };
    let refused = |options: Options| Kafka::open(options).err().expect("refused").to_string();
    let unknown = refused(with("securty.protocol", "SSL"));
    assert!(unknown.contains("securty.protocol") && unknown.contains("No such configuration property"), "{unknown}");
    let value = refused(with("security.protocol", "TELNET"));
    assert!(value.contains("security.protocol"), "{value}");
    let reserved = Kafka::open(with("isolation.level", "read_uncommitted")).err();
    assert!(matches!(reserved, Some(OpenError::Reserved(name)) if name == "isolation.level"));
    assert!(matches!(Kafka::open(Options::default()).err(), Some(OpenError::NoService)));
    let no_server = Options { servers: vec![], ..with("client.rack", "a") };
    assert!(matches!(Kafka::open(no_server).err(), Some(OpenError::NoServer)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_cluster_is_unavailable_and_stores_nothing() {
    let port = fanfare_test_servers::free_port();
    let options = Options { request_timeout: Duration::from_millis(500), ..options(&format!("127.0.0.1:{port}")) };
    let kafka = open(&options);
    let away = kafka.head().await.expect_err("away");
    assert!(matches!(&away, BrokerError::Unavailable(why) if why.contains(&port.to_string())), "{away}");
    let away = kafka.publish(event("1")).await.expect_err("away");
    assert!(matches!(away, PublishError::NotStored(_)), "{away}");
    kafka.close().await;
    assert!(matches!(kafka.head().await, Err(BrokerError::Closed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_partition_is_found_and_read_from_its_first_record() {
    let Some(options) = options_or_skip("topics::a_new_partition_is_found").await else { return };
    let kafka = open(&options);
    kafka.publish(event("before")).await.expect("published");
    let start = Position::start(kafka.head().await.expect("a head").incarnation());
    let mut reader = kafka.read(&start).await.expect("a reader");
    take(&mut reader, 1).await;
    let topic = format!("{}.license", options.events);
    let more = NewPartitions::new(&topic, 3);
    let made = admin(&options).create_partitions(&[more], &AdminOptions::new()).await.expect("an answer");
    assert!(made[0].is_ok(), "{made:?}");
    let foreign: FutureProducer = client(&options).create().expect("a producer");
    let begun = Instant::now();
    let record = FutureRecord::to(&topic).key("acme").partition(2).payload("body");
    foreign.send(record, PATIENCE).await.expect("sent");
    let records = take(&mut reader, 1).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "found after {:?}", begun.elapsed());
    assert_eq!(records[0].message.id, format!("{topic}/2/0"));
    assert_eq!(*reader.position(), kafka.head().await.expect("a head"));
}

/// Reads until the position covers all that the head covers. Transactions leave markers, which are not records.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_reaches_the_head_over_the_marks_of_transactions() {
    let Some(options) = options_or_skip("topics::a_reader_reaches_the_head").await else { return };
    let kafka = open(&options);
    let start = Position::start(kafka.head().await.expect("a head").incarnation());
    let mut early = kafka.read(&start).await.expect("a reader");
    let mut config = client(&options);
    let foreign: FutureProducer = config.set("transactional.id", &options.prefix).create().expect("a producer");
    let topic = format!("{}.license", options.events);
    let (foreign, sent) = tokio::task::spawn_blocking(move || {
        foreign.init_transactions(PATIENCE).expect("transactions");
        let mut sent = Vec::new();
        for (id, commit) in [("kept", true), ("dropped", false)] {
            foreign.begin_transaction().expect("begun");
            let headers = [("ce_id", id), ("ce_type", "license.LicenseUpdated"), ("ce_org", "acme")];
            let headers = headers
                .into_iter()
                .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }));
            let record = FutureRecord::to(&topic).key("acme").headers(headers).payload("body");
            sent.push(foreign.send_result(record).map_err(|(error, _)| error).expect("queued"));
            foreign.flush(PATIENCE).expect("flushed");
            match commit {
                true => foreign.commit_transaction(PATIENCE).expect("committed"),
                false => foreign.abort_transaction(PATIENCE).expect("aborted"),
            }
        }
        (foreign, sent)
    })
    .await
    .expect("no panic");
    drop((foreign, sent));
    let head = kafka.head().await.expect("a head");
    let mut late = kafka.read(&start).await.expect("a reader");
    for reader in [&mut early, &mut late] {
        let mut records = Vec::new();
        while *reader.position() != head {
            let batch = tokio::time::timeout(PATIENCE, reader.next()).await;
            records.extend(batch.expect("the head is reached in time").expect("a batch"));
        }
        assert_eq!(records.len(), 1);
        let m = &records[0].message;
        assert_eq!((m.org.as_deref(), m.topic.as_str()), (Some("acme"), "license.LicenseUpdated"));
        assert_eq!(m.headers[0], ("ce-id".to_owned(), "kept".to_owned()));
    }
}
