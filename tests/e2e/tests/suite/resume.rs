//! What a returning tab receives, and in which order.

use fanfare_e2e_tests::client::{Connect, HANDSHAKE};
use fanfare_e2e_tests::wait::at_most;
use fanfare_e2e_tests::websocket::Frame;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Token};
use serde_json::json;

/// Otherwise a tab that is dropped in the middle of its replay would return with a cursor after what it lacks.
#[tokio::test]
async fn a_cursor_during_the_replay_at_connect_is_not_ahead_of_it() {
    const MISSED: usize = 40;
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let cursor = tab.invoke("Cursor", json!([])).await.expect("a cursor");
    let missed: Vec<NewEvent> =
        (0..MISSED).map(|number| NewEvent::alert("acme", &format!("missed {number}"))).collect();
    node.publish(&missed).await;
    for _ in 0..MISSED {
        tab.expect("toast").await;
    }
    let returning =
        Connect::new(HUB, Token::user("alice", "acme").sign()).query("cursor", cursor.as_str().expect("a text"));
    let mut socket = returning.open(node.address(), None).await.expect("connects").expect("not refused");
    let call = json!({ "type": 1, "invocationId": "0", "target": "Cursor", "arguments": [] });
    socket.send(&format!("{HANDSHAKE}{call}\u{1e}")).await.expect("open");
    let mut told = String::new();
    while !told.contains("\"invocationId\":\"0\"") {
        match at_most("an answer", socket.next()).await.expect("no reset") {
            Some(Frame::Text(text)) => told.push_str(&text),
            Some(Frame::Ping(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    let (before, answer) = told.split_once("\"invocationId\":\"0\"").expect("an answer");
    let cursor = answer.split('"').find(|part| part.len() > 30).expect("a cursor").to_owned();
    drop(socket);
    let mut again = node.tab(&Token::user("alice", "acme")).await;
    let resumed = again.invoke("Resume", json!([cursor])).await.expect("resumes");
    let (told, told_again) = (before.matches("missed ").count(), resumed["replayed"].as_u64().expect("a number"));
    assert!(told + told_again as usize >= MISSED, "{told} before the cursor and {told_again} behind it");
    assert_eq!(resumed["complete"], true);
}

/// A change of one of acme's flags.
fn flag(name: &str, revision: i64) -> NewEvent {
    let mut body = json!({ "org": "acme", "flag": "dark", "revision": revision });
    if name == "FlagToggled" {
        body["enabled"] = json!(true);
    }
    NewEvent::new(&format!("license.{name}"), &format!("{name}-{revision}"), &body)
}

/// Otherwise a removed flag would be shown again. On Kafka the two types are in two partitions, and either may be read
/// first.
#[tokio::test]
async fn a_toggle_that_the_removal_of_its_flag_has_overtaken_is_not_replayed() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    node.publish(&[flag("FlagRemoved", 2)]).await;
    assert_eq!(tab.expect("featureFlag").await["enabled"], false);
    let cursor = tab.invoke("Cursor", json!([])).await.expect("a cursor");
    node.publish(&[flag("FlagToggled", 1), NewEvent::alert("acme", "end")]).await;
    assert_eq!(tab.expect("toast").await["title"], "end", "nor is it told live");
    let mut returned = node.tab(&Token::user("alice", "acme")).await;
    let outcome = returned.invoke("Resume", json!([cursor])).await;
    let outcome = outcome.expect("resumes");
    assert_eq!((&outcome["replayed"], &outcome["complete"]), (&json!(1), &json!(true)));
    assert_eq!(returned.expect("toast").await["title"], "end");
}

#[tokio::test]
async fn what_was_overtaken_after_the_cursor_is_sent_again() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let cursor = tab.invoke("Cursor", json!([])).await.expect("a cursor");
    node.publish(&[flag("FlagToggled", 1), flag("FlagToggled", 2), flag("FlagRemoved", 3)]).await;
    for _ in 0..3 {
        tab.expect("featureFlag").await;
    }
    let mut returned = node.tab(&Token::user("alice", "acme")).await;
    let outcome = returned.invoke("Resume", json!([cursor])).await;
    let outcome = outcome.expect("resumes");
    assert_eq!((&outcome["replayed"], &outcome["complete"]), (&json!(3), &json!(true)));
    for told in [true, true, false] {
        assert_eq!(returned.expect("featureFlag").await["enabled"], told);
    }
}
