//! A clock that was ahead once: no logout and no withdrawn role is lost, neither then, nor later, nor after a restart.

use std::path::PathBuf;
use std::time::Duration;

use fanfare_e2e_tests::token::now;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Settings, Token};
use fanfare_test_servers::tool;
use serde_json::json;
use tempfile::TempDir;

const THREE_DAYS: i64 = 3 * 24 * 3600;

/// How long a process may use the clock offset that it read before.
const CACHED: Duration = Duration::from_secs(2);

/// The clock of a node, which can be changed while it runs.
struct NodeClock {
    folder: TempDir,
}

impl NodeClock {
    fn new() -> Self {
        let clock = Self { folder: TempDir::new().expect("a folder") };
        std::fs::write(clock.file(), "+0").expect("written");
        clock
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    async fn turn(&self, offset: &str) {
        std::fs::write(self.file(), offset).expect("written");
        tokio::time::sleep(CACHED).await;
    }

    fn settings(&self, library: &str) -> Settings {
        Settings::default()
            .environment("LD_PRELOAD", library)
            .environment("FAKETIME_TIMESTAMP_FILE", &self.file().display().to_string())
            .environment("FAKETIME_CACHE_DURATION", "1")
            .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .environment("DONT_FAKE_MONOTONIC", "1")
    }
}

fn to_admins(id: &str) -> NewEvent {
    NewEvent::new("system.Alert", id, &json!({ "title": "to admins", "message": "m" }))
}

/// The logout and the change of roles apply to tokens from before them.
async fn expect_in_force(node: &Node, round: &str) {
    let before = now() - 120;
    let alice = Token::user("alice", "acme").claim("iat", before).sign();
    assert_eq!(node.negotiate(alice).await, 401, "the logout holds {round}");
    let bob = Token::user("bob", "acme").roles(&["user", "admin"]).claim("iat", before);
    let mut tab = node.tab(&bob).await;
    let common = format!("common {round}");
    let id = round.replace(' ', "-");
    node.publish(&[to_admins(&id), NewEvent::alert("acme", &common)]).await;
    assert_eq!(tab.expect("toast").await["title"], common, "the role is withdrawn {round}");
}

/// A record that is stored while the node's clock is ahead.
async fn publish_ahead(node: &Node, title: &str) {
    let ahead = now() + THREE_DAYS;
    let token = Token::producer().claim("iat", ahead).claim("exp", ahead + 3600).sign();
    node.post(token, &NewEvent::alert("acme", title)).await.expect(202);
    until("a clock that is seen to be ahead", async || {
        let behind = node.metric("fanfare_age_clock_behind_seconds", "").await;
        (behind > (THREE_DAYS - 3600) as f64).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_was_ahead_once_forgets_no_logout_and_no_roles() {
    let place = format!("libfaketime/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
    let Some(library) = tool(&place) else {
        return fanfare_test_servers::skip("a clock that was ahead once", "libfaketime is not installed");
    };
    let clock = NodeClock::new();
    let mut node = Node::prepare(clock.settings(&library.display().to_string()));
    node.start().await;
    let logout = json!({ "user": "alice", "org": "acme", "session": null, "reason": "signed out" });
    let roles = json!({ "user": "bob", "org": "acme", "roles": ["user"] });
    node.publish(&[NewEvent::new("auth.UserLoggedOut", "logout", &logout)]).await;
    node.publish(&[NewEvent::new("auth.RolesChanged", "roles", &roles)]).await;
    expect_in_force(&node, "before").await;

    clock.turn("+3d").await;
    publish_ahead(&node, "ahead").await;
    clock.turn("+0").await;
    expect_in_force(&node, "afterwards").await;

    node.stop().await;
    node.start().await;
    expect_in_force(&node, "after a restart").await;

    node.stop().await;
    clock.turn("+3d").await;
    node.start().await;
    publish_ahead(&node, "ahead once more").await;
    clock.turn("+0").await;
    expect_in_force(&node, "after a start that was ahead").await;
    assert!(node.log().contains("dated further ahead than time has passed"), "the log names it");
}
