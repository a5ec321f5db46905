//! The demo platform: a node and its producers, each a real process.

use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{Request, Response};
use crate::node::Node;
use crate::producer::Producer;
use crate::settings::Settings;

/// The password of every demo user.
const PASSWORD: &str = "demo";

/// The whole platform, running unless a test stops a part.
#[derive(Debug)]
pub struct Platform {
    /// The fan-out.
    pub node: Node,
    /// The auth service.
    pub auth: Producer,
    /// The license service.
    pub license: Producer,
    /// The export service; only some tests start it.
    pub export: Producer,
}

impl Platform {
    /// Starts a node, auth and license.
    pub async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    /// Starts a node with these settings, auth and license; variables in the settings are set for all of them.
    ///
    /// # Panics
    /// If there is no room for their files.
    pub async fn start_with(settings: Settings) -> Self {
        let folder = Arc::new(TempDir::new().expect("a folder"));
        let environment = settings.environment.clone();
        let [mut auth, mut license, mut export] =
            ["auth", "license", "export"].map(|name| Producer::prepare(name, Arc::clone(&folder)));
        let settings = settings
            .section(&auth.issuer("users = true\npublish = [\"auth.*\", \"system.*\"]"))
            .section(&license.issuer("users = false\npublish = [\"license.*\"]"))
            .section(&export.issuer("users = false\npublish = [\"export.*\"]"));
        let mut node = Node::prepare_in(folder, settings);
        let auth_url = auth.url();
        for producer in [&mut auth, &mut license, &mut export] {
            producer.options(&["--fanout-url", &node.url(), "--auth-issuer", &auth_url]);
            producer.environment(&environment);
        }
        auth.options(&["--demo-users"]);
        export.options(&["--step", "20ms"]);
        // The others fetch its keys when they start, and again only after a second.
        auth.start().await;
        tokio::join!(license.start(), node.start());
        Self { node, auth, license, export }
    }

    /// Logs a demo user in and returns the token.
    ///
    /// # Panics
    /// If the login fails.
    pub async fn login(&self, user: &str) -> String {
        let answer = self.try_login(user, PASSWORD).await.expect(200).json();
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// Tries to log in.
    pub async fn try_login(&self, user: &str, password: &str) -> Response {
        self.auth.send(&Request::post("/login").json(&json!({ "user": user, "password": password }))).await
    }

    /// Logs out: the session of the token, or everywhere.
    pub async fn logout(&self, token: &str, scope: &str) -> Response {
        self.auth.send(&Request::post("/logout").bearer(token).json(&json!({ "scope": scope }))).await
    }

    /// The request that switches a flag.
    pub fn switch(token: &str, org: &str, flag: &str, enabled: bool) -> Request {
        Request::new("PUT", format!("/orgs/{org}/flags/{flag}")).bearer(token).json(&json!({ "enabled": enabled }))
    }

    /// The flags of an org according to the license service.
    pub async fn flags(&self, token: &str, org: &str) -> Value {
        self.license.send(&Request::get(format!("/orgs/{org}/flags")).bearer(token)).await.expect(200).json()
    }

    /// The logs of all services.
    pub fn logs(&self) -> String {
        [self.node.log(), self.auth.log(), self.license.log(), self.export.log()].concat()
    }
}
