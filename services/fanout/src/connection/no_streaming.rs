//! Takes the place of `streaming.rs` without the feature `embed`: there is no code behind hubs to which a client could
//! send anything but calls.

use fanfare_signalr::Message;

/// What a client sends besides its calls, which is ignored.
#[derive(Debug, Clone, PartialEq)]
pub enum Streamed {}

impl Streamed {
    /// Items, answers and cancellations of what nobody has begun are ignored, as SignalR's servers do.
    pub(super) fn of(_message: Message<'_>) -> Option<Self> {
        None
    }
}
