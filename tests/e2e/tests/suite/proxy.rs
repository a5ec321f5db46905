//! The shipped proxy: every transport works, long tokens pass, and no log contains a token from a query.

use std::time::Duration;

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::stub::Stub;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{Cluster, HUB, Message, NewEvent, Request, Settings, Token, Transport, Wire};

/// A part of the claims of every token, and of every query.
const CANARY: &str = "canary-51fe";
const PIECE: usize = 16;

/// One node on the embedded log behind the proxy.
async fn one_node(settings: Settings) -> Option<Cluster> {
    let mut cluster = Cluster::prepare([settings]).await?;
    cluster.start().await;
    Some(cluster)
}

#[tokio::test]
async fn every_transport_passes_the_shipped_proxy() {
    let Some(cluster) = one_node(Settings::default()).await else { return };
    let connect = Connect::new(HUB, Token::user("alice", "acme").sign());
    let mut tabs = Vec::new();
    for transport in Transport::ALL {
        let connected = Wire::connect(&connect, transport, cluster.address()).await.expect("a proxy that answers");
        tabs.push((transport, connected.expect("a tab that is let in")));
    }
    let sent = Token::producer().sign();
    NewEvent::alert("acme", "through").request(&sent).send(cluster.address()).await.expect("an answer").expect(202);
    for (transport, tab) in &mut tabs {
        let heard = loop {
            match tokio::time::timeout(Duration::from_secs(30), tab.receive()).await.expect("in time") {
                Message::Ping => {}
                other => break other,
            }
        };
        assert!(
            matches!(&heard, Message::Notification(_, toast) if toast["title"] == "through"),
            "{transport:?} {heard:?}"
        );
    }
}

#[tokio::test]
async fn a_token_with_200_groups_passes_in_a_header_and_in_a_query() {
    let Some(cluster) = one_node(Settings::default()).await else { return };
    let groups: Vec<String> = (0..200).map(|at| format!("{at:08}-5f4e-4d3c-8b2a-0123456789ab")).collect();
    let token = Token::user("alice", "acme").claim("groups", groups).sign();
    assert!(token.len() > 11_000, "{}", token.len());
    for connect in [Connect::new(HUB, &token), Connect::new(HUB, &token).as_browser()] {
        connect.connect(cluster.address()).await;
    }
    let negotiated = Connect::new(HUB, &token).negotiate(cluster.address()).await.expect("an answer").expect(200);
    let id = negotiated.json()["connectionToken"].as_str().expect("a token").to_owned();
    // The first poll of a connection is answered at once.
    let poll = Request::get(format!("{HUB}?id={id}&access_token={token}"));
    poll.send(cluster.address()).await.expect("an answer").expect(200);
}

/// Requests everything for which a browser puts a token into the query, whether or not a node is there to answer.
async fn ask(cluster: &Cluster, token: &str) {
    let in_query = format!("access_token={token}&note={CANARY}");
    for request in [
        Request::get(format!("{HUB}?{in_query}")),
        Request::get(format!("{HUB}?id=unknown&{in_query}")).header("accept", "text/event-stream"),
        Request::get(format!("{HUB}?id=unknown&{in_query}")),
        Request::post(format!("{HUB}?id=unknown&{in_query}")).body("text/plain", CANARY),
        Request::post(format!("{HUB}/negotiate?negotiateVersion=1&{in_query}")),
        Request::post(format!("/events?{in_query}")).body("application/json", CANARY),
        Request::get(format!("/elsewhere?{in_query}")).header("referer", format!("http://x/?{in_query}")),
        // Larger than the proxy accepts.
        Request::post(format!("{HUB}?{in_query}")).body("text/plain", vec![b'x'; 3 << 20]),
    ] {
        let _ = request.header("user-agent", "tests").send(cluster.address()).await;
    }
    // A socket that is open when its node dies.
    let browser = Connect::new(HUB, token).as_browser().query("note", CANARY);
    let _ = browser.try_connect(cluster.address()).await;
}

#[tokio::test]
async fn a_token_in_a_query_is_in_no_log_whether_or_not_the_nodes_are_well() {
    let collector = Stub::start("{}").await;
    let settings = Settings::default()
        .environment("FANFARE_LOG", "debug")
        .environment("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .environment("OTEL_BSP_SCHEDULE_DELAY", "200");
    let Some(mut cluster) = one_node(settings).await else { return };
    let token = Token::user("alice", "acme").claim("note", CANARY).sign();
    ask(&cluster, &token).await;
    let browser = Connect::new(HUB, &token).as_browser();
    let open = browser.connect(cluster.address()).await;
    cluster.nodes[0].kill();
    drop(open);
    ask(&cluster, &token).await;
    cluster.lines[0].cut();
    ask(&cluster, &token).await;
    cluster.lines[0].mend();
    cluster.nodes[0].start().await;
    // The proxy uses a node again some time after it is back.
    let well = Request::post(format!("{HUB}/negotiate?negotiateVersion=1&access_token={token}"));
    until("the node behind the proxy", async || well.send(cluster.address()).await.ok().filter(|it| it.status == 200))
        .await;
    ask(&cluster, &token).await;
    cluster.nodes[0].stop().await;

    let proxy = cluster.proxy.logs();
    assert!(proxy.contains(HUB) && proxy.contains(" 502 "), "the proxy logs hardly anything:\n{proxy}");
    let spans = collector.requests().concat();
    for (what, text) in [
        ("the proxy's log", proxy),
        ("the node's log", cluster.nodes[0].log()),
        ("a trace", String::from_utf8_lossy(&spans).into_owned()),
    ] {
        assert!(!text.contains(CANARY), "{what} holds the canary");
        // The head of a token is the same for all, and a part of it reveals nothing.
        let secret = &token[token.find('.').expect("a token has parts")..];
        for piece in secret.as_bytes().windows(PIECE).step_by(PIECE / 2) {
            let piece = str::from_utf8(piece).expect("ASCII");
            assert!(!text.contains(piece), "{what} holds {piece} of the token");
        }
    }
}
