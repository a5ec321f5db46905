//! A logged-out or demoted admin changes nothing through the other services, though the token has not expired.

use std::time::Duration;

use fanfare_e2e_tests::{Platform, Request, wait};
use serde_json::json;

/// How long an answer of auth is cached, and a little for the way.
const AT_MOST: Duration = Duration::from_millis(1_500);

async fn switch(platform: &Platform, token: &str, flag: &str) -> u16 {
    platform.license.send(&Platform::switch(token, "acme", flag, true)).await.status
}

async fn export(platform: &Platform, token: &str) -> u16 {
    let request = Request::post("/exports").bearer(token).json(&json!({ "kind": "usage-report" }));
    platform.export.send(&request).await.status
}

#[tokio::test]
async fn a_logout_and_a_withdrawn_role_reach_the_other_services_within_a_second() {
    let mut platform = Platform::start().await;
    platform.export.start().await;
    let (bob, root) = (platform.login("bob").await, platform.login("root").await);
    assert_eq!((switch(&platform, &bob, "a").await, export(&platform, &bob).await), (202, 202));

    let demote = Request::new("PUT", "/users/bob/roles").bearer(&root).json(&json!({ "roles": ["user"] }));
    platform.auth.send(&demote).await.expect(202);
    tokio::time::sleep(AT_MOST).await;
    assert_eq!(switch(&platform, &bob, "b").await, 403, "the token says admin, auth does not any more");
    assert_eq!(export(&platform, &bob).await, 202, "a user may export");

    platform.logout(&bob, "everywhere").await.expect(202);
    tokio::time::sleep(AT_MOST).await;
    assert_eq!((switch(&platform, &bob, "c").await, export(&platform, &bob).await), (401, 401));
    let flags = platform.flags(&root, "acme").await;
    assert_eq!(flags["flags"].as_array().map(Vec::len), Some(1), "{flags}");

    platform.auth.stop().await;
    assert_eq!(wait::until("503", async || Some(switch(&platform, &root, "d").await).filter(|s| *s == 503)).await, 503);
    platform.flags(&root, "acme").await;
}
