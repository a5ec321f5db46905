//! Several nodes give one answer.

use fanfare_e2e_tests::backplane::Kind;
use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, Token};
use serde_json::{Value, json};

use crate::fleet::{Fleet, numbered, publish, titles, toasts};

/// A cursor of one node gives the same on every other, also on one that started after what was missed.
pub(crate) async fn a_cursor_is_good_on_a_node_that_started_later(kind: Kind) {
    let Some(mut fleet) = Fleet::prepare(kind, 3).await else { return };
    for node in [0, 1] {
        fleet.nodes[node].start().await;
    }
    let alice = Token::user("alice", "acme");
    let mut tab = fleet.nodes[0].tab(&alice).await;
    publish(&fleet.nodes[0], "before").await;
    let cursor = tab.expect("toast").await["cursor"].as_str().expect("a text").to_owned();
    let missed = numbered("missed", 20);
    for (number, title) in missed.iter().enumerate() {
        publish(&fleet.nodes[number % 2], title).await;
    }
    fleet.nodes[0].kill();
    fleet.nodes[2].start().await;
    fleet.nodes[0].start().await;
    let mut first: Option<Vec<(Value, Value)>> = None;
    for node in &fleet.nodes {
        let mut late = node.tab(&alice).await;
        let resumed = late.invoke("Resume", json!([cursor])).await.expect("an answer");
        assert_eq!(resumed, json!({ "replayed": missed.len(), "complete": true }));
        let told = toasts(&mut late, missed.len()).await;
        assert_eq!(titles(&told), missed);
        let told: Vec<(Value, Value)> =
            told.into_iter().map(|toast| (toast["id"].clone(), toast["title"].clone())).collect();
        assert_eq!(first.get_or_insert_with(|| told.clone()), &told, "ids are the same on every node");
        let mut by_address = Connect::new(HUB, alice.sign()).query("cursor", &cursor).connect(node.address()).await;
        assert_eq!(titles(&toasts(&mut by_address, missed.len()).await), missed);
    }
}

/// A stateful connection that comes back to a node which does not have it must not stay open and hear nothing.
pub(crate) async fn a_stateful_connection_is_never_deaf_on_another_node(kind: Kind) {
    let Some(fleet) = Fleet::start(kind, 2).await else { return };
    let connect = Connect::new(HUB, Token::user("alice", "acme").sign()).query("useStatefulReconnect", "true");
    let negotiated = connect.negotiate(fleet.nodes[0].address()).await.expect("an answer").expect(200).json();
    assert_eq!(negotiated["useStatefulReconnect"], true, "{negotiated}");
    let id = negotiated["connectionToken"].as_str().expect("a token");
    let mut here = connect.open(fleet.nodes[0].address(), Some(id)).await.expect("an answer").expect("let in");
    here.send("{\"protocol\":\"json\",\"version\":2}\u{1e}").await.expect("open");
    until("the answer to the handshake", async || here.next().await.ok().flatten()).await;
    drop(here);
    // What the official client does after a drop: the same id, no negotiation, no handshake, its sequence first.
    let elsewhere = connect.open(fleet.nodes[1].address(), Some(id)).await.expect("an answer");
    let ended = match elsewhere {
        Err(refused) => format!("refused with {}", refused.status),
        Ok(mut socket) => {
            socket.send("{\"type\":9,\"sequenceId\":1}\u{1e}").await.expect("open");
            let mut told = Vec::new();
            let end = async {
                while let Ok(Some(frame)) = socket.next().await {
                    told.push(format!("{frame:?}"));
                }
            };
            fanfare_e2e_tests::wait::at_most("the end of a connection that nobody knows", end).await;
            format!("closed after {told:?}")
        }
    };
    eprintln!("on the other node it is {ended}");
    // The client then begins anew, anywhere.
    let mut tab = fleet.nodes[1].tab(&Token::user("alice", "acme")).await;
    publish(&fleet.nodes[0], "heard").await;
    assert_eq!(titles(&toasts(&mut tab, 1).await), ["heard"]);
}
