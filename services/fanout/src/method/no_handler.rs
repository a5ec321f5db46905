//! Takes the place of `handler.rs` without the feature `embed`: there is no code behind hubs. No type here has a value,
//! so the compiler drops the code that would handle one.

use std::sync::Arc;

use http::request::Parts;

use super::Signature;

/// The code behind a hub, of which there is none.
#[derive(Debug, Clone)]
pub enum HubCode {}

/// What is kept for such code of the request that opened a connection.
#[derive(Debug)]
pub enum Request {}

/// The code behind each hub: none.
#[derive(Clone, Default)]
pub struct Handlers;

impl Handlers {
    /// The code behind a hub that has a method of this name.
    pub(super) fn find(&self, _hub: &str, _target: &str) -> Option<(HubCode, Signature)> {
        None
    }

    /// What is kept of the request that opens a connection.
    pub(super) fn request(&self, _hub: &str, _parts: &Parts) -> Option<Arc<Request>> {
        None
    }
}
