//! Types that every stage uses: groups, places in the log, the identity of a connection.
//!
//! Nothing here imports a stage; every stage imports this.

pub mod braces;
mod identity;
mod intervals;
mod membership;
pub mod name;
pub mod owner;
pub mod personal;
mod place;
mod reached;

pub use identity::{Identity, IdentityError};
pub use intervals::{CHANGES_KEPT, Interval, Intervals};
pub use membership::Membership;
pub use place::Place;
pub use reached::{reached_over, scheme_of};
