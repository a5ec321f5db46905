//! Two regions, each with its own NATS, as in docs/runbooks.md: the second reads the streams of the first as sources.

use async_nats::jetstream::stream::{Config, External, Source};
use async_nats::jetstream::{self, Context};
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Settings, Tab, Token};
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, free_port, skip};
use serde_json::json;

const RUNBOOKS: &str = include_str!("../../../../docs/runbooks.md");

/// A server with JetStream in a domain of its own.
async fn region(domain: &str, leafnodes: &str) -> Result<NatsServer, StartError> {
    let mut server = NatsServer::start(Version::Current).await?;
    server.stop().await;
    let store = server.folder().join("data");
    server.configure_alone(&format!("jetstream {{ store_dir: {store:?}, domain: {domain} }}\n{leafnodes}"));
    server.start_again().await?;
    Ok(server)
}

/// The lines that the runbook gives for the server of the second region.
fn documented_remote(port: u16) -> String {
    let section = RUNBOOKS.split("\n### Two regions\n").nth(1).expect("a section");
    let line = section.lines().find(|line| line.starts_with("leafnodes { remotes")).expect("the line");
    assert!(line.contains("nats://east:7422"), "{line}");
    line.replace("nats://east:7422", &format!("nats://127.0.0.1:{port}"))
}

async fn jetstream(server: &NatsServer) -> Context {
    jetstream::new(async_nats::connect(server.address()).await.expect("a client"))
}

/// What the runbook configures: the stream of the first region, as it is there, with that one as its source.
async fn sourced(east: &Context, name: &str) -> Config {
    let there = east.get_stream(name).await.expect("the stream").cached_info().config.clone();
    let external = External { api_prefix: "$JS.east.API".to_owned(), delivery_prefix: None };
    let source = Source { name: name.to_owned(), external: Some(external), ..Source::default() };
    Config { sources: Some(vec![source]), metadata: std::collections::HashMap::new(), ..there }
}

async fn node_of(server: &NatsServer) -> Node {
    let lines = format!("url = \"nats://{}\"", server.address());
    Node::prepare(Settings::default().broker(&lines).secret(SECRET))
}

async fn title(tab: &mut Tab) -> String {
    tab.expect("toast").await["title"].as_str().expect("a title").to_owned()
}

/// A mirror has no subjects, so nodes refuse it and say what is right.
async fn mirrors_are_refused(west: &NatsServer, streams: &Context) {
    for name in ["fanfare-events", "fanfare-state"] {
        let external = External { api_prefix: "$JS.east.API".to_owned(), delivery_prefix: None };
        let source = Source { name: name.to_owned(), external: Some(external), ..Source::default() };
        let mirror = Config { name: name.to_owned(), mirror: Some(source), ..Config::default() };
        streams.create_stream(mirror).await.expect("a mirror");
    }
    let mut node = node_of(west).await;
    node.launch();
    assert_eq!(node.end().await.code(), Some(1), "{}", node.log());
    assert!(node.log().contains("is a mirror of fanfare-"), "{}", node.log());
    assert!(node.log().contains("among its `sources`"), "{}", node.log());
    for name in ["fanfare-events", "fanfare-state"] {
        streams.delete_stream(name).await.expect("deleted");
    }
}

#[tokio::test]
async fn a_region_reads_the_streams_of_another_and_takes_over_by_the_runbook() {
    let port = free_port();
    let east = match region("east", &format!("leafnodes {{ listen: \"127.0.0.1:{port}\" }}")).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("two regions", &why),
        Err(error) => panic!("{error}"),
    };
    let west = region("west", &documented_remote(port)).await.expect("the second region");
    let (streams_of_east, streams) = (jetstream(&east).await, jetstream(&west).await);
    let mut first = node_of(&east).await;
    first.start().await;
    let earlier = Token::user("alice", "acme").sign();
    let logout = json!({ "user": "alice", "org": "acme", "session": null, "reason": "bye" });
    first.publish(&[NewEvent::new("auth.UserLoggedOut", "out", &logout)]).await;
    until("the logout", async || (first.negotiate(&earlier).await == 401).then_some(())).await;
    // As an issuer dates a token right after a logout.
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    let again = Token::user("alice", "acme");
    assert_eq!(first.negotiate(again.sign()).await, 200);

    mirrors_are_refused(&west, &streams).await;
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    for name in ["fanfare-events", "fanfare-state"] {
        streams.create_stream(sourced(&streams_of_east, name).await).await.expect("a stream with a source");
    }
    let mut second = node_of(&west).await;
    second.start().await;
    // The logout comes from the first region, with its own time: who logged in after it stays logged in.
    until("the logout, elsewhere", async || (second.negotiate(&earlier).await == 401).then_some(())).await;
    assert_eq!(second.negotiate(again.sign()).await, 200);

    let (mut here, mut there) = (first.tab(&again).await, second.tab(&again).await);
    let cursor = here.cursor().await;
    there.cursor().await;
    first.publish(&[NewEvent::alert("acme", "everywhere")]).await;
    assert_eq!((title(&mut here).await, title(&mut there).await), ("everywhere".to_owned(), "everywhere".to_owned()));
    let resumed = there.invoke("Resume", json!([cursor])).await.expect("an answer");
    assert_eq!(resumed["complete"], false, "positions are of one region: {resumed}");
    // What is published in the second region stays there, so producers publish in the first.
    second.publish(&[NewEvent::alert("acme", "in the west")]).await;
    assert_eq!(title(&mut there).await, "in the west");
    first.publish(&[NewEvent::alert("acme", "then everywhere")]).await;
    assert_eq!(title(&mut here).await, "then everywhere");
    assert_eq!(title(&mut there).await, "then everywhere");

    // The first region is lost. The second takes over: its streams lose their source, and nothing else changes.
    let kept = there.cursor().await;
    drop(east);
    for name in ["fanfare-events", "fanfare-state"] {
        let config = streams.get_stream(name).await.expect("the stream").cached_info().config.clone();
        streams.update_stream(Config { sources: None, ..config }).await.expect("without its source");
    }
    second.publish(&[NewEvent::alert("acme", "alone")]).await;
    assert_eq!(title(&mut there).await, "alone");
    let mut back = second.tab(&again).await;
    let resumed = back.invoke("Resume", json!([kept])).await.expect("an answer");
    assert_eq!(resumed["complete"], true, "its log is the same: {resumed}");
    assert_eq!(second.negotiate(&earlier).await, 401);
}
