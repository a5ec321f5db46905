//! Brokers that are away, refuse, lose or are recreated.

use std::time::Duration;

use fanfare_broker::BrokerError;

use super::broker::{leave_hole, memory, trim};
use super::node::{Node, Told, WINDOW, alert};
use crate::projection::ConnectionEffect;
use crate::scene::{Scene, claims};

fn away() -> Option<BrokerError> {
    Some(BrokerError::Unavailable("connection refused".into()))
}

#[tokio::test]
async fn a_broker_that_is_unreachable_at_the_start_is_waited_for_and_named() {
    let (log, mut scene) = (memory(), Scene::demo());
    log.fail(away());
    let mut node = Node::start(&log, WINDOW);
    node.until("named", |node| {
        let waits = node.status.not_ready().expect("not ready");
        waits.reason == "waiting for the broker"
            && waits.fault.is_some_and(|fault| fault.contains("connection refused"))
    })
    .await;
    log.fail(None);
    node.until_ready().await;
    log.append(0, alert(&mut scene, "first"));
    node.expect_alert("first").await;
}

#[tokio::test]
async fn a_broker_that_refuses_at_the_start_ends_the_node_and_later_it_does_not() {
    let refuses = BrokerError::Refused("wrong password".into());
    let log = memory();
    log.fail(Some(refuses.clone()));
    let ended = Node::start(&log, WINDOW).ended().await.expect_err("ends");
    assert_eq!(ended.to_string(), "broker refuses: wrong password");

    let mut scene = Scene::demo();
    log.fail(None);
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    log.fail(Some(refuses));
    node.until("it is noticed", |node| !node.status.is_connected()).await;
    assert!(node.status.not_ready().is_none(), "ready for a while, and degraded");
    log.append(0, alert(&mut scene, "meanwhile"));
    log.fail(None);
    node.expect_alert("meanwhile").await;
}

#[tokio::test]
async fn what_was_stored_while_the_broker_was_unreachable_is_delivered_once() {
    let (log, mut scene) = (memory(), Scene::demo());
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    log.append(0, alert(&mut scene, "before"));
    node.expect_alert("before").await;
    log.fail(away());
    for (partition, title) in [(0, "one"), (0, "two"), (5, "three")] {
        log.append(partition, alert(&mut scene, title));
    }
    log.fail(None);
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(node.next().await.0);
    }
    let titles = ["three", "one", "two"].map(|title| Told::Alert(title.to_owned()));
    assert_eq!(told, titles, "in the order of each partition");
}

