//! Times in the server's notation.

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;

/// Milliseconds since the epoch of a time in RFC 3339; 0 if it is not one.
pub(super) fn milliseconds(text: &str) -> i64 {
    let parsed = OffsetDateTime::parse(text, &Rfc3339).ok();
    parsed.map_or(0, |time| i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or(0))
}

/// A time in RFC 3339.
pub(super) fn rfc3339(milliseconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok();
    let text = time.and_then(|time| time.format(&Rfc3339).ok());
    text.unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// The clock of this process, in milliseconds since the epoch.
pub(super) fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_to_milliseconds() {
        assert_eq!(milliseconds("1970-01-01T00:00:01.234567891Z"), 1234);
        assert_eq!(milliseconds("1970-01-01T02:00:01+02:00"), 1000);
        assert_eq!(milliseconds("rubbish"), 0);
        assert_eq!(milliseconds(&rfc3339(1_700_000_000_123)), 1_700_000_000_123);
    }
}
