//! The export service through its HTTP interface.

mod files;
mod interruptions;
mod jobs;

use fanfare_export::{App, ExportSettings, SERVICE};
use fanfare_producer::testing::{Client, Harness, token};
use serde_json::{Value, json};
use std::time::Duration;

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

fn settings() -> ExportSettings {
    let day = Duration::from_secs(24 * 3600);
    ExportSettings { public_url: None, jobs: 4, step: Duration::from_millis(1), keep: day }
}

/// The service without its workers: jobs stay in the queue.
async fn open_idle(harness: Harness, settings: ExportSettings) -> Service {
    let authenticator = harness.authenticator();
    let app = App::open(harness.producer.clone(), authenticator, settings).await.expect("the service");
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

async fn open() -> Service {
    let s = open_idle(Harness::open(SERVICE).await, settings()).await;
    s.app.start_tasks(&s.harness.shutdown);
    s
}

impl Service {
    async fn start(&self, token: &str, kind: &str) -> String {
        let answer = self.client.post("/exports", token, json!({ "kind": kind })).await;
        assert_eq!(answer.status, 202);
        answer.json()["job_id"].as_str().expect("a job").to_owned()
    }

    async fn status(&self, token: &str, job: &str) -> Value {
        let answer = self.client.get(&format!("/exports/{job}"), token).await;
        assert_eq!(answer.status, 200);
        answer.json()
    }

    /// Events up to one that ends a job: the progress before it, and the end.
    async fn until_end(&mut self) -> (Vec<i64>, fanfare_producer::testing::Published) {
        let mut percents = Vec::new();
        loop {
            let event = self.harness.event().await;
            match event.event_type() {
                "export.ExportProgress" => percents.push(event.data["percent"].as_i64().expect("percent")),
                _ => return (percents, event),
            }
        }
    }
}
