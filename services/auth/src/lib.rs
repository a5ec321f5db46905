//! The auth service: users and their roles, sessions, the keys that sign tokens, and alerts.
//!
//! A login creates a session and a token for it. A logout ends sessions here at once, and elsewhere through its event:
//! readers of the event refuse tokens that were issued before.

pub mod alert;
mod app;
pub mod credential;
pub mod housekeeping;
pub mod keyring;
pub mod session;
pub mod settings;
pub mod user;

pub use app::App;
pub use settings::AuthSettings;

use fanfare_producer::Service;

/// The declaration of this service.
pub const SERVICE: Service = Service { name: "auth", port: 8081, publishes: &["auth.*", "system.*"] };
