//! The HTTP edge: negotiation, WebSockets, publishing, the page, and the operator's port.

mod admin;
mod answer;
pub mod authorizers;
mod bearer;
mod body;
mod client;
mod connections;
mod console;
mod cookie;
mod cors;
mod edge;
mod event_paths;
mod event_stream;
mod events;
mod exchange;
mod forward;
mod guard;
mod handshake;
mod handshakes;
mod header;
mod hub;
mod letters;
mod listen;
mod long_polling;
mod negotiate;
mod nodes;
mod openapi;
mod opening;
mod origin;
mod page;
mod peers;
mod port;
mod query;
mod refresh;
mod routes;
mod seat;
pub mod shard;
#[cfg(test)]
mod stale_tests;
mod state;
mod stream;
mod users;
mod web_socket;
mod wire;

pub use connections::Listings;
pub use edge::Edge;
pub(crate) use edge::OtherTls;
pub use forward::address_of_hubs;
pub use handshake::NoTls;
pub use listen::{BindError, Unserved, bind, serve};
pub use page::{Page, PageError};
pub use peers::Peers;
pub use port::Port;
pub use refresh::Passing;
pub use seat::Hold;
pub use state::{About, App, Hubs};

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{delete, get, post};
use axum::{Router, middleware};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves the public port until `shutdown`.
pub async fn serve_public(listener: TcpListener, app: Arc<App>, shutdown: CancellationToken) {
    let (port, told) = (Arc::clone(&app.edge.public), Arc::clone(&app));
    port.handshakes.know(app.nodes.clone());
    serve(listener, public(app), port, move |reason, peer| told.unserved("hubs", &reason, peer), shutdown).await;
}

/// Serves the operator's port until `shutdown`.
pub async fn serve_operator(listener: TcpListener, app: Arc<App>, shutdown: CancellationToken) {
    let (port, told) = (Arc::clone(&app.edge.operator), Arc::clone(&app));
    serve(listener, operator(app), port, move |reason, peer| told.unserved("operator", &reason, peer), shutdown).await;
}

/// The service of the public port.
pub fn public(app: Arc<App>) -> Router {
    let cors = cors::layer(&app.cors, &app.edge.origins.others);
    let mut router = Router::new();
    if let Some(path) = &app.health.path {
        router = router.route(path, get(admin::health));
    }
    router
        .route("/events", post(events::publish))
        .route("/", get(|State(app): State<Arc<App>>| async move { app.page.index() }))
        // Hubs are found whatever the case of their path, which no router does; files come after them.
        .fallback(hub::dispatch)
        .layer(cors)
        .with_state(app)
}

/// The service of the operator's port.
pub fn operator(app: Arc<App>) -> Router {
    let operators = Router::new()
        .route("/connections", get(connections::list))
        .route("/connections/round-trips", get(connections::round_trips::list))
        .route("/connections/{id}", delete(connections::close_one))
        .route("/users/{user}", get(users::show))
        .route("/users/{user}/connections", delete(connections::close_user))
        .route("/sessions/{session}/connections", delete(connections::close_session))
        .route("/events/{id}", get(event_paths::show))
        .route("/whoami", get(nodes::who_am_i))
        .route("/nodes", get(nodes::list))
        .route("/routes", get(routes::list))
        .route("/config", get(routes::configuration))
        .route("/deadletters", get(letters::list))
        .route("/deadletters/replay", post(letters::replay))
        .route("/deadletters/{id}", get(letters::show))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), guard::operators));
    let nodes = Router::new()
        .route("/node/connections", get(connections::list_own))
        .route("/node/events/{id}", get(event_paths::show_own))
        .route("/node/round-trips", get(connections::round_trips::list_own))
        .route(refresh::PASSED_ON, post(refresh::passed))
        .route("/node/state", get(nodes::own))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&app), guard::nodes));
    Router::new()
        .merge(operators)
        .merge(nodes)
        .route("/", get(console::index))
        .route("/console/{file}", get(console::file))
        .route("/openapi.json", get(openapi::document))
        .route("/healthz", get(admin::healthz))
        .route("/readyz", get(admin::readyz))
        .route("/metrics", get(admin::metrics))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), guard::known_clients))
        .with_state(app)
}