#[tokio::test]
async fn a_new_stream_is_learnt_and_then_followed_live_from_its_window() {
    let (log, mut scene) = (memory(), Scene::demo());
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    let both = alert(&mut scene, "in both");
    log.append(0, both.clone());
    let old_cursor = node.expect_alert("in both").await;
    log.append(1, scene.event("auth.UserLoggedOut", r#"{"user":"alice","org":"acme"}"#).message);
    assert!(matches!(node.next().await.0, Told::Felt(ConnectionEffect::LoggedOut { .. })));
    log.fail(away());
    log.recreate();
    log.append(0, both);
    log.append(0, alert(&mut scene, "before the node noticed"));
    log.append(1, scene.event("auth.UserLoggedOut", r#"{"user":"bob","org":"acme"}"#).message);
    log.fail(None);
    let (renewed, _) = node.next().await;
    assert!(matches!(&renewed, Told::Felt(ConnectionEffect::Renewed(from)) if from.incarnation() == 2), "{renewed:?}");
    let mut rest = [node.next().await.0, node.next().await.0];
    rest.sort_by_key(|told| matches!(told, Told::Felt(_)));
    assert_eq!(rest[0], Told::Alert("before the node noticed".to_owned()), "and what is known is not told again");
    assert!(matches!(&rest[1], Told::Felt(ConnectionEffect::LoggedOut { user, .. }) if user.as_str() == "bob"));
    assert_eq!(node.next().await.0, Told::Felt(ConnectionEffect::Gap));
    assert_eq!(node.next().await.0, Told::Felt(ConnectionEffect::Gap), "and whoever was let in meanwhile");
    node.until_ready().await;
    for user in ["alice", "bob"] {
        let refused = node.groups.read(|known| known.refuses(&claims(user, "acme", &[], "s", 1)));
        assert!(refused, "logouts of either stream hold");
    }
    let (replayed, complete) = node.resume(&old_cursor).await.expect("resumes");
    assert_eq!((replayed, complete), (vec!["in both".into(), "before the node noticed".into()], false));
    log.append(0, alert(&mut scene, "after"));
    let cursor = node.expect_alert("after").await;
    assert_eq!(node.resume(&cursor).await, Ok((vec![], true)));
}

#[tokio::test]
async fn a_logout_before_the_window_of_a_new_stream_ends_open_tabs() {
    let (log, mut scene) = (memory(), Scene::demo());
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    log.fail(away());
    log.recreate();
    log.append(1, scene.event("auth.UserLoggedOut", r#"{"user":"bob","org":"acme"}"#).message);
    log.wait(WINDOW.age + Duration::from_secs(1));
    log.append(0, alert(&mut scene, "in the window"));
    log.fail(None);
    assert!(matches!(node.next().await.0, Told::Felt(ConnectionEffect::Renewed(_))));
    let cursor = node.expect_alert("in the window").await;
    assert_eq!(node.next().await.0, Told::Felt(ConnectionEffect::Gap), "tabs come back, to be held against the state");
    assert_eq!(node.next().await.0, Told::Felt(ConnectionEffect::Gap), "and whoever was let in meanwhile");
    node.until_ready().await;
    assert!(node.groups.read(|known| known.refuses(&claims("bob", "acme", &[], "s", 1))));
    // A tab that left before it was closed has missed what lies before the window.
    assert_eq!(node.resume(&cursor).await, Ok((vec!["in the window".into()], false)));
    log.append(0, alert(&mut scene, "after"));
    let cursor = node.expect_alert("after").await;
    assert_eq!(node.resume(&cursor).await, Ok((vec![], true)));
}

#[tokio::test]
async fn lost_records_are_counted_and_tabs_reconnect_to_an_incomplete_resume() {
    let (log, mut scene) = (memory(), Scene::demo());
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    log.append(0, alert(&mut scene, "before"));
    let cursor = node.expect_alert("before").await;
    log.fail(away());
    log.append(0, alert(&mut scene, "lost"));
    log.append(0, scene.event("auth.UserLoggedOut", r#"{"user":"bob","org":"acme"}"#).message);
    log.append(0, alert(&mut scene, "kept"));
    trim(&log, 0, 3);
    log.fail(None);
    assert_eq!(node.next().await.0, Told::Felt(ConnectionEffect::Gap));
    assert_eq!(node.next().await.0, Told::Felt(ConnectionEffect::Gap), "and whoever was let in meanwhile");
    node.until_ready().await;
    let bob = claims("bob", "acme", &[], "s", 1);
    assert!(node.groups.read(|known| known.refuses(&bob)), "state that was lost on the way is learnt before they come");
    node.expect_alert("kept").await;
    assert_eq!(node.metric("fanfare_records_lost_total"), "2");
    assert_eq!(node.resume(&cursor).await, Ok((vec!["kept".into()], false)));
}

#[tokio::test]
async fn no_cursor_is_sent_beyond_a_gap_before_tabs_are_closed_for_it() {
    let (log, mut scene) = (memory(), Scene::demo());
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    log.fail(away());
    log.append(0, alert(&mut scene, "lost"));
    trim(&log, 0, 1);
    log.fail(None);
    for _ in ["before the state is read", "at its end"] {
        let told = node.next_after(|groups| assert!(!groups.passed(0).0.covers(0, 1), "what `Cursor()` gives")).await;
        assert_eq!(told.0, Told::Felt(ConnectionEffect::Gap));
    }
    node.until("the node is behind it", |node| node.groups.passed(0).0.covers(0, 1)).await;
}

#[tokio::test]
async fn holes_are_read_over() {
    let (log, mut scene) = (memory(), Scene::demo());
    log.append(0, alert(&mut scene, "before the start"));
    leave_hole(&log, 0);
    leave_hole(&log, 7);
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    assert_eq!(node.position().offsets(), [(0, 2), (7, 1)]);
    log.append(0, alert(&mut scene, "live"));
    let cursor = node.expect_alert("live").await;
    leave_hole(&log, 0);
    node.until("over the hole", |node| node.position().covers(0, 4)).await;
    assert_eq!(node.resume(&cursor).await, Ok((vec![], true)), "a replay that ends in a hole ends");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_falls_behind_is_not_ready_and_reports_its_lag() {
    let (log, mut scene) = (memory(), Scene::demo());
    let node = Node::start(&log, WINDOW);
    node.until_ready().await;
    // Nobody takes what the shard is sent: its inbox fills, and the reader waits.
    for n in 0..500 {
        log.append(0, alert(&mut scene, &format!("{n}")));
    }
    let behind = |node: &Node| node.metric("fanfare_reader_lag_records{partition=\"0\"}").parse().unwrap_or(0u32) > 300;
    node.until("told by partition", behind).await;
    assert_eq!(node.metric("fanfare_reader_head{partition=\"0\"}"), "500");
    let reason = |node: &Node| node.status.not_ready().map(|not_ready| not_ready.reason);
    node.until("not ready", |node| reason(node) == Some("more than 10 s behind the log")).await;
}
