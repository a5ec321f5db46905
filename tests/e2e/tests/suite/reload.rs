//! Routes that change while the node runs.

use std::fs;

use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Settings, Tab, Token};

/// The demo's routes with this in front of the title of an alert.
fn routes(prefix: &str) -> String {
    Settings::default().routes.replace("title = \"{title}\"", &format!("title = \"{prefix}{{title}}\""))
}

/// Writes the route file and makes the node reload it.
fn change(node: &Node, routes: &str) {
    fs::write(node.folder().join("routes.toml"), routes).expect("written");
    node.signal("HUP");
}

async fn outcome(node: &Node, outcome: &str, times: f64) {
    let label = format!("outcome=\"{outcome}\"");
    until("the routes to be read again", async || {
        (node.metric("fanfare_route_reloads", &label).await >= times).then_some(())
    })
    .await;
}

/// An alert with this title arrives with this prefix.
async fn hears(node: &Node, tab: &mut Tab, prefix: &str, title: &str) {
    node.publish(&[NewEvent::alert("acme", title)]).await;
    assert_eq!(tab.expect("toast").await["title"], format!("{prefix}{title}"));
}

#[tokio::test]
async fn other_routes_hold_from_the_next_event_on_and_move_no_tab() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    hears(&node, &mut tab, "", "news 1").await;
    change(&node, &routes("New: "));
    outcome(&node, "replaced", 1.0).await;
    hears(&node, &mut tab, "New: ", "news 2").await;
    node.signal("HUP");
    outcome(&node, "unchanged", 1.0).await;
    assert_eq!(node.metric("fanfare_routes_refused", "").await, 0.0);
}

#[tokio::test]
async fn routes_with_a_fault_are_refused_by_name_and_those_before_stay() {
    let mut node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    change(&node, &routes("{titel}"));
    outcome(&node, "faulty", 1.0).await;
    assert_eq!(node.metric("fanfare_routes_refused", "").await, 1.0);
    hears(&node, &mut tab, "", "news 3").await;
    node.expect_running();
    // Retained values were produced by the old route; their events are not read again.
    change(&node, &Settings::default().routes.replace("enabled = \"{enabled}\"", "enabled = true"));
    outcome(&node, "needs_start", 1.0).await;
    assert_eq!(node.metric("fanfare_routes_refused", "").await, 1.0);
    change(&node, &routes("Mended: "));
    outcome(&node, "replaced", 1.0).await;
    assert_eq!(node.metric("fanfare_routes_refused", "").await, 0.0);
    hears(&node, &mut tab, "Mended: ", "news 4").await;
}

#[tokio::test]
async fn a_watched_route_file_needs_no_signal() {
    let mut node = Node::prepare(Settings::default());
    let config = node.folder().join("fanfare.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, text.replace("[routes]\n", "[routes]\nwatch = true\n")).expect("written");
    node.start().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    fs::write(node.folder().join("routes.toml"), routes("Seen: ")).expect("written");
    outcome(&node, "replaced", 1.0).await;
    hears(&node, &mut tab, "Seen: ", "news 5").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_and_routes_with_a_fault_cost_no_tab_an_event_under_load() {
    const TABS: usize = 300;
    const EVENTS: usize = 200;
    let node = Node::start_default().await;
    let mut tabs = Vec::new();
    for number in 0..TABS {
        let mut tab = node.tab(&Token::user(&format!("user-{number}"), "acme")).await;
        tab.cursor().await;
        tabs.push(tab);
    }
    let titles: Vec<String> = (0..EVENTS).map(|number| number.to_string()).collect();
    let publishing = async {
        for title in &titles {
            node.publish(&[NewEvent::alert("acme", title)]).await;
        }
    };
    let signalling = async {
        for times in 1..=10 {
            change(&node, &routes("{titel}"));
            outcome(&node, "faulty", f64::from(times)).await;
            change(&node, &routes(""));
            outcome(&node, "unchanged", f64::from(times)).await;
        }
    };
    tokio::join!(publishing, signalling);
    for tab in &mut tabs {
        for title in &titles {
            assert_eq!(tab.expect("toast").await["title"], title.as_str());
        }
    }
}
