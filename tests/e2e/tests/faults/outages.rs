//! The broker is unreachable, slow, or has changed.

use std::time::Duration;

use bytes::Bytes;
use fanfare_broker::{Message as Stored, Stream};
use fanfare_e2e_tests::backplane::Kind;
use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::wait::{Deadline, until};
use fanfare_e2e_tests::{HUB, NewEvent, Token};
use serde_json::json;

use crate::fleet::{Fleet, numbered, outage, publish, publish_by, titles, toasts};

/// A node's answer while it is not ready.
async fn reason(fleet: &Fleet) -> String {
    let said = until("a node that answers", async || fleet.nodes[0].readiness().await).await;
    assert_eq!(said.status, 503, "{}", said.text());
    said.json()["reason"].as_str().expect("a reason").to_owned()
}

/// A node starts without its broker, reports that it waits, and becomes ready with it.
pub(crate) async fn a_node_waits_for_a_broker_that_is_away_at_start(kind: Kind) {
    let Some(mut fleet) = Fleet::prepare(kind, 1).await else { return };
    fleet.backplane.kill();
    fleet.nodes[0].launch();
    until("a node that says that its broker is away", async || {
        let reason = reason(&fleet).await;
        (reason.contains("broker") || reason.contains("log")).then_some(())
    })
    .await;
    assert_eq!(fleet.nodes[0].negotiate(Token::user("alice", "acme").sign()).await, 503, "nobody is let in");
    let post = NewEvent::alert("acme", "early").request(Token::producer().sign());
    let answer = post.send(fleet.nodes[0].address()).await.expect("an answer");
    assert!(matches!(answer.status, 503 | 504), "{} {}", answer.status, answer.text());
    fleet.backplane.restart().await;
    fleet.nodes[0].ready().await;
    let mut tabs = fleet.tabs().await;
    publish(&fleet.nodes[0], "late").await;
    let heard = titles(&toasts(&mut tabs[0], 1).await);
    assert!(heard == ["late"] || heard == ["early"], "{heard:?}");
}

/// The broker is down for a while: tabs stay, and receive everything that was published before and after.
pub(crate) async fn tabs_stay_while_the_broker_is_away(kind: Kind) {
    let Some(mut fleet) = Fleet::start(kind, 2).await else { return };
    let mut tabs = fleet.tabs().await;
    for title in numbered("before", 5) {
        publish(&fleet.nodes[0], &title).await;
    }
    fleet.backplane.kill();
    // Concurrent publishes are refused, or stored once the broker is back: each is retried until it is answered 202.
    let during = async {
        for title in numbered("during", 5) {
            let deadline = Deadline::new("an event to be stored once the broker is back").after(outage());
            publish_by(&fleet.nodes[1], &title, deadline).await;
        }
    };
    let back = async {
        tokio::time::sleep(outage()).await;
        for node in &fleet.nodes {
            let ready = node.readiness().await.expect("a node that answers");
            assert_eq!(ready.status, 200, "open tabs and new ones stay for max_stale: {}", ready.text());
        }
        fleet.backplane.restart().await;
    };
    tokio::join!(during, back);
    publish(&fleet.nodes[0], "after").await;
    let mut expected = [numbered("before", 5), numbered("during", 5)].concat();
    expected.push("after".to_owned());
    for tab in &mut tabs {
        assert_eq!(titles(&toasts(tab, expected.len()).await), expected);
        tab.expect_silence().await;
    }
}

/// All traffic is delayed; everything arrives, in order.
pub(crate) async fn a_slow_broker_delays_and_loses_nothing(kind: Kind) {
    let Some(fleet) = Fleet::start(kind, 2).await else { return };
    let mut tabs = fleet.tabs().await;
    fleet.backplane.lines().iter().for_each(|line| line.slow(Duration::from_millis(150)));
    let sent = numbered("slow", 12);
    for title in &sent {
        publish(&fleet.nodes[0], title).await;
    }
    for tab in &mut tabs {
        assert_eq!(titles(&toasts(tab, sent.len()).await), sent);
    }
    for node in &fleet.nodes {
        let ready = node.readiness().await.expect("a node that answers");
        assert_eq!(ready.status, 200, "slow is not away: {}", ready.text());
    }
}

