//! Passwords, and the protection against guessing them.

mod password;
mod throttle;

pub use password::Passwords;
pub use throttle::Throttle;
