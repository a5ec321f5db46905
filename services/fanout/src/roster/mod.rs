//! Who is in a room just now: users and not tabs, on all nodes (rule 10).
//!
//! Everything here is pure. A [`Core`] takes what this node's tabs do, what other nodes say in the nodes' own stream, and
//! time; it gives back what this node has to say there ([`Write`]) and what open tabs are to be told ([`Notice`]). The
//! real node and the seeded simulation drive that same code.
//!
//! | file | what it is |
//! |---|---|
//! | `roll` | who is in one room by whichever node, and what of that was told |
//! | `sitting` | the tabs of one user in one room: when the user has come and when they are gone |
//! | `here` | what this node's tabs do |
//! | `elsewhere` | what other nodes say, and nodes that ended |
//! | `paging`, `record` | who of this node is in a room, packed into records that stay small |
//! | `core` | all of it together, and what is due when |
//! | `notice` | what a tab is told, encoded once for each wire form |
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