/// The network silently forgets a node's connections: the node gives them up by itself, and what was published
/// meanwhile arrives late.
pub(crate) async fn connections_that_are_lost_without_a_word_are_given_up(kind: Kind) {
    let Some(fleet) = Fleet::start(kind, 2).await else { return };
    let mut tabs = fleet.tabs().await;
    publish(&fleet.nodes[0], "before").await;
    assert_eq!(titles(&toasts(&mut tabs[0], 1).await), ["before"]);
    fleet.backplane.line(0).lose();
    let sent = numbered("unheard", 5);
    for title in &sent {
        publish(&fleet.nodes[1], title).await;
    }
    assert_eq!(titles(&toasts(&mut tabs[0], sent.len()).await), sent);
    // Its publishing uses a separate connection, which is lost too.
    publish(&fleet.nodes[0], "after").await;
    assert_eq!(titles(&toasts(&mut tabs[0], 1).await), ["after"]);
    until("a node that is ready again", async || {
        fleet.nodes[0].readiness().await.filter(|answer| answer.status == 200)
    })
    .await;
}

/// Records that no node can read become dead letters, each with its reason, and delay nothing.
pub(crate) async fn a_flood_of_poison_is_set_aside(kind: Kind) {
    const POISON: usize = 500;
    let Some(fleet) = Fleet::start(kind, 2).await else { return };
    let mut tabs = fleet.tabs().await;
    let direct = fleet.backplane.direct().expect("a broker of its own");
    let good = numbered("good", 10);
    for number in 0..POISON {
        let message = Stored {
            stream: Stream::Events,
            org: Some("acme".to_owned()),
            topic: "system.Alert".to_owned(),
            key: None,
            id: format!("poison-{number}"),
            headers: vec![("ce-id".to_owned(), format!("poison-{number}"))],
            body: Bytes::from_static(b"no event at all"),
        };
        direct.broker().publish(message).await.expect("stored");
        if number % (POISON / good.len()) == 0 {
            publish(&fleet.nodes[0], &good[number / (POISON / good.len())]).await;
        }
    }
    for tab in &mut tabs {
        assert_eq!(titles(&toasts(tab, good.len()).await), good);
        tab.expect_silence().await;
    }
    for node in &fleet.nodes {
        let counted = async || node.metric("fanfare_events_dead_lettered_total", "").await;
        until("every poisoned record to be counted", async || (counted().await >= POISON as f64).then_some(())).await;
        assert_eq!(node.readiness().await.expect("an answer").status, 200);
    }
    // Both nodes write a letter about each record, under one key.
    let letters = until("the letters", async || {
        let letters = direct.broker().dead_letters(POISON * 2).await.ok()?;
        (letters.len() >= POISON).then_some(letters)
    })
    .await;
    assert_eq!(letters.len(), POISON);
    assert!(letters.iter().all(|letter| letter.reason.len() > 10 && letter.message.body.starts_with(b"no ev")));
}

/// A cursor after which the stream was purged: the tab learns that something is missing, and receives later
/// notifications.
pub(crate) async fn a_purged_stream_is_told_to_who_resumes(kind: Kind) {
    let Some(fleet) = Fleet::start(kind, 1).await else { return };
    let mut tab = fleet.tabs().await.remove(0);
    publish(&fleet.nodes[0], "heard").await;
    let cursor = tab.expect("toast").await["cursor"].as_str().expect("a text").to_owned();
    for title in numbered("purged", 5) {
        publish(&fleet.nodes[0], &title).await;
    }
    toasts(&mut tab, 5).await;
    fleet.backplane.purge().await;
    publish(&fleet.nodes[0], "after").await;
    tab.expect("toast").await;
    let mut late = fleet.nodes[0].tab(&Token::user("alice", "acme")).await;
    let resumed = late.invoke("Resume", json!([cursor])).await.expect("an answer");
    assert_eq!(resumed["complete"], false, "{resumed}");
    late.kept();
    // With the cursor in the URL the connection works as well, though not everything can be replayed.
    let connect = Connect::new(HUB, Token::user("alice", "acme").sign()).query("cursor", &cursor);
    let mut by_address = connect.connect(fleet.nodes[0].address()).await;
    publish(&fleet.nodes[0], "live").await;
    for tab in [&mut late, &mut by_address] {
        until("what is live", async || (tab.expect("toast").await["title"] == "live").then_some(())).await;
    }
}
