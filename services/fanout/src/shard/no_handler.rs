//! Takes the place of `handler.rs` without the feature `embed`: there is no code behind hubs. Each call waits for its
//! turn.

use std::sync::Arc;

use super::calls::Running;
use super::{Core, Key};
use crate::connection::{Call, Streamed};
use crate::method::handler::{HubCode, Request};
use crate::method::{Method, Signature};

/// Something for the code behind a hub: never.
pub enum HandlerTask {}

/// What is kept of a connection for such code: nothing.
#[derive(Debug)]
pub(super) struct Handling;

impl Handling {
    /// Of a connection that a request has opened.
    pub(super) fn new(_request: Option<Arc<Request>>) -> Self {
        Self
    }

    /// Whether a call with this id is being answered with a stream.
    pub(super) fn streams(&self, _id: &str) -> bool {
        false
    }
}

impl Core {
    /// Opens what a call streams, and gives the call back if it waits for its turn.
    pub(super) fn open_streams(
        &mut self,
        _key: Key,
        call: Call,
        _method: Method,
        _signature: Signature,
    ) -> Option<Call> {
        Some(call)
    }

    /// Runs the code for the call whose turn it is.
    pub(super) fn run_handler(&mut self, _key: Key, code: HubCode, _call: Call, _running: Running) {
        match code {}
    }

    /// Hands on what the client has sent to a call that runs.
    pub(super) fn streamed(&mut self, _key: Key, streamed: Streamed) {
        match streamed {}
    }
}
