//! The license service through its HTTP interface.

mod flags;
mod license;

use fanfare_license::{App, SERVICE};
use fanfare_producer::testing::{Client, Harness, token};

/// The service with callers of every kind.
struct Service {
    harness: Harness,
    app: App,
    client: Client,
    alice: String,
    bob: String,
    carol: String,
    root: String,
}

async fn open() -> Service {
    let harness = Harness::open(SERVICE).await;
    let app = App::open(harness.producer.clone(), harness.authenticator()).await.expect("the service");
    let client = harness.client(app.routes());
    Service {
        harness,
        app,
        client,
        alice: token("alice", "acme", &["user"]),
        bob: token("bob", "acme", &["admin"]),
        carol: token("carol", "globex", &["user"]),
        root: token("root", "platform", &["superadmin"]),
    }
}
