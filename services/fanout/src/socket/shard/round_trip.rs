//! Measures how long clients take to answer, beside everything else that a shard does.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::Shard;
use crate::connection::ConnectionId;
use crate::shard::PingNumber;

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long each client took that has answered.
pub type Measured = Vec<(ConnectionId, Duration)>;

impl Shard {
    /// Pings these clients and waits for their answers, as long as somebody waits for that.
    pub(super) fn measure(self: &Rc<Self>, ids: &[ConnectionId], mut answer: oneshot::Sender<Measured>) {
        let deadline = Instant::now() + PATIENCE;
        let mut asked = Vec::new();
        for id in ids {
            let Some(number) = self.core().ping(*id) else { continue };
            let (ponged, pong) = oneshot::channel();
            self.pings.borrow_mut().entry(number).or_default().push(ponged);
            asked.push((*id, number, pong));
        }
        let shard = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let mut measured = Vec::with_capacity(asked.len());
            for (id, number, mut pong) in asked {
                let took = tokio::select! {
                    took = timeout_at(deadline, &mut pong) => took.ok().and_then(Result::ok),
                    () = answer.closed() => None,
                };
                drop(pong);
                match took {
                    Some(took) => measured.push((id, took)),
                    None => shard.give_up_ping(id, number),
                }
            }
            // The caller may have given up.
            let _ = answer.send(measured);
        });
    }

    fn give_up_ping(&self, id: ConnectionId, number: PingNumber) {
        self.core().give_up_ping(id, number);
        let mut pings = self.pings.borrow_mut();
        if let Some(waiters) = pings.get_mut(&number) {
            waiters.retain(|waiter| !waiter.is_closed());
            if waiters.is_empty() {
                pings.remove(&number);
            }
        }
    }

    /// A client has answered.
    pub(super) fn ponged(&self, number: PingNumber, took: Duration) {
        for waiter in self.pings.borrow_mut().remove(&number).unwrap_or_default() {
            // Nobody waits any more for one that came late.
            let _ = waiter.send(took);
        }
    }
}
