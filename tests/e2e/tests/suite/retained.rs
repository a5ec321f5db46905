//! Retained values reach a tab that reads, however many they are.

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::wait::{PATIENCE, until};
use fanfare_e2e_tests::{HUB, NewEvent, Node, Settings, Tab, Token, Transport, Wire};
use serde_json::json;

/// More than may wait for one tab.
const FLAGS: usize = 400;

async fn node_with_flags() -> Node {
    let node =
        Node::start_with(Settings::default().section("[limits]\nqueue_bytes = 32768\nevent_bytes = 16384")).await;
    let flags: Vec<NewEvent> =
        (0..FLAGS).map(|n| NewEvent::flag("acme", &format!("flag-{n:03}"), true, &format!("flag-{n}"))).collect();
    node.publish(&flags).await;
    node
}

async fn hears_all(node: &Node, tab: &mut Tab, title: &str) {
    node.publish(&[NewEvent::alert("acme", title)]).await;
    for number in 0..FLAGS {
        assert_eq!(tab.expect("featureFlag").await["flag"], format!("flag-{number:03}"));
    }
    assert_eq!(tab.expect("toast").await["title"], title, "what comes live is behind it");
}

/// Regression: such a tab was taken for one that reads nothing, and no tab of its org could connect.
#[tokio::test]
async fn more_than_may_wait_for_a_tab_is_sent_as_it_reads() {
    let node = node_with_flags().await;
    let alice = Token::user("alice", "acme");
    let mut tab = node.tab(&alice).await;
    let cursor = tab.cursor().await;
    hears_all(&node, &mut tab, "first").await;
    let returning = Connect::new(HUB, alice.sign()).query("cursor", &cursor);
    let mut tab = returning.connect(node.address()).await;
    assert_eq!(tab.expect("toast").await["title"], "first", "what was missed comes first");
    hears_all(&node, &mut tab, "second").await;
    assert_eq!(node.metric("fanfare_slow_consumers", "").await, 0.0);
    // Checked every second.
    until("counted bytes", async || (node.metric("fanfare_retained_bytes", "").await > 0.0).then_some(())).await;
    assert!(node.metric("fanfare_retained_bytes", "").await < node.metric("fanfare_retained_limit_bytes", "").await);
}

#[tokio::test]
async fn every_transport_gets_all_of_it() {
    let node = node_with_flags().await;
    for transport in [Transport::EventStream, Transport::LongPolling] {
        let connect = Connect::new(HUB, Token::user("alice", "acme").sign());
        let wire = Wire::connect(&connect, transport, node.address()).await;
        let mut wire = wire.expect("an answer").expect("connects");
        let answer = wire.try_invoke("Cursor", json!([])).await.expect("alive");
        assert!(answer.is_ok(), "{answer:?}");
        let mut heard = wire.kept().len();
        while heard < FLAGS {
            let next = tokio::time::timeout(PATIENCE, wire.receive()).await;
            next.unwrap_or_else(|_| panic!("{transport:?}: {heard} of {FLAGS}"));
            heard += 1;
        }
    }
    assert_eq!(node.metric("fanfare_slow_consumers", "").await, 0.0);
}

/// Rule 1.2: several orgs may name the same group, and its retained values belong to one of them.
#[tokio::test]
async fn a_groups_retained_values_are_sent_only_to_members_of_its_org() {
    let routes = format!(
        "hub = \"{HUB}\"\n[[route]]\nname = \"roles\"\nevent = \"auth.RolesChanged\"\ngroups = [\"user:{{user}}\"]\n\
         retain = true\ntoast = {{ severity = \"info\", title = \"{{org}}\", message = \"m\" }}\n"
    );
    let node = Node::start_with(Settings { routes, ..Settings::default() }).await;
    let roles = json!({ "user": "bob", "org": "acme", "roles": [] });
    node.publish(&[NewEvent::new("auth.RolesChanged", "roles", &roles)]).await;
    let mut own = node.tab(&Token::user("bob", "acme")).await;
    assert_eq!(own.expect("toast").await["title"], "acme");
    let mut foreign = node.tab(&Token::user("bob", "globex")).await;
    // Answered after the retained values.
    for _ in 0..2 {
        foreign.cursor().await;
    }
    assert!(foreign.kept().is_empty(), "bob of globex hears of acme");
}
