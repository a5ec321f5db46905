//! The settings that only auth has.

use clap::Args;
use fanfare_producer::settings::parse_duration;
use std::time::Duration;

/// The longest that a token may live; the fan-out keeps logouts for so long.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Settings of auth beside those of every producer.
#[derive(Args, Clone, Debug)]
pub struct AuthSettings {
    /// How long a token is valid, such as 90s, 15m or 1h (at most 24h)
    #[arg(long, env = "FANFARE_TOKEN_LIFETIME", default_value = "1h", value_parser = parse_lifetime)]
    pub token_lifetime: Duration,
    /// How long a key signs tokens until the next one does
    #[arg(long, env = "FANFARE_ROTATE_AFTER", default_value = "24h", value_parser = parse_duration)]
    pub rotate_after: Duration,
    /// Create alice, bob, carol and root, all with the password demo, if there are no users yet
    #[arg(long, env = "FANFARE_DEMO_USERS")]
    pub demo_users: bool,
}

fn parse_lifetime(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        lifetime if lifetime <= LONGEST_LIFETIME => Ok(lifetime),
        _ => Err("a token lives for 24h at most".into()),
    }
}
