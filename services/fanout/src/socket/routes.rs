//! `GET /routes` and `GET /config` on the operator's port: what this node runs with. Routes are printed as `fanfare
//! check --explain` does.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Uri;

use super::connections::Refused;
use super::connections::query::{self, BadQuestion};
use super::state::App;
use crate::operator::configuration::Configuration;
use crate::operator::state::RoutesPage;

/// A page of the routes.
pub(super) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Json<RoutesPage>, Refused> {
    let [limit, next] = query::only(&uri, ["limit", "continue"])?;
    let limit = query::limit(limit.as_deref())?;
    let from: usize = next.map_or(Some(0), |next| next.parse().ok()).ok_or(BadQuestion::Continue)?;
    let table = app.routes.now();
    let lines = table.explain(app.about.single_org.as_deref());
    let count = lines.len();
    let routes: Vec<String> = lines.into_iter().skip(from).take(limit).collect();
    let next = from.saturating_add(routes.len());
    let next = (next < count && !routes.is_empty()).then(|| next.to_string());
    Ok(Json(RoutesPage { digest: table.digest(), count, routes, next }))
}

/// The configuration.
pub(super) async fn configuration(State(app): State<Arc<App>>) -> Json<Configuration> {
    Json(app.configuration())
}
