//! A broker that lost the end of its log: nodes notice it, say so, and tell the tabs that they have missed something.

use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Request, Settings, Token};
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, skip};
use serde_json::json;

#[tokio::test]
async fn a_log_that_lost_its_end_is_told_to_tabs_and_operators() {
    let mut server = match NatsServer::start(Version::Current).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("a log that lost its end", &why),
        Err(error) => panic!("{error}"),
    };
    let lines = format!("url = \"nats://{}\"\n", server.address());
    let mut node = Node::prepare(Settings::default().broker(&lines).secret(SECRET));
    node.start().await;
    node.publish(&[NewEvent::alert("acme", "kept")]).await;
    server.keep_files().await;
    node.ready().await;

    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    for number in 0..3 {
        let title = format!("lost {number}");
        until("a broker that takes events", async || {
            let answer = node.post(Token::producer().sign(), &NewEvent::alert("acme", &title)).await;
            (answer.status == 202).then_some(())
        })
        .await;
        assert_eq!(tab.expect("toast").await["title"], title);
    }
    let cursor = tab.cursor().await;
    server.restore_files().await;
    until("a node that has noticed", async || {
        (node.metric("fanfare_log_replaced_total", "").await >= 1.0).then_some(())
    })
    .await;
    node.ready().await;
    let health = Request::get("/healthz").send(node.admin_address()).await.expect("an answer").text();
    assert!(health.contains("has lost its end"), "{health}");

    // Beyond the end, and once the log has grown over it.
    for round in ["beyond", "grown over"] {
        if round == "grown over" {
            for number in 0..8 {
                node.publish(&[NewEvent::alert("acme", &format!("after {number}"))]).await;
            }
        }
        let mut late = node.tab(&Token::user("alice", "acme")).await;
        let resumed = late.invoke("Resume", json!([cursor])).await.expect("an answer");
        assert_eq!(resumed["complete"], false, "{round}: {resumed}");
    }
}
