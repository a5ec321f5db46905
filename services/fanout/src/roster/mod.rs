//! Presence at runtime: who is in a room (a group of one hub and org) right now. Users, not connections, on all nodes
//! (rule 10).
//!
//! Everything here is pure. A [`Core`] takes what this node's connections do, what other nodes say in the nodes' own
//! stream, and time. It returns what this node has to write there ([`Write`]) and what open connections are sent
//! ([`Notice`]). The real node and the seeded simulation drive that same code.
//!
//! | file | what it is |
//! |---|---|
//! | `roll` | who is in one room, on any node, and what of that has been sent |
//! | `sitting` | the connections of one user in one room: when the user has joined and left |
//! | `here` | this node's connections |
//! | `elsewhere` | what other nodes say, and nodes that ended |
//! | `paging`, `record` | this node's members of a room, packed into records that stay small |
//! | `core` | all of it together, and what is due when |
//! | `notice` | a presence notification, encoded once for each wire form |
//! | `shared` | one core for all shards of a node |

mod core;
mod elsewhere;
mod here;
mod notice;
mod paging;
mod record;
mod roll;
mod shared;
mod sitting;
#[cfg(test)]
mod tests;

pub use core::{Core, Time, Write};
pub use elsewhere::Heard;
pub use here::{Leaving, Seat};
pub use notice::{Changes, Notice, Page, Snapshot};
pub use record::PREFIX;
pub use shared::Rosters;
