//! What a tab that returns is told, and in which order.

use fanfare_e2e_tests::client::{Connect, HANDSHAKE};
use fanfare_e2e_tests::wait::at_most;
use fanfare_e2e_tests::websocket::Frame;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Token};
use serde_json::json;

/// A tab that is dropped in the middle of its replay would else come back behind what it has not got.
#[tokio::test]
async fn a_cursor_is_not_told_before_the_replay_at_connect_is_over() {
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
        let Some(Frame::Text(text)) = at_most("an answer", socket.next()).await.expect("no reset") else {
            panic!("no text")
        };
        told.push_str(&text);
    }
    let before = told.split("\"invocationId\":\"0\"").next().expect("something").matches("missed ").count();
    assert_eq!(before, MISSED, "{told}");
}

/// A word about a flag of acme.
fn flag(name: &str, revision: i64) -> NewEvent {
    let mut body = json!({ "org": "acme", "flag": "dark", "revision": revision });
    if name == "FlagToggled" {
        body["enabled"] = json!(true);
    }
    NewEvent::new(&format!("license.{name}"), &format!("{name}-{revision}"), &body)
}

/// A removed flag would else be shown again. On Kafka the two types lie in two partitions, and either may be read first.
#[tokio::test]
async fn a_toggle_that_the_removal_of_its_flag_has_overtaken_is_not_told_again() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    node.publish(&[flag("FlagRemoved", 2)]).await;
    assert_eq!(tab.expect("featureFlag").await["enabled"], false);
    let cursor = tab.invoke("Cursor", json!([])).await.expect("a cursor");
    node.publish(&[flag("FlagToggled", 1), NewEvent::alert("acme", "end")]).await;
    assert_eq!(tab.expect("toast").await["title"], "end", "nor is it told live");
    let mut returned = node.tab(&Token::user("alice", "acme")).await;
    let outcome = returned.invoke("Resume", json!([cursor])).await;
    assert_eq!(outcome, Ok(json!({ "replayed": 1, "complete": true })));
    assert_eq!(returned.expect("toast").await["title"], "end");
}

#[tokio::test]
async fn what_was_overtaken_behind_the_cursor_is_told_again() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let cursor = tab.invoke("Cursor", json!([])).await.expect("a cursor");
    node.publish(&[flag("FlagToggled", 1), flag("FlagToggled", 2), flag("FlagRemoved", 3)]).await;
    for _ in 0..3 {
        tab.expect("featureFlag").await;
    }
    let mut returned = node.tab(&Token::user("alice", "acme")).await;
    let outcome = returned.invoke("Resume", json!([cursor])).await;
    assert_eq!(outcome, Ok(json!({ "replayed": 3, "complete": true })));
    for told in [true, true, false] {
        assert_eq!(returned.expect("featureFlag").await["enabled"], told);
    }
}
