//! Settings that only auth has.

use clap::Args;
use fanfare_producer::settings::parse_duration;
use std::time::Duration;

/// The longest lifetime of a token; the fan-out remembers logouts for that long.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

const SHORTEST_LIFETIME: Duration = Duration::from_secs(1);

/// Settings of auth beyond those of every producer.
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
        lifetime if (SHORTEST_LIFETIME..=LONGEST_LIFETIME).contains(&lifetime) => Ok(lifetime),
        _ => Err("a token lives for 1s at least and for 24h at most".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_within_what_the_fanout_accepts() {
        assert_eq!(parse_lifetime("24h"), Ok(LONGEST_LIFETIME));
        for wrong in ["25h", "0s", "999ms", "long"] {
            assert!(parse_lifetime(wrong).is_err(), "{wrong}");
        }
    }
}
