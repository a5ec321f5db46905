//! A complete producer, with routes only for its tests.

mod changes;
mod http;
mod standing;
mod stop;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::{get, post};
use fanfare_event::Id;
use fanfare_event::vocabulary::license::FlagToggled;
use fanfare_producer::{
    About, Accepted, Authenticator, Caller, CurrentCaller, Error, PathIds, Producer, Service, StrictJson, identity,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

const SERVICE: Service = Service { name: "license", port: 8082, publishes: &["license.*"] };

#[derive(Clone)]
struct App {
    producer: Producer,
    authenticator: Authenticator,
}

impl FromRef<App> for Authenticator {
    fn from_ref(app: &App) -> Self {
        app.authenticator.clone()
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    enabled: bool,
}

fn routes(producer: Producer, authenticator: Authenticator) -> Router {
    routes_telling(producer, authenticator, Arc::default())
}

/// The routes, with a notification when a slow request has arrived.
fn routes_telling(producer: Producer, authenticator: Authenticator, arrived: Arc<Notify>) -> Router {
    let app = App { producer: producer.clone(), authenticator };
    let slow = async move |PathIds(milliseconds): PathIds<u64>| {
        arrived.notify_one();
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    };
    Router::new()
        .route("/orgs/{org}/switch", post(switch))
        .route(CurrentSwitch::PATH, post(current_switch))
        .route("/slow/{milliseconds}", get(slow))
        .with_state(app)
        .merge(identity::jwks_route(producer.identity()))
}

async fn switch(
    State(app): State<App>,
    caller: Caller,
    PathIds(org): PathIds<Id>,
    StrictJson(Switch { enabled }): StrictJson<Switch>,
) -> Result<Accepted, Error> {
    caller.require_admin(&org)?;
    let mut change = app.producer.begin().await?;
    let id = change.publish(About::org(&org, "switch"), &flag(&org, enabled)).await?;
    change.commit().await?;
    Ok(Accepted(Some(id)))
}

/// The same, only for callers who currently have the right.
struct CurrentSwitch;

impl CurrentSwitch {
    const PATH: &str = "/current/switch";
}

async fn current_switch(
    app: State<App>,
    CurrentCaller(caller): CurrentCaller,
    body: StrictJson<Switch>,
) -> Result<Accepted, Error> {
    let org = caller.org()?.clone();
    switch(app, caller, PathIds(org), body).await
}

fn flag(org: &Id, enabled: bool) -> FlagToggled {
    let (flag, changed_by) = ("switch".to_owned(), String::new());
    FlagToggled { org: org.clone(), flag, enabled, changed_by, revision: Some(1) }
}
