//! The license of an org: its plan, its seats, its end.

pub mod expiry;
pub(crate) mod store;
pub mod terms;

use crate::App;
use axum::extract::State;
use axum::routing::put;
use axum::{Json, Router};
use fanfare_event::Id;
use fanfare_event::vocabulary::license::LicenseUpdated;
use fanfare_producer::{About, Accepted, Caller, CurrentCaller, Error, PathIds, StrictJson};
use serde_json::{Value, json};
use terms::Terms;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/orgs/{org}/license", put(update).get(show))
}

async fn show(State(app): State<App>, caller: Caller, PathIds(org): PathIds<Id>) -> Result<Json<Value>, Error> {
    caller.require_member(&org)?;
    let Some(license) = store::find(app.producer.database().reader(), &org).await? else {
        return Err(Error::NotFound(format!("{org} has no license")));
    };
    let Terms { plan, seats, expires_at } = license.terms;
    Ok(Json(json!({
        "org": org,
        "plan": plan.as_str(),
        "seats": seats.count(),
        "expires_at": expires_at.map(|end| end.0.to_rfc3339()),
        "expired": license.expired,
    })))
}

async fn update(
    State(app): State<App>,
    CurrentCaller(caller): CurrentCaller,
    PathIds(org): PathIds<Id>,
    StrictJson(terms): StrictJson<Terms>,
) -> Result<Accepted, Error> {
    caller.require_admin(&org)?;
    let mut change = app.producer.begin().await?;
    let before = store::lock(&mut change, &org).await?;
    if before.as_ref() == Some(&terms) {
        return Ok(Accepted(None));
    }
    let same_end = before.is_some_and(|before| before.expires_at == terms.expires_at);
    store::set(&mut change, &org, &terms, same_end).await?;
    let event = LicenseUpdated {
        org: org.clone(),
        plan: terms.plan.as_str().to_owned(),
        seats: terms.seats.count(),
        expires_at: terms.expires_at.map(|end| end.0),
    };
    let id = change.publish(About::org(&org, "license"), &event).await?;
    change.commit().await?;
    app.license_changed.notify_one();
    Ok(Accepted(Some(id)))
}
