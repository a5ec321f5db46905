//! Users and their roles.

mod change_roles;
pub mod demo;
pub mod roles;
pub(crate) mod store;

use crate::App;
use axum::Router;
use axum::routing::put;

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/users/{user}/roles", put(change_roles::change_roles))
}
