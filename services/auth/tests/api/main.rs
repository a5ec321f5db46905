//! The auth service through its HTTP interface.

mod alerts;
mod keys;
mod login;
mod logout;
mod roles;
mod standing;

use fanfare_auth::{App, AuthSettings, SERVICE};
use fanfare_event::Id;
use fanfare_producer::VerifiedTokens;
use fanfare_producer::testing::{Answer, Client, Harness, Published};
use fanfare_token::{Claims, Jwks, Keys};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::OnceCell;

const ISSUER: &str = "http://127.0.0.1:8081";

/// The service with its demo users.
struct Service {
    harness: Harness,
    app: App,
    client: Client,
}

fn settings() -> AuthSettings {
    let hour = Duration::from_secs(3600);
    AuthSettings { token_lifetime: hour, rotate_after: 24 * hour, demo_users: true }
}

async fn open() -> Service {
    open_with(Harness::open_in(SERVICE, fresh().await).await, &settings()).await
}

/// The folder of a service that was opened and stopped: creating keys and hashing passwords is slow, so all tests start
/// from the same.
async fn fresh() -> TempDir {
    static FILE: OnceCell<Vec<u8>> = OnceCell::const_new();
    let file = FILE.get_or_init(async || {
        let s = open_with(Harness::open(SERVICE).await, &settings()).await;
        let folder = s.harness.stop().await;
        std::fs::read(folder.path().join("auth.db")).expect("a database")
    });
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("auth.db"), file.await).expect("a copy");
    folder
}

async fn open_with(harness: Harness, settings: &AuthSettings) -> Service {
    let app = App::open(harness.producer.clone(), ISSUER.into(), settings).await.expect("the service");
    let client = harness.client(app.routes());
    Service { harness, app, client }
}

impl Service {
    async fn try_login(&self, user: &str, password: &str) -> Answer {
        self.client.post("/login", "", json!({"user": user, "password": password})).await
    }

    /// A token of a demo user.
    async fn login(&self, user: &str) -> String {
        let answer = self.try_login(user, "demo").await;
        assert_eq!(answer.status, 200, "{user} logs in");
        answer.json()["access_token"].as_str().expect("a token").to_owned()
    }

    async fn logout(&self, token: &str, body: Value) -> u16 {
        self.client.post("/logout", token, body).await.status.as_u16()
    }

    /// Whether auth itself accepts the token: changing the roles of an unknown user is 404 for an admin and 403 for
    /// others, and 401 without a valid token.
    async fn accepts(&self, token: &str) -> bool {
        self.client.put("/users/nobody/roles", token, json!({"roles": []})).await.status != 401
    }

    async fn keys(&self) -> Jwks {
        let answer = self.client.get("/.well-known/jwks.json", "").await;
        serde_json::from_slice(&answer.body).expect("a key set")
    }

    /// The claims that a verifier elsewhere reads from the token.
    async fn claims(&self, token: &str) -> Option<Arc<Claims>> {
        let keys = Keys::Static(self.keys().await.keys);
        VerifiedTokens::with_keys(ISSUER, keys).expect("keys").claims(token).await.ok()
    }

    /// The next event that is not a login.
    async fn event(&mut self) -> Published {
        loop {
            let event = self.harness.event().await;
            if event.event_type() != "auth.UserLoggedIn" {
                return event;
            }
        }
    }
}

fn id(text: &str) -> Id {
    Id::parse(text).expect("id")
}
