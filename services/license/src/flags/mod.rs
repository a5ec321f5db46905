//! Feature flags of orgs.

pub mod name;
pub(crate) mod store;

use crate::App;
use axum::extract::State;
use axum::routing::{get, put};
use axum::{Json, Router};
use fanfare_event::Id;
use fanfare_event::vocabulary::license::{FlagRemoved, FlagToggled};
use fanfare_producer::{About, Accepted, Caller, CurrentCaller, Error, PathIds, StrictJson};
use name::FlagName;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/orgs/{org}/flags", get(list)).route("/orgs/{org}/flags/{flag}", put(toggle).delete(remove))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    enabled: bool,
}

async fn list(State(app): State<App>, caller: Caller, PathIds(org): PathIds<Id>) -> Result<Json<Value>, Error> {
    caller.require_member(&org)?;
    let flags = store::list(app.producer.database().reader(), &org).await?;
    Ok(Json(json!({ "org": org, "flags": flags })))
}

async fn toggle(
    State(app): State<App>,
    CurrentCaller(caller): CurrentCaller,
    PathIds((org, flag)): PathIds<(Id, FlagName)>,
    StrictJson(Switch { enabled }): StrictJson<Switch>,
) -> Result<Accepted, Error> {
    caller.require_admin(&org)?;
    let mut change = app.producer.begin().await?;
    let before = store::lock(&mut change, &org, &flag).await?;
    if before.enabled == Some(enabled) {
        return Ok(Accepted(None));
    }
    let revision = change.next_revision(before.revision);
    store::set(&mut change, &org, &flag, Some(enabled), revision).await?;
    let event = FlagToggled {
        org: org.clone(),
        flag: flag.as_str().to_owned(),
        enabled,
        changed_by: caller.user().to_string(),
        revision: Some(revision),
    };
    let id = change.publish(About::org(&org, flag.as_str()), &event).await?;
    change.commit().await?;
    Ok(Accepted(Some(id)))
}

async fn remove(
    State(app): State<App>,
    CurrentCaller(caller): CurrentCaller,
    PathIds((org, flag)): PathIds<(Id, FlagName)>,
) -> Result<Accepted, Error> {
    caller.require_admin(&org)?;
    let mut change = app.producer.begin().await?;
    let Some(before) = store::lock_existing(&mut change, &org, &flag).await? else {
        return Err(Error::NotFound(format!("{org} has no flag {flag}")));
    };
    let revision = change.next_revision(before);
    store::set(&mut change, &org, &flag, None, revision).await?;
    let event = FlagRemoved {
        org: org.clone(),
        flag: flag.as_str().to_owned(),
        changed_by: caller.user().to_string(),
        revision: Some(revision),
    };
    let id = change.publish(About::org(&org, flag.as_str()), &event).await?;
    change.commit().await?;
    Ok(Accepted(Some(id)))
}
