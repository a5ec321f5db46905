//! Dead letters on an embedded log.

use bytes::Bytes;
use fanfare_broker::embedded::{Embedded, Options};
use fanfare_broker::{LETTER_BODY_LIMIT, Message, Published};

use super::*;
use crate::scene::Scene;

/// The largest body that the nodes of these tests deliver.
const EVENT_BYTES: usize = 2 * LETTER_BODY_LIMIT;

/// A log with the demo platform's schemas and routes.
struct Stage {
    broker: Arc<Embedded>,
    letters: DeadLetterAdmin,
    scene: Scene,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let broker = Arc::new(Embedded::open(folder.path(), Options::default()).expect("a log"));
        let scene = Scene::demo();
        let routes = scene.routes.clone();
        let letters = DeadLetterAdmin::new(broker.clone(), Schemas::default(), routes.into(), EVENT_BYTES.into());
        Self { broker, letters, scene, _folder: folder }
    }

    /// Stores a message and writes its letter, as a node that cannot use it does.
    async fn poison(&self, message: Message, reason: &str, time: i64) -> LetterId {
        let Published { partition, offset, .. } = self.broker.publish(message.clone()).await.expect("stored");
        let record = Record { partition, offset, time, message };
        self.broker.dead_letter(DeadLetter::new(&record, reason, time)).await.expect("kept");
        LetterId { partition, offset }
    }

    fn alert(&mut self) -> Message {
        self.scene.event("system.Alert", r#"{ "org": "acme", "title": "t", "message": "m" }"#).message
    }

    fn flag(&mut self, revision: i64) -> Message {
        let json = format!(r#"{{ "org": "acme", "flag": "f", "enabled": true, "revision": {revision} }}"#);
        self.scene.event("license.FlagToggled", &json).message
    }

    async fn replay(&self, ids: &[LetterId], force: bool) -> Vec<Fate> {
        let request = ReplayRequest { ids: ids.to_vec(), force, dry_run: false };
        let replays = self.letters.replay(&request).await.expect("an answer");
        assert!(replays.letters.iter().zip(ids).all(|(outcome, id)| outcome.id == *id));
        replays.letters.into_iter().map(|outcome| outcome.fate).collect()
    }

    async fn stored(&self, fate: &Fate) -> Message {
        let Fate::Stored { at } = fate else { panic!("{fate:?}") };
        self.broker.record_at(at.partition, at.offset).await.expect("readable").expect("there").message
    }
}

fn garbage(message: Message) -> Message {
    Message { body: Bytes::from_static(b"no record"), ..message }
}

#[tokio::test]
async fn what_can_be_used_now_is_published_again_under_another_message_id() {
    let mut stage = Stage::new();
    let alert = stage.alert();
    let id = stage.poison(alert.clone(), "body: no known schema", 1).await;
    let shown = stage.letters.show(id).await.expect("an answer").expect("a letter");
    assert_eq!(shown.now.fault, None);
    assert_eq!(shown.now.data.expect("decodes")["title"], "t");
    for _ in 0..2 {
        let fates = stage.replay(&[id], false).await;
        let again = stage.stored(&fates[0]).await;
        assert_ne!(again.id, alert.id);
        assert_eq!(replay_of(&again), Some(id));
        let headers = again.headers[..again.headers.len() - 1].to_vec();
        let again = Message { id: alert.id.clone(), headers, ..again };
        assert_eq!(again, alert, "the other headers with ce-id, org and body are the same");
    }
}

#[tokio::test]
async fn a_replay_that_would_fail_again_is_refused_unless_forced() {
    let mut stage = Stage::new();
    let unreadable = garbage(stage.alert());
    let conflicting = stage.alert();
    let bad = stage.poison(unreadable.clone(), "body: unreadable", 1).await;
    let conflict = stage.poison(conflicting, "conflict: its id was used before", 1).await;
    let none = LetterId { partition: 0, offset: 999 };
    let fates = stage.replay(&[bad, conflict, none], false).await;
    assert!(matches!(&fates[0], Fate::Unusable { reason } if reason.contains("single-object")), "{fates:?}");
    assert!(matches!(&fates[1], Fate::Unusable { reason } if reason.contains("used before")), "{fates:?}");
    assert_eq!(fates[2], Fate::Unknown);
    let forced = stage.replay(&[bad], true).await;
    assert_eq!(stage.stored(&forced[0]).await.body, unreadable.body);
}

#[tokio::test]
async fn a_dry_run_publishes_nothing() {
    let mut stage = Stage::new();
    let alert = stage.alert();
    let id = stage.poison(alert, "body: x", 1).await;
    let head = stage.broker.head().await.expect("a head");
    let request = ReplayRequest { ids: vec![id], force: false, dry_run: true };
    let replays = stage.letters.replay(&request).await.expect("an answer");
    assert_eq!(replays.letters[0].fate, Fate::WouldStore);
    assert_eq!(stage.broker.head().await.expect("a head"), head);
}

#[tokio::test]
async fn a_body_that_was_cut_is_taken_from_the_log() {
    let mut stage = Stage::new();
    let long = "m".repeat(LETTER_BODY_LIMIT + 1);
    let json = format!(r#"{{ "org": "acme", "title": "t", "message": "{long}" }}"#);
    let alert = stage.scene.event("system.Alert", &json).message;
    let id = stage.poison(alert.clone(), "body: x", 1).await;
    let shown = stage.letters.show(id).await.expect("an answer").expect("a letter");
    assert!(shown.complete);
    assert_eq!(STANDARD.decode(&shown.body).expect("base64"), alert.body);
    let fates = stage.replay(&[id], false).await;
    assert_eq!(stage.stored(&fates[0]).await.body, alert.body);
}

#[tokio::test]
async fn a_record_that_is_too_large_to_deliver_stays_a_dead_letter() {
    let mut stage = Stage::new();
    let long = "m".repeat(EVENT_BYTES);
    let json = format!(r#"{{ "org": "acme", "title": "t", "message": "{long}" }}"#);
    let alert = stage.scene.event("system.Alert", &json).message;
    let id = stage.poison(alert, "too_large: x", 1).await;
    let shown = stage.letters.show(id).await.expect("an answer").expect("a letter");
    let fault = shown.now.fault.expect("a fault");
    assert!(fault.contains(&format!("at most {EVENT_BYTES} are delivered")), "{fault}");
    let fates = stage.replay(&[id], false).await;
    assert!(matches!(&fates[0], Fate::Unusable { reason } if *reason == fault), "{fates:?}");
}

#[tokio::test]
async fn a_body_that_was_cut_is_lost_with_its_record() {
    let stage = Stage::new();
    let mut scene = Scene::demo();
    let alert = scene.event("system.Alert", r#"{ "org": "acme", "title": "t", "message": "m" }"#).message;
    let long = Message { body: Bytes::from(vec![0; LETTER_BODY_LIMIT + 7]), ..alert };
    // A letter whose record is another one by now, as after the log was recreated.
    let id = stage.poison(long.clone(), "body: x", 1).await;
    let other = Message { id: "another".to_owned(), ..long.clone() };
    let Published { partition, offset, .. } = stage.broker.publish(other).await.expect("stored");
    let moved = Record { partition, offset, time: 1, message: long };
    stage.broker.dead_letter(DeadLetter::new(&moved, "body: x", 1)).await.expect("kept");
    let moved = LetterId { partition, offset };
    assert!(matches!(stage.replay(&[id], true).await[0], Fate::Stored { .. }), "its record is there");
    let size = LETTER_BODY_LIMIT as u64 + 7;
    assert_eq!(stage.replay(&[moved], true).await, [Fate::Cut { kept: LETTER_BODY_LIMIT as u64, size }]);
    let shown = stage.letters.show(moved).await.expect("an answer").expect("a letter");
    assert!(!shown.complete && shown.now.fault.is_some());
}

#[tokio::test]
async fn older_state_does_not_take_the_place_of_newer() {
    let mut stage = Stage::new();
    let (first, second) = (garbage(stage.flag(1)), stage.flag(2));
    let older = stage.poison(first, "body: x", 1).await;
    let newest = stage.poison(second.clone(), "body: y", 2).await;
    let fates = stage.replay(&[older, newest], false).await;
    assert_eq!(fates[0], Fate::Superseded);
    assert_eq!(stage.stored(&fates[1]).await.body, second.body);
    assert_eq!(stage.replay(&[newest], false).await, [Fate::Superseded], "the replayed one is newer now");
    assert!(matches!(stage.replay(&[older], true).await[0], Fate::Stored { .. }));
}

#[tokio::test]
async fn state_that_was_removed_does_not_come_back() {
    let mut stage = Stage::new();
    let flag = stage.flag(1);
    let id = stage.poison(flag.clone(), "body: x", 1).await;
    let tombstone = Message { id: "removal".to_owned(), body: Bytes::new(), ..flag };
    stage.broker.publish(tombstone).await.expect("stored");
    assert_eq!(stage.replay(&[id], false).await, [Fate::Superseded]);
}

#[tokio::test]
async fn letters_are_listed_by_time_and_paged_by_id() {
    let mut stage = Stage::new();
    let mut ids = Vec::new();
    for time in [30, 10, 20] {
        let alert = stage.alert();
        ids.push(stage.poison(alert, "other_org: the subject names no org", time).await);
    }
    let listed = stage.letters.newest(2).await.expect("an answer").letters;
    // The broker gives the newest by place; of these the newest comes first.
    assert_eq!(listed.iter().map(|letter| letter.id).collect::<Vec<_>>(), [ids[2], ids[1]]);
    assert_eq!((listed[0].kind.as_str(), listed[0].org.as_deref()), ("other_org", Some("acme")));
    let page = stage.letters.page(Some(ids[2]), 1).await.expect("an answer").letters;
    assert_eq!(page[0].id, ids[1]);
}

#[test]
fn the_kind_is_before_the_colon() {
    assert_eq!(kind("body: no record"), "body");
    assert_eq!(kind("other_type: x"), "other_type");
    assert_eq!(kind("bodyguard: x"), "other");
    assert_eq!(kind("nothing known"), "other");
}
