//! Resumes on several nodes of one log.

use std::time::Duration;

use fanfare_broker::Position;

use super::broker::{memory, trim};
use super::node::{Node, WINDOW, alert, seal};
use crate::pipeline::Window;
use crate::projection::{HubTag, ReadTimes, open_cursor, seal_cursor};
use crate::rule::{Rule, break_one};
use crate::scene::Scene;

#[tokio::test]
async fn every_node_answers_a_resume_alike() {
    let (log, mut scene) = (memory(), Scene::demo());
    let mut first = Node::start(&log, WINDOW);
    first.until_ready().await;
    let mut cursors = Vec::new();
    for (partition, title) in [(0, "a"), (9, "b"), (0, "c"), (4, "d"), (9, "e")] {
        log.append(partition, alert(&mut scene, title));
        cursors.push(first.expect_alert(title).await);
    }
    // Started after all of it was sent.
    let second = Node::start(&log, WINDOW);
    second.until_ready().await;
    assert_eq!(first.groups.read(|known| known.digest()), second.groups.read(|known| known.digest()));
    for (at, cursor) in cursors.iter().enumerate() {
        let mut answers = Vec::new();
        for node in [&first, &second] {
            let (mut titles, complete) = node.resume(cursor).await.expect("resumes");
            titles.sort_unstable();
            assert!(complete, "cursor {at}");
            answers.push(titles);
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(answers[0], ["a", "b", "c", "d", "e"][at + 1..], "cursor {at}");
    }
}

#[tokio::test]
async fn a_cursor_before_the_window_is_incomplete_and_replays_what_is_left() {
    let (log, mut scene) = (memory(), Scene::demo());
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    log.append(0, alert(&mut scene, "first"));
    let cursor = node.expect_alert("first").await;
    log.append(0, alert(&mut scene, "old"));
    log.append(1, alert(&mut scene, "old too"));
    log.wait(WINDOW.age + Duration::from_secs(1));
    log.append(0, alert(&mut scene, "new"));
    for _ in 0..3 {
        node.next().await;
    }
    assert_eq!(node.resume(&cursor).await, Ok((vec!["new".into()], false)));
}

/// A cursor that has left out partition 1, as one that was too long, taken where the log is now.
fn without_partition_1(node: &Node) -> String {
    let position = node.position();
    let parts = position.offsets().iter().copied().filter(|(partition, _)| *partition != 1);
    let left = Position::from_parts(position.incarnation(), parts).with_newest(position.newest());
    seal_cursor(&seal(), &left.partial(), &ReadTimes::default(), HubTag::of("/hub"), false)
}

#[tokio::test]
async fn a_partition_that_a_cursor_leaves_out_is_read_from_the_start_of_the_window() {
    let (log, mut scene) = (memory(), Scene::demo());
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    log.append(1, alert(&mut scene, "long ago"));
    log.wait(WINDOW.age + Duration::from_secs(1));
    log.append(1, alert(&mut scene, "told"));
    log.append(0, alert(&mut scene, "told too"));
    for _ in 0..3 {
        node.next().await;
    }
    let cursor = without_partition_1(&node);
    log.append(1, alert(&mut scene, "missed"));
    node.next().await;
    let (titles, complete) = node.resume(&cursor).await.expect("resumes");
    assert_eq!((titles, complete), (vec!["told".into(), "missed".into()], true), "from the begin of the window");
    // Once its newest record comes near the edge of the window, nobody knows what was not yet read of the other.
    log.wait(WINDOW.age - Duration::from_secs(10));
    let (titles, complete) = node.resume(&cursor).await.expect("resumes");
    assert_eq!((titles, complete), (vec!["told".into(), "missed".into()], false));
}

/// One partition may be read long after another, for instance because its leader was away.
#[tokio::test]
async fn a_partition_of_which_nothing_had_been_read_is_complete_only_while_its_window_has_its_first_record() {
    let (log, mut scene) = (memory(), Scene::demo());
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    log.append(0, alert(&mut scene, "told"));
    let cursor = node.expect_alert("told").await;
    log.append(1, alert(&mut scene, "first"));
    node.expect_alert("first").await;
    assert_eq!(node.resume(&cursor).await, Ok((vec!["first".into()], true)));
    log.wait(WINDOW.age + Duration::from_secs(1));
    let newest = log.append(0, alert(&mut scene, "told too"));
    log.append(1, alert(&mut scene, "second"));
    for _ in 0..2 {
        node.next().await;
    }
    // As a node gives it that has read all of one partition and nothing of the other.
    let position = Position::from_parts(1, [(0, newest.offset)]).with_newest(newest.time);
    let cursor = seal_cursor(&seal(), &position, &ReadTimes::default(), HubTag::of("/hub"), false);
    assert_eq!(node.resume(&cursor).await, Ok((vec!["second".into()], false)));
    let _broken = break_one(Rule::UnreadFromFirst);
    assert_eq!(node.resume(&cursor).await, Ok((vec!["second".into()], true)), "as if it were left out");
}

#[tokio::test]
async fn a_left_out_partition_whose_window_is_cut_by_count_is_not_complete() {
    let (log, mut scene) = (memory(), Scene::demo());
    let window = Window { records: 2, ..WINDOW };
    let mut node = Node::start(&log, window);
    node.until_ready().await;
    log.append(0, alert(&mut scene, "told"));
    node.expect_alert("told").await;
    let cursor = without_partition_1(&node);
    for title in ["1", "2", "3"] {
        log.append(1, alert(&mut scene, title));
        node.expect_alert(title).await;
    }
    assert_eq!(node.resume(&cursor).await, Ok((vec!["2".into(), "3".into()], false)));
}

#[tokio::test]
async fn a_left_out_partition_that_the_retention_has_cut_within_the_window_is_not_complete() {
    let (log, mut scene) = (memory(), Scene::demo());
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    log.append(0, alert(&mut scene, "told"));
    node.expect_alert("told").await;
    let cursor = without_partition_1(&node);
    for title in ["dropped", "kept"] {
        log.append(1, alert(&mut scene, title));
        node.expect_alert(title).await;
    }
    assert_eq!(node.resume(&cursor).await, Ok((vec!["dropped".into(), "kept".into()], true)));
    trim(&log, 1, 1);
    assert_eq!(node.resume(&cursor).await, Ok((vec!["kept".into()], false)));
}

#[tokio::test]
async fn cursors_of_an_older_stream_and_of_another_secret_differ() {
    let (log, mut scene) = (memory(), Scene::demo());
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    log.append(0, alert(&mut scene, "only"));
    let cursor = node.expect_alert("only").await;
    let position = open_cursor(&seal(), &cursor).expect("issued").position;
    assert_eq!((position.offsets(), position.newest()), (&[(0, 1)][..], 1));
    let older = Position::from_parts(77, [(0, 1)]).with_newest(1);
    let older = seal_cursor(&seal(), &older, &ReadTimes::default(), HubTag::of("/hub"), false);
    assert_eq!(node.resume(&older).await, Ok((vec!["only".into()], false)));
    let foreign = seal_cursor(
        &crate::seal::Seal::new(b"other", &[]),
        &position,
        &ReadTimes::default(),
        HubTag::of("/hub"),
        false,
    );
    assert!(node.resume(&foreign).await.is_err());
}
