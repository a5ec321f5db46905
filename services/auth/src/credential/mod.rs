//! Passwords, and what keeps them from being guessed.

mod password;
mod throttle;

pub use password::Passwords;
pub use throttle::Throttle;
