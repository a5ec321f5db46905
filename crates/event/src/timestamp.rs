//! Points in time, in milliseconds.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// A text that is not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not an RFC 3339 time such as 2026-01-02T03:04:05.678Z")]
pub struct TimestampError;

/// 0000-01-01T00:00:00.000Z, the first time that RFC 3339 can write.
const FIRST: i64 = -62_167_219_200_000;
/// 9999-12-31T23:59:59.999Z, the last time that RFC 3339 can write.
const LAST: i64 = 253_402_300_799_999;

impl Timestamp {
    /// The time as RFC 3339 text in UTC with milliseconds: `2026-01-02T03:04:05.678Z`.
    ///
    /// A time outside the years 0 to 9999, which RFC 3339 cannot write, is clamped to the nearest possible one.
    pub fn to_rfc3339(self) -> String {
        let nanoseconds = i128::from(self.0.clamp(FIRST, LAST)) * 1_000_000;
        // In range because of the clamp above; a defect here would show as the epoch.
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        )
    }

    /// Parses an RFC 3339 time with any offset, truncated to milliseconds.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimestampError> {
        let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError)?;
        let milliseconds = at.unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(milliseconds).map(Self).map_err(|_| TimestampError)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn writes_utc_with_milliseconds() {
        assert_eq!(Timestamp(1_767_323_045_678).to_rfc3339(), "2026-01-02T03:04:05.678Z");
        assert_eq!(Timestamp(0).to_rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp(-1).to_rfc3339(), "1969-12-31T23:59:59.999Z");
        assert_eq!(Timestamp(i64::MIN).to_rfc3339(), "0000-01-01T00:00:00.000Z");
        assert_eq!(Timestamp(i64::MAX).to_rfc3339(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn reads_any_offset_and_precision() {
        let expected = Timestamp(1_767_323_045_678);
        for text in [
            "2026-01-02T03:04:05.678Z",
            "2026-01-02T03:04:05.678999999Z",
            "2026-01-02T04:04:05.678+01:00",
            "2026-01-01T22:34:05.678-04:30",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_rfc3339() {
        for text in ["", "yesterday", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "1767323045678"] {
            assert_eq!(Timestamp::parse_rfc3339(text), Err(TimestampError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(milliseconds in FIRST..=LAST) {
            let at = Timestamp(milliseconds);
            prop_assert_eq!(Timestamp::parse_rfc3339(&at.to_rfc3339()), Ok(at));
        }
    }
}
