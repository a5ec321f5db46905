//! The task of a Server-Sent Events connection: hands frames to the response body as it takes them.

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::Shard;
use super::tab::Tab;

impl Shard {
    /// Serves an event stream until it is done with.
    pub(super) async fn serve_event_stream(self: Rc<Self>, tab: Rc<Tab>, events: mpsc::Sender<Bytes>) {
        loop {
            let (waits, over) = {
                let state = tab.state.borrow();
                let over = state.ending.as_ref().is_some_and(|ending| ending.over);
                (!state.queue.is_empty(), over)
            };
            if over {
                return self.forget(&tab);
            }
            tokio::select! {
                // A place in the channel is all that is asked for; the flush takes it.
                place = events.reserve(), if waits => {
                    drop(place);
                    tab.flush(Instant::now());
                }
                () = events.closed() => {
                    tab.state.borrow_mut().link_broke(Instant::now());
                    // Not by way of the loop: this is ready for ever, and a loop that never waits stops the shard.
                    return self.forget(&tab);
                }
                () = tab.wake.notified() => {}
            }
        }
    }
}
