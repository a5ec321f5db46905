//! Orgs that events close to a hub and open again.

use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Settings, Token, Transport, Wire};
use serde_json::{Value, json};

const OTHER: &str = "/hubs/other";

const ROUTES: &str = r#"
hub = "/hubs/notifications"

[[route]]
name = "suspended"
event = "plans.Suspended"
groups = ["org:{org}"]
toast = { severity = "error", title = "Suspended", message = "{cause}" }
close_org = { reason = "Suspended: {cause}." }

[[route]]
name = "resumed"
event = "plans.Resumed"
open_org = true

[[route]]
name = "alert"
event = "system.Alert"
hubs = ["/hubs/notifications", "/hubs/other"]
groups = ["org:{org}"]
toast = { severity = "info", title = "{title}", message = "{message}" }
"#;

fn settings() -> Settings {
    let schema = |name: &str| {
        let schema = json!({
            "type": "record", "name": name, "namespace": "fanfare.plans", "doc": "Of a plan.",
            "fanfare.key": ["org"], "fanfare.revision": "revision",
            "fields": [
                { "name": "org", "type": "string", "doc": "Whose." },
                { "name": "cause", "type": "string", "doc": "Why." },
                { "name": "revision", "type": "long", "doc": "Its revision." },
            ],
        });
        (format!("plans/{name}.v1.avsc"), schema.to_string())
    };
    Settings {
        hubs: format!("[hub.\"{HUB}\"]\n[hub.\"{OTHER}\"]\n"),
        routes: ROUTES.to_owned(),
        schemas: vec![schema("Suspended"), schema("Resumed")],
        ..Settings::default()
    }
}

fn event(name: &str, org: &str, cause: &str, revision: i64) -> NewEvent {
    let body = json!({ "org": org, "cause": cause, "revision": revision });
    NewEvent::new(&format!("plans.{name}"), &format!("{name}-{org}-{revision}"), &body)
}

fn connect(user: &str, org: &str) -> Connect {
    Connect::new(HUB, Token::user(user, org).sign())
}

async fn expect_closed(tab: &mut Wire, reason: &str) {
    let closed = loop {
        match tab.receive().await {
            Message::Close(error, may_return) => break (error, may_return),
            Message::Ping | Message::Notification(..) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(closed, (Some(reason.to_owned()), false));
}

/// Waits until a tab receives everything live.
async fn live(node: &Node, tab: &mut Wire, org: &str, title: &str) {
    assert!(tab.try_invoke("Cursor", json!([])).await.expect("open").is_ok());
    node.publish(&[NewEvent::alert(org, title)]).await;
    loop {
        if let Message::Notification(_, told) = tab.receive().await
            && told["title"] == title
        {
            return;
        }
    }
}

async fn refused(node: &Node, connect: &Connect) -> (u16, String) {
    let answer = connect.negotiate(node.address()).await.expect("an answer");
    (answer.status, answer.text())
}

#[tokio::test]
async fn a_closed_org_is_notified_closed_and_refused_on_every_transport_until_it_is_opened() {
    let mut node = Node::start_with(settings()).await;
    let mut tabs = Vec::new();
    for (number, transport) in Transport::ALL.into_iter().enumerate() {
        let tab = Wire::connect(&connect("alice", "acme"), transport, node.address()).await;
        let mut tab = tab.expect("an answer").expect("connects");
        live(&node, &mut tab, "acme", &format!("live {number}")).await;
        tabs.push(tab);
    }
    let late = connect("alice", "acme").negotiate(node.address()).await.expect("an answer").expect(200).json();
    let mut other_org = node.tab(&Token::user("carol", "globex")).await;
    let mut other_hub = Connect::new(OTHER, Token::user("alice", "acme").sign()).connect(node.address()).await;
    let root = Token::user("root", "acme").roles(&["superadmin"]);
    let mut support = node.tab(&root).await;
    node.publish(&[event("Suspended", "acme", "unpaid", 1)]).await;
    for (number, tab) in tabs.iter_mut().enumerate() {
        let told = loop {
            match tab.receive().await {
                Message::Notification(_, told) if told["title"] == "Suspended" => break told,
                Message::Notification(..) | Message::Ping => {}
                other => panic!("{number}: {other:?}"),
            }
        };
        assert_eq!(told["message"], "unpaid");
        expect_closed(tab, "Suspended: unpaid.").await;
    }
    let reason = (403, "Suspended: unpaid.".to_owned());
    for killed in [false, true] {
        if killed {
            node.kill();
            node.start().await;
        } else {
            let id = late["connectionToken"].as_str();
            let opened = connect("alice", "acme").open(node.address(), id).await.expect("an answer");
            assert_eq!(opened.expect_err("refused").expect(403).text(), reason.1, "negotiated before");
            assert!(node.metric("fanfare_connects_refused_total", "reason=\"org_closed\"").await >= 1.0);
            until("tabs that are gone", async || {
                (node.metric("fanfare_closes_total", "reason=\"org_closed\"").await >= 3.0).then_some(())
            })
            .await;
            node.publish(&[NewEvent::alert("acme", "stays"), NewEvent::alert("globex", "stays too")]).await;
            assert_eq!(support.expect("toast").await["title"], "Suspended", "whoever looks after all orgs");
            assert_eq!(support.expect("toast").await["title"], "stays");
            assert_eq!(other_org.expect("toast").await["title"], "stays too");
            while other_hub.expect("toast").await["title"] != "stays" {}
        }
        assert_eq!(refused(&node, &connect("alice", "acme")).await, reason, "killed {killed}");
        let opened = connect("bob", "acme").open(node.address(), None).await.expect("an answer");
        assert_eq!(opened.expect_err("refused").expect(403).text(), reason.1);
        assert_eq!(node.negotiate(Token::user("carol", "globex").sign()).await, 200);
        assert_eq!(node.negotiate(root.sign()).await, 200);
        // An older event changes nothing.
        node.publish(&[event("Resumed", "acme", "late", 0)]).await;
    }
    node.publish(&[event("Resumed", "acme", "paid", 2)]).await;
    until("an org that is open", async || (refused(&node, &connect("alice", "acme")).await.0 == 200).then_some(()))
        .await;
    node.tab(&Token::user("alice", "acme")).await;
}

#[tokio::test]
async fn an_event_without_an_org_closes_none_and_is_a_dead_letter() {
    let mut settings = settings();
    settings.schemas[0].1 = settings.schemas[0].1.replacen("\"type\":\"string\"", "\"type\":[\"null\",\"string\"]", 1);
    let nullable = settings.schemas[0].1.contains("[\"null\",\"string\"]");
    assert!(nullable, "{}", settings.schemas[0].1);
    let node = Node::start_with(settings).await;
    let body: Value = json!({ "org": null, "cause": "c", "revision": 1 });
    node.publish(&[NewEvent::new("plans.Suspended", "1", &body)]).await;
    until("a dead letter", async || {
        (node.metric("fanfare_events_dead_lettered_total", "plans.Suspended").await >= 1.0).then_some(())
    })
    .await;
    assert_eq!(node.negotiate(Token::user("alice", "acme").sign()).await, 200);
}
