//! Presence as the configuration declares it: which groups, time-outs, and the notifications.
//!
//! | file | what it is |
//! |---|---|
//! | `declared` | presence on the groups of one template |
//! | `described` | what describes a user |
//! | `shape` | the shape of a notification |
//! | `room`, `member` | a group of one hub and one org, and who is in it |

mod declared;
mod described;
mod member;
mod room;
mod shape;

pub use declared::{Declared, MessageTemplate};
pub use described::Described;
pub use member::{Member, User};
pub use room::Room;
pub(crate) use shape::Scene;
pub use shape::{Names, Shape, Source, UnknownName};
