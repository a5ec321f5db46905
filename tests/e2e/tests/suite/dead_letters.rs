//! Records that cannot be used: stored with their reason, while the stream continues.

use fanfare_e2e_tests::{NewEvent, Node, Settings, Token};
use fanfare_event::Registry;
use serde_json::json;

use crate::publish::{avro_alert, expect_next};

/// A bad record, and the reason in its dead letter.
struct Poison {
    id: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
    reason: &'static str,
}

fn poison() -> Vec<Poison> {
    let headers = |id| {
        vec![
            ("ce-specversion", "1.0"),
            ("ce-id", id),
            ("ce-source", "/tests"),
            ("ce-type", "system.Alert"),
            ("ce-time", "2026-01-02T03:04:05Z"),
            ("ce-org", "acme"),
        ]
    };
    let of = |id, body: &[u8], reason| Poison { id, headers: headers(id), body: body.to_vec(), reason };
    let good = avro_alert("acme", "never seen");
    let flag = Registry::builtin().event_type("license.FlagToggled").expect("known").clone();
    let flag = flag.encode_json(None, &json!({ "org": "acme", "flag": "f", "enabled": true })).expect("encoded");
    let no_type = Poison { headers: vec![("ce-id", "no-type")], ..of("no-type", &good, "ce-") };
    vec![
        of("garbage", b"this is no record", "body"),
        of("empty", b"", "body"),
        of("cut", &good[..good.len() - 3], "body"),
        of("unknown-schema", &[&[0xc3, 1][..], &[9; 8], &good[10..]].concat(), "body"),
        of("absurd-length", &[&good[..10], &[2, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat(), "body"),
        of("another-type", &flag, "license.FlagToggled"),
        of("another-org", &avro_alert("globex", "never seen"), "globex"),
        no_type,
    ]
}

#[tokio::test]
async fn a_record_that_cannot_be_decoded_is_kept_with_its_reason_and_the_stream_continues() {
    let mut node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    node.publish(&[NewEvent::alert("acme", "before")]).await;
    let cursor = tab.expect("toast").await["cursor"].as_str().expect("a cursor").to_owned();
    node.kill();
    let log = node.open_log();
    for Poison { id, headers, body, .. } in poison() {
        log.append("system.Alert", Some("acme"), id, &headers, &body).await;
    }
    log.close().await;
    node.start().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let mut carol = node.tab(&Token::user("carol", "globex")).await;
    expect_next(&node, &mut tab, "after").await;
    let resumed = tab.invoke("Resume", json!([cursor])).await.expect("resumes");
    assert_eq!((&resumed["replayed"], &resumed["complete"]), (&json!(0), &json!(true)), "nothing of it is ever shown");
    carol.expect_silence().await;
    let counted = node.metric("fanfare_events_dead_lettered", "").await;
    node.stop().await;

    let log = node.open_log();
    let (letters, records) = (log.dead_letters().await, log.records().await);
    log.close().await;
    let reasons: Vec<_> = letters.iter().map(|letter| (letter.message.id.as_str(), letter.reason.as_str())).collect();
    assert_eq!(letters.len(), poison().len(), "{reasons:?}");
    for (letter, Poison { id, body, reason, .. }) in letters.iter().zip(poison()) {
        assert_eq!(letter.message.id, id);
        assert!(letter.reason.contains(reason), "{id}: {}", letter.reason);
        assert!(!letter.reason.contains("never seen"), "{}", letter.reason);
        assert_eq!((letter.message.body.as_ref(), letter.body_size), (&body[..], body.len() as u64));
        let place = records.iter().find(|record| record.message.id == id).expect("still in the log");
        assert_eq!((letter.partition, letter.offset), (place.partition, place.offset));
    }
    let lines = node.lines("dead letter");
    assert_eq!(lines.len(), poison().len(), "each is logged once");
    assert!(lines.iter().all(|line| line["offset"].is_u64() && line["reason"].is_string()), "{lines:?}");
    assert!((counted - poison().len() as f64).abs() < 0.5, "{counted} are counted");
}

#[tokio::test]
async fn records_that_cannot_be_routed_are_dead_letters() {
    let mut node = Node::prepare(Settings::default());
    let log = node.open_log();
    let record = Registry::builtin().event_type("export.ExportFailed").expect("known").clone();
    let body = json!({ "org": "acme", "user": "a\nb", "job_id": "j", "kind": "k", "reason": "r" });
    let body = record.encode_json(None, &body).expect("a user is any text to Avro");
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/tests"),
        ("ce-type", "export.ExportFailed"),
        ("ce-time", "2026-01-02T03:04:05Z"),
        ("ce-org", "acme"),
    ];
    log.append("export.ExportFailed", Some("acme"), "1", &headers, &body).await;
    log.close().await;
    node.start().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    expect_next(&node, &mut tab, "after").await;
    node.stop().await;
    let letters = node.open_log().dead_letters().await;
    assert_eq!(letters.len(), 1, "a user that is no id is nobody");
    assert!(letters[0].reason.contains("user"), "{}", letters[0].reason);
}
