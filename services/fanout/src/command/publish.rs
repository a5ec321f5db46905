//! `fanfare publish`: checks an event and stores it in the log of a running node.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use fanfare_event::Registry;

use super::check::report;
use super::token::{Request, sign};
use super::{Exit, asking, fail};
use crate::config::{Config, Loaded};

/// How long the node may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The event.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The event type.
    pub event_type: String,
    /// The event as JSON.
    pub json: String,
    /// The schema version; the newest if absent.
    pub version: Option<u32>,
    /// The event's source.
    pub source: String,
    /// A producer's token; one is signed with the development key if absent.
    pub token: Option<String>,
}

/// Publishes and prints the event's id.
pub fn run(config: &Path, publication: &Publication) -> Exit {
    let loaded = match Loaded::load(config) {
        Ok(loaded) => loaded,
        Err(faults) => {
            report(&faults);
            return Exit::Wrong;
        }
    };
    if let Err(message) = check(loaded.registry(), publication) {
        return fail(Exit::Wrong, message);
    }
    let token = match publication.token.clone().map_or_else(|| own_token(&loaded.config), Ok) {
        Ok(token) => token,
        Err(message) => return fail(Exit::Wrong, message),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Wrong, format_args!("no runtime: {error}")),
    };
    match runtime.block_on(post(&loaded.config, publication, &token)) {
        Ok(id) => {
            // Nothing can be done for a reader that has gone.
            let _ = writeln!(std::io::stdout(), "{id}");
            Exit::Done
        }
        Err((exit, message)) => fail(exit, message),
    }
}

/// Checks the event here first: the same answer as the node's, without a node.
fn check(registry: &Registry, publication: &Publication) -> Result<(), String> {
    let name = &publication.event_type;
    let Some(event_type) = registry.event_type(name) else {
        let help = registry.suggest(name).map(|known| format!(", did you mean `{known}`?"));
        return Err(format!("unknown event type `{name}`{}", help.unwrap_or_default()));
    };
    let json: serde_json::Value =
        serde_json::from_str(&publication.json).map_err(|error| format!("not JSON: {error}"))?;
    event_type.encode_json(publication.version, &json).map_err(|error| error.to_string())?;
    Ok(())
}

fn own_token(config: &Config) -> Result<String, String> {
    let request = Request {
        user: "fanfare-cli".to_owned(),
        org: "fanfare".to_owned(),
        roles: vec!["producer".to_owned()],
        publish: Vec::new(),
        session: None,
        claims: Vec::new(),
        lifetime: 60,
    };
    sign(config, &request).map_err(|error| format!("{error}; give a producer's token with --token or FANFARE_TOKEN"))
}

async fn post(config: &Config, publication: &Publication, token: &str) -> Result<String, (Exit, String)> {
    // The embedded log belongs to the node that has it open, so the way in is the node's own door.
    let asking = asking::client(config, config.node.tls.hubs.as_ref(), TIMEOUT);
    let (client, scheme) = asking.map_err(|error| (Exit::Wrong, format!("no HTTP client: {error}")))?;
    let url = format!("{scheme}://{}/events", config.node.listen);
    let unreachable = |error: reqwest::Error| {
        (Exit::Unreachable, format!("no node answers at {url}: {}", fanfare_failure::root_cause(&error)))
    };
    let mut request = client
        .post(&url)
        .bearer_auth(token)
        .header("content-type", "application/json")
        .header("ce-specversion", "1.0")
        .header("ce-id", uuid::Uuid::now_v7().to_string())
        .header("ce-source", &publication.source)
        .header("ce-type", &publication.event_type);
    if let Some(version) = publication.version {
        request = request.header("ce-dataversion", version.to_string());
    }
    let response = request.body(publication.json.clone()).send().await.map_err(unreachable)?;
    let status = response.status();
    let body: serde_json::Value = response.json().await.map_err(unreachable)?;
    if status == reqwest::StatusCode::ACCEPTED
        && let Some(id) = body["id"].as_str()
    {
        return Ok(id.to_owned());
    }
    let message = body["error"].as_str().unwrap_or("no reason given");
    let exit = if status.is_server_error() { Exit::Unreachable } else { Exit::Wrong };
    Err((exit, format!("the node answers {status}: {message}")))
}
