//! Against a registry over HTTP.

use std::pin::pin;
use std::time::Instant;

use bytes::Bytes;
use fanfare_broker::{Message, Stream};
use fanfare_e2e_tests::SchemaRegistry;
use fanfare_event::confluent::join;
use fanfare_event::{Event, Value};
use fanfare_telemetry::metrics::Registry as Metrics;

use super::*;
use crate::config::Secret;
use crate::pipeline::{Unusable, decode};
use crate::scene::Scene;

const SCHEMA: &str = include_str!("../../../../../schemas/license/LicenseUpdated.v2.avsc");

struct Stage {
    registry: SchemaRegistry,
    schemas: Schemas,
    status: Arc<Status>,
    scene: Scene,
}

impl Stage {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut SchemaRegistryConfig)) -> Self {
        let registry = SchemaRegistry::start().await;
        let mut config = SchemaRegistryConfig {
            url: registry.url(),
            is_loopback: true,
            login: None,
            ca: None,
            timeout: Duration::from_secs(5),
        };
        change(&mut config);
        let status = Arc::new(Status::new(Duration::from_secs(300)));
        let metrics = Arc::new(FanoutMetrics::new(&mut Metrics::default()));
        let schemas = Schemas::new(Some(&config), &status, &metrics).expect("a client");
        Self { registry, schemas, status, scene: Scene::demo() }
    }

    /// An event whose body names a schema of the registry.
    fn record(&mut self, schema: u32) -> Record {
        let json = r#"{ "org": "acme", "plan": "pro", "seats": 5 }"#;
        let record = self.scene.event("license.LicenseUpdated", json);
        let body = Bytes::from(join(schema, &record.message.body[10..]));
        Record { message: Message { body, ..record.message }, ..record }
    }

    async fn decoded(&self, record: &Record) -> Result<Option<Event>, Unusable> {
        decode(&self.scene.registry, record, &self.schemas.of(record).await)
    }

    /// Why a record cannot be used.
    async fn refusal(&mut self, schema: u32) -> String {
        let record = self.record(schema);
        match self.decoded(&record).await {
            Err(Unusable::Schema(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_body_is_read_with_the_schema_that_it_names_which_is_asked_for_once() {
    let mut stage = Stage::new().await;
    stage.registry.register(7, SCHEMA);
    for _ in 0..3 {
        let record = stage.record(7);
        let event = stage.decoded(&record).await.expect("usable").expect("an event");
        assert_eq!(event.record.get("plan"), Some(&Value::String("pro".into())));
    }
    let requests = stage.registry.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("GET /schemas/ids/7 HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(!requests[0].to_ascii_lowercase().contains("authorization"), "{}", requests[0]);
    let own = stage.scene.event("license.LicenseUpdated", r#"{ "org": "acme", "plan": "pro", "seats": 5 }"#);
    assert!(stage.decoded(&own).await.is_ok());
    assert_eq!(stage.registry.requests().len(), 1, "a body of ours needs no registry");
}

#[tokio::test]
async fn many_who_wait_for_a_schema_ask_for_it_once() {
    let mut stage = Stage::new().await;
    stage.registry.register(7, SCHEMA);
    stage.registry.set_delay(Duration::from_millis(50));
    let record = stage.record(7);
    let all = (0..20).map(|_| stage.schemas.of(&record));
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(|written| matches!(written, Written::Registered(_))));
    assert_eq!(stage.registry.requests().len(), 1);
}

#[tokio::test]
async fn an_unreachable_registry_is_waited_for() {
    let mut stage = Stage::new().await;
    stage.registry.register(7, SCHEMA);
    stage.registry.set_away(true);
    let record = stage.record(7);
    assert!(stage.schemas.within(&record, Duration::from_millis(300)).await.is_none());
    for (status, body) in [(500, "{}"), (503, ""), (429, ""), (401, ""), (403, ""), (302, ""), (400, "")] {
        stage.registry.set_away(false);
        stage.registry.answer(7, status, body);
        let asked = stage.registry.requests().len();
        // However busy the machine is: it waits until it has asked, and goes on waiting.
        while stage.registry.requests().len() == asked {
            assert!(stage.schemas.within(&record, Duration::from_millis(100)).await.is_none(), "{status}");
        }
    }
    let waiting = stage.schemas.of(&record);
    let back = async {
        tokio::task::yield_now().await;
        stage.registry.register(7, SCHEMA);
    };
    let (written, ()) = tokio::join!(waiting, back);
    assert!(matches!(written, Written::Registered(_)), "{written:?}");
    assert!(!stage.status.has_schemas_away());
}

#[tokio::test]
async fn only_the_stream_reports_that_it_waits_and_only_while_it_does() {
    let mut stage = Stage::new().await;
    stage.registry.set_away(true);
    let record = stage.record(7);
    assert!(stage.schemas.within(&record, Duration::from_millis(300)).await.is_none());
    assert!(!stage.status.has_schemas_away(), "a resume that gave up is not the stream");
    assert!(tokio::time::timeout(Duration::from_millis(300), stage.schemas.of(&record)).await.is_err());
    assert!(!stage.status.has_schemas_away(), "it waits no more");
    let waiting = async {
        while !stage.status.has_schemas_away() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        written = stage.schemas.of(&record) => panic!("{written:?}"),
        waits = tokio::time::timeout(Duration::from_secs(10), waiting) => waits.expect("the stream says that it waits"),
    }
}

#[tokio::test]
async fn an_unknown_id_is_a_dead_letter_and_is_asked_for_once_in_a_while() {
    let mut stage = Stage::new().await;
    assert_eq!(stage.refusal(9).await, "the schema registry has no schema 9");
    assert_eq!(stage.refusal(9).await, "the schema registry has no schema 9");
    assert_eq!(stage.registry.requests().len(), 1);
    stage.registry.answer(10, 404, "<html>nothing here</html>");
    assert!(stage.refusal(10).await.contains("is `url` right?"));
}

#[tokio::test]
async fn rubbish_is_a_dead_letter_with_the_reason() {
    let mut stage = Stage::new().await;
    let endless = r#"{"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"n\",\"type\":\"R\"}]}"}"#;
    let large = format!(r#"{{"schema":"{}"}}"#, " ".repeat(600 * 1024));
    for (id, (body, part)) in [
        ("<html>sign in</html>", "not JSON with a `schema`"),
        ("[]", "not JSON with a `schema`"),
        (r#"{"schema":7}"#, "not JSON with a `schema`"),
        (r#"{"schema":"message P {}","schemaType":"PROTOBUF"}"#, "of type PROTOBUF"),
        (
            r#"{"schema":"{}","references":[{"name":"x","subject":"y","version":1}]}"#,
            "refers to version 1 of `y`, which the schema registry does not have",
        ),
        (r#"{"schema":"{}","references":[{"name":"x"}]}"#, "not JSON with a `schema`"),
        (r#"{"schema":"not a schema"}"#, "cannot be used: not JSON"),
        (endless, "contains itself without end"),
        (&large, "more than"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = id as u32;
        stage.registry.answer(id, 200, body);
        let reason = stage.refusal(id).await;
        assert!(reason.contains(part), "{reason}");
    }
}

/// The subject's name is encoded, and a schema that two others refer to is asked for once.
#[tokio::test]
async fn references_to_other_subjects_are_followed() {
    let mut stage = Stage::new().await;
    let answer = |schema: &str, references: &[&str]| {
        let references: Vec<_> = references
            .iter()
            .map(|subject| serde_json::json!({"name": "any", "subject": subject, "version": 3}))
            .collect();
        serde_json::json!({"schema": schema, "references": references}).to_string()
    };
    let of = |name: &str, field: &str| {
        format!(
            r#"{{"type":"record","name":"{name}","namespace":"com.example","fields":[{{"name":"x","type":"{field}"}}]}}"#
        )
    };
    let schema = SCHEMA.replacen(r#""fields": ["#, r#""fields": [{"name": "extra", "type": "com.example.A"}, {"name": "more", "type": ["null", "com.example.B"]},"#, 1);
    assert_ne!(schema, SCHEMA);
    stage.registry.answer(7, 200, &answer(&schema, &["a/1", "b"]));
    stage.registry.answer_path("/subjects/a%2F1/versions/3", 200, &answer(&of("A", "com.example.B"), &["b"]));
    stage.registry.answer_path("/subjects/b/versions/3", 200, &answer(&of("B", "string"), &[]));
    let mut record = stage.record(7);
    // What the node does not need, by way of two schemas: a text, and null.
    let body = [&record.message.body[..5], &[2, b'z', 0], &record.message.body[5..]].concat();
    record.message.body = Bytes::from(body);
    let event = stage.decoded(&record).await.expect("usable").expect("an event");
    assert_eq!(event.record.get("plan"), Some(&Value::String("pro".into())));
    assert_eq!(stage.registry.requests().len(), 3);
}

#[tokio::test]
async fn references_are_bounded_and_wait_for_an_unreachable_registry() {
    let mut stage = Stage::new().await;
    // Each refers to the next, without end.
    let answer = |next: usize| {
        let schema = format!(r#"{{"type":"record","name":"R{next}","fields":[]}}"#);
        let references = [serde_json::json!({"name": "any", "subject": next.to_string(), "version": 1})];
        serde_json::json!({"schema": schema, "references": references}).to_string()
    };
    stage.registry.answer(7, 200, &answer(0));
    (0..40).for_each(|at| stage.registry.answer_path(&format!("/subjects/{at}/versions/1"), 200, &answer(at + 1)));
    let reason = stage.refusal(7).await;
    assert!(reason.contains("schema 7 refers to more than 32 others"), "{reason}");
    stage.registry.answer(8, 200, &answer(0));
    stage.registry.answer_path("/subjects/3/versions/1", 500, "");
    let record = stage.record(8);
    assert!(tokio::time::timeout(Duration::from_millis(300), stage.schemas.of(&record)).await.is_err());
}

#[tokio::test]
async fn a_schema_that_the_type_cannot_read_is_a_dead_letter_that_names_the_field() {
    let mut stage = Stage::new().await;
    stage.registry.register(7, &SCHEMA.replace(r#""plan", "type": "string""#, r#""plan", "type": "long""#));
    let reason = stage.refusal(7).await;
    assert!(reason.contains("license.LicenseUpdated cannot be read at `plan`"), "{reason}");
    // The schema names another type than the event.
    stage.registry.register(8, include_str!("../../../../../schemas/license/LicenseExpired.v1.avsc"));
    let record = stage.record(8);
    let refused = stage.decoded(&record).await;
    assert!(matches!(refused, Err(Unusable::OtherType { .. } | Unusable::Body(_))), "{refused:?}");
}

#[tokio::test]
async fn without_a_registry_a_body_that_names_a_schema_is_a_dead_letter() {
    let mut stage = Stage::new().await;
    stage.schemas = Schemas::default();
    let reason = stage.refusal(7).await;
    assert!(reason.contains("names schema 7") && reason.contains("none is configured"), "{reason}");
}

#[tokio::test]
async fn a_flood_of_unknown_ids_does_not_become_a_flood_of_questions() {
    let mut stage = Stage::new().await;
    stage.registry.set_delay(Duration::from_millis(2));
    let records: Vec<Record> = (0..200).map(|id| stage.record(id)).collect();
    let begun = Instant::now();
    let mut all = pin!(futures_util::future::join_all(records.iter().map(|record| stage.schemas.of(record))));
    while stage.registry.requests().len() < 50 {
        let _ = tokio::time::timeout(Duration::from_millis(100), &mut all).await;
    }
    // A burst of 50, and 20 a second.
    let asked = stage.registry.requests().len();
    let most = 51.0 + 20.0 * begun.elapsed().as_secs_f64();
    assert!(asked as f64 <= most, "{asked} of {most}");
    assert!(stage.registry.most_under_way() <= AT_ONCE, "{}", stage.registry.most_under_way());
}

#[tokio::test]
async fn user_and_password_are_given() {
    let registry_login = |config: &mut SchemaRegistryConfig| {
        config.login = Some(("node".to_owned(), Secret::of(b"secret")));
        config.url.push_str("/path");
    };
    let mut stage = Stage::with(registry_login).await;
    let record = stage.record(7);
    stage.schemas.of(&record).await;
    let request = stage.registry.requests().remove(0);
    assert!(request.starts_with("GET /path/schemas/ids/7 "), "{request}");
    // "node:secret"
    assert!(request.to_ascii_lowercase().contains("authorization: basic bm9kztpzzwnyzxq="), "{request}");
}

#[test]
fn records_of_the_state_stream_are_read_alike() {
    let message = Message {
        stream: Stream::State,
        org: None,
        topic: "t".to_owned(),
        key: Some("k".to_owned()),
        id: "i".to_owned(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    assert!(matches!(Written::without_registry(&message.body), Written::Own), "a tombstone needs no schema");
}
