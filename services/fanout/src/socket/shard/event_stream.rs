//! The task of a Server-Sent Events connection: hands frames to the response body as it takes them.

use std::rc::Rc;

use super::Shard;
use super::link::{Kind, Link};
use crate::shard::Key;

impl Shard {
    /// Serves an event stream until it is done with.
    pub(super) async fn serve_event_stream(self: Rc<Self>, key: Key, link: Rc<Link>) {
        let Kind::EventStream(events) = &link.kind else { return };
        while self.is_current(key, &link) {
            let waits = self.core().waits(key);
            tokio::select! {
                // A place in the channel is all that is asked for; the flush takes it.
                place = events.reserve(), if waits => {
                    drop(place);
                    self.flush(key);
                }
                () = events.closed() => {
                    self.core().link_lost(key);
                    // Not by way of the loop: this is ready for ever, and a loop that never waits stops the shard.
                    self.core().forget(key);
                    return self.carry_out();
                }
                () = link.wake.notified() => {}
            }
            self.carry_out();
        }
    }
}
