//! `rate`: how often a method may be called.

use std::time::Duration;

use super::Refusal;

/// Which calls are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Per {
    /// Those of a user, on all of their connections.
    User,
    /// Those of a connection.
    Connection,
    /// Those from an address.
    Address,
    /// All.
    Hub,
}

impl Per {
    /// The names of the configuration for this.
    pub const ALL: [(&str, Self); 4] =
        [("user", Self::User), ("connection", Self::Connection), ("address", Self::Address), ("hub", Self::Hub)];
}

/// So many calls in a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRate {
    /// Identifies the rate: hub, method, and its number there.
    pub name: Box<str>,
    /// Which calls are counted together.
    pub per: Per,
    /// How many.
    pub calls: u32,
    /// In which time, from the first of them on.
    pub span: Duration,
    /// The error text for a call beyond it.
    pub error: Option<Box<str>>,
}

impl CallRate {
    /// The refusal of a call that comes too early by so much.
    #[must_use]
    pub fn refusal(&self, wait: Duration) -> Refusal {
        let own = self.error.as_deref().map(str::to_owned);
        Refusal::TooOften(own.unwrap_or_else(|| {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            format!("Too many calls. Try again in {seconds} s.")
        }))
    }
}
