//! Takes the place of `handler/` without the feature `embed`: there is no code behind hubs.

use std::rc::Rc;

use super::Shard;
use crate::shard::{HandlerTask, Key};

/// What such code has open for each connection: nothing.
#[derive(Debug, Default)]
pub(super) struct Open;

impl Open {
    /// Ends everything that is open for a connection.
    pub(super) fn end(&self, _key: Key) {}

    /// Whether an item of an upload waits for room.
    pub(super) fn has_stalled_upload(&self, _key: Key) -> bool {
        false
    }

    /// Hands over the first item that waits.
    pub(super) async fn feed_upload(&self, _key: Key) {}

    /// Gives uploads all that they had no room for.
    pub(super) async fn feed_uploads(&self, _key: Key) {}
}

/// A call of a client's method that asks for a result: never.
#[derive(Debug)]
pub enum Question {}

impl Shard {
    /// Starts what the core wants of such code.
    pub(super) fn start_handler(self: &Rc<Self>, _key: Key, task: HandlerTask) {
        match task {}
    }

    /// Asks a client for a result.
    pub(super) fn ask(self: &Rc<Self>, question: Question) {
        match question {}
    }
}
