//! A cluster whose DNS is slow: names are looked up beside everything else, and nobody waits for them who need not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Settings, Token};
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, skip};
use serde_json::json;

/// Takes three seconds for each name.
const SLOW: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    int (*look_up)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&look_up = dlsym(RTLD_NEXT, "getaddrinfo");
    sleep(3);
    return look_up(node, service, hints, found);
}
"#;

/// What nobody waits longer for who needs no name.
const AT_ONCE: Duration = Duration::from_secs(2);

/// The library; nothing without a C compiler.
fn library(folder: &Path) -> Option<PathBuf> {
    let (source, library) = (folder.join("slow.c"), folder.join("slow.so"));
    std::fs::write(&source, SLOW).expect("written");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl").status();
    built.is_ok_and(|status| status.success()).then_some(library)
}

#[tokio::test]
async fn probes_and_tabs_do_not_wait_for_names_that_take_seconds() {
    let mut server = match NatsServer::start(Version::Current).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("slow names", &why),
        Err(error) => panic!("{error}"),
    };
    let Some(library) = library(server.folder()) else { return skip("slow names", "there is no C compiler") };
    let lines = format!("url = \"nats://localhost:{}\"", server.port());
    let settings = Settings::default().broker(&lines).secret("0123456789abcdef0123456789abcdef");
    let mut node = Node::prepare(settings.environment("LD_PRELOAD", &library.display().to_string()));
    let begun = Instant::now();
    node.start().await;
    assert!(begun.elapsed() > Duration::from_secs(3), "names are slow");
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;

    server.kill();
    let lost = async || (node.metric("fanfare_broker_connected", "").await < 1.0).then_some(());
    until("the loss of the broker", lost).await;
    server.start_again().await.expect("starts again");
    let (event, mut users) = (NewEvent::alert("acme", "news"), 0);
    let token = Token::producer().sign();
    // While the name is looked up, again and again.
    loop {
        let begun = Instant::now();
        assert_eq!(node.readiness().await.expect("an answer").status, 200);
        tab.invoke("Cursor", json!([])).await.expect("an answer");
        // Each another user: one alone may not come so often.
        users += 1;
        assert_eq!(node.negotiate(Token::user(&format!("user-{users}"), "acme").sign()).await, 200);
        assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
        if node.metric("fanfare_broker_connected", "").await > 0.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    until("the event to be stored", async || (node.post(&token, &event).await.status == 202).then_some(())).await;
    assert_eq!(tab.expect("toast").await["title"], "news");
}
