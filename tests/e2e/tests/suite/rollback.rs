//! A broker that lost the end of its log: nodes notice it, report it, and tabs learn that they have missed something.

use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Request, Settings, Token};
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, skip};
use serde_json::json;

/// The files of a folder, to be restored later.
fn copied(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    files.filter(|path| path.is_file()).map(|path| (path.clone(), std::fs::read(path).expect("read"))).collect()
}

#[tokio::test]
async fn a_restored_embedded_log_accepts_no_cursor_from_after_its_copy() {
    let mut node = Node::start_default().await;
    node.publish(&[NewEvent::alert("acme", "kept")]).await;
    let token = Token::user("alice", "acme");
    let early = node.tab(&token).await.cursor().await;
    node.stop().await;
    let copy = copied(&node.folder().join("log"));
    node.start().await;
    node.publish(&[NewEvent::alert("acme", "lost 1"), NewEvent::alert("acme", "lost 2")]).await;
    let late = node.tab(&token).await.cursor().await;
    node.stop().await;
    for (path, bytes) in copy {
        std::fs::write(path, bytes).expect("written");
    }
    node.start().await;
    // Beyond the end, at its very end, and where the log has grown past it.
    for (number, events) in [(0, 0), (1, 1), (2, 1), (3, 2)] {
        for event in 0..events {
            node.publish(&[NewEvent::alert("acme", &format!("after {number} {event}"))]).await;
        }
        let mut late_tab = node.tab(&token).await;
        let resumed = late_tab.invoke("Resume", json!([late])).await.expect("an answer");
        assert_eq!(resumed["complete"], false, "{number}: {resumed}");
        let resumed = node.tab(&token).await.invoke("Resume", json!([early])).await.expect("an answer");
        assert_eq!(resumed["complete"], true, "{number}: {resumed}");
    }
}

#[tokio::test]
async fn a_log_that_lost_its_end_is_reported_to_tabs_and_operators() {
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

    // Beyond the end, and after the log has grown past it.
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
