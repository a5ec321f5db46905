//! Dead letters beside the stream.

use std::time::{Duration, Instant};

use super::broker::{letters, memory};
use super::node::{Node, WINDOW, alert};
use crate::scene::Scene;

#[tokio::test]
async fn a_flood_of_poison_holds_nothing_up_and_none_of_it_is_lost() {
    const POISON: usize = 10_000;
    let (log, mut scene) = (memory(), Scene::demo());
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    let mut poison = alert(&mut scene, "poison");
    poison.body = vec![7; 200].into();
    for n in 0..POISON {
        log.append(u32::try_from(n % 3).expect("small"), poison.clone());
    }
    log.append(0, alert(&mut scene, "behind it"));
    let begun = Instant::now();
    node.expect_alert("behind it").await;
    // One at a time, as slow as the broker is, they would take more than ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    node.letters.flush(Duration::from_secs(20)).await;
    let mut places: Vec<_> = letters(&log).iter().map(|letter| (letter.partition, letter.offset)).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), POISON);
    assert_eq!(node.metric("fanfare_dead_letter_queue"), "0");
}

#[tokio::test(start_paused = true)]
async fn letters_that_cannot_be_written_are_given_up_after_a_while() {
    let (log, mut scene) = (memory(), Scene::demo());
    let mut node = Node::start(&log, WINDOW);
    node.until_ready().await;
    log.fail_letters(true);
    let mut poison = alert(&mut scene, "poison");
    poison.body = vec![7; 2000].into();
    log.append(0, poison.clone());
    log.append(0, alert(&mut scene, "behind it"));
    node.expect_alert("behind it").await;
    assert_eq!(node.metric("fanfare_dead_letter_queue"), "1");
    node.until("given up", |node| node.metric("fanfare_dead_letters_lost_total") == "1").await;
    log.fail_letters(false);
    log.append(0, poison);
    node.letters.flush(Duration::from_secs(5)).await;
    node.until("written", |_| letters(&log).len() == 1).await;
    assert!(letters(&log)[0].reason.contains("the body has 2000 bytes, at most 1000"));
}
