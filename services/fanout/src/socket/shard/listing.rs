//! Lists connections for an operator, beside everything else that a shard does.

use std::rc::Rc;

use tokio::sync::oneshot;

use super::Shard;
use crate::operator::connections::Connection;
use crate::shard::Listing;

/// How many connections are described in one turn.
const IN_TURN: usize = 8;

/// A page of one shard, and whether it has more.
pub type Page = (Vec<Connection>, bool);

impl Shard {
    /// Looks for a page, a turn at a time.
    pub(super) fn list(self: &Rc<Self>, mut listing: Listing, node: String, answer: oneshot::Sender<Page>) {
        let shard = Rc::clone(self);
        tokio::task::spawn_local(async move {
            while !shard.core.borrow().list(&mut listing) {
                tokio::task::yield_now().await;
                if answer.is_closed() {
                    return;
                }
            }
            let found: Vec<_> = listing.found().collect();
            let mut page = Vec::with_capacity(found.len());
            for some in found.chunks(IN_TURN) {
                page.extend(some.iter().filter_map(|(id, key)| shard.core.borrow().describe(*id, *key, &node)));
                tokio::task::yield_now().await;
            }
            if let ([found], [connection], true) = (&found[..], &mut page[..], listing.is_of_one()) {
                connection.timeline = shard.core.borrow().timeline(found.0, found.1);
            }
            // The caller may have given up.
            let _ = answer.send((page, listing.has_more()));
        });
    }
}
