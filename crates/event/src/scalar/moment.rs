//! Dates and times as text.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::{Kind, Timestamp, Unit};

const SECONDS_PER_DAY: i64 = 86_400;
const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// The first and the last second that a text with a four-digit year can express.
const SECONDS: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

impl Unit {
    /// The whole seconds in this many of the unit, and the remaining nanoseconds.
    #[must_use]
    pub fn split(self, count: i64) -> (i64, u32) {
        let per_second = self.per_second();
        // Below a billion, which fits.
        let nanoseconds = (count.rem_euclid(per_second) * (1_000_000_000 / per_second)) as u32;
        (count.div_euclid(per_second), nanoseconds)
    }

    /// The number of units in these nanoseconds, truncated.
    pub(crate) fn of_nanoseconds(self, nanoseconds: i128) -> Option<i64> {
        i64::try_from(nanoseconds.div_euclid(NANOS_PER_SECOND / i128::from(self.per_second()))).ok()
    }

    /// The same time in another unit, truncated.
    pub(crate) fn convert(self, count: i64, into: Self) -> Option<i64> {
        into.of_nanoseconds(i128::from(count) * (NANOS_PER_SECOND / i128::from(self.per_second())))
    }

    fn digits(self) -> usize {
        match self {
            Self::Millis => 3,
            Self::Micros => 6,
            Self::Nanos => 9,
        }
    }
}

impl Kind {
    /// The ISO 8601 text of a date or a time of this kind; none for any other kind.
    ///
    /// A time outside four-digit years is clamped to the nearest possible one.
    #[must_use]
    pub fn time_text(&self, count: i64) -> Option<String> {
        Some(match self {
            Self::Timestamp(Unit::Millis) => Timestamp(count).to_rfc3339(),
            Self::Timestamp(unit) => format!("{}Z", date_time(count, *unit)),
            Self::LocalTimestamp(unit) => date_time(count, *unit),
            Self::Date => date(count.saturating_mul(SECONDS_PER_DAY)),
            Self::TimeOfDay(unit) => time_of_day(count, *unit),
            Self::Nullable(kind) => return kind.time_text(count),
            _ => return None,
        })
    }
}

fn at(seconds: i64) -> OffsetDateTime {
    let seconds = seconds.clamp(*SECONDS.start(), *SECONDS.end());
    // In range because of the clamp; a defect here would show as the epoch.
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn date(seconds: i64) -> String {
    let at = at(seconds);
    format!("{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day())
}

fn date_time(count: i64, unit: Unit) -> String {
    let (seconds, _) = unit.split(count);
    format!("{}T{}", date(seconds), time_of_day(count, unit))
}

fn time_of_day(count: i64, unit: Unit) -> String {
    let (seconds, nanoseconds) = unit.split(count);
    let at = at(seconds);
    let fraction = format!("{nanoseconds:09}");
    format!("{:02}:{:02}:{:02}.{}", at.hour(), at.minute(), at.second(), &fraction[..unit.digits()])
}

/// The nanoseconds of a moment with an offset from UTC: `2026-01-02T03:04:05.678+01:00`.
pub(crate) fn instant(text: &str) -> Option<i128> {
    OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp_nanos)
}

/// The nanoseconds of a date and time without an offset: `2026-01-02T03:04:05.678`.
pub(crate) fn local(text: &str) -> Option<i128> {
    // A longer text is invalid, and is not copied.
    (text.len() <= 40).then(|| instant(&format!("{text}Z")))?
}

/// The days of a date: `2026-01-02`.
pub(crate) fn days(text: &str) -> Option<i64> {
    let midnight = (text.len() == 10).then(|| instant(&format!("{text}T00:00:00Z")))??;
    i64::try_from(midnight / NANOS_PER_SECOND).ok().map(|seconds| seconds.div_euclid(SECONDS_PER_DAY))
}

/// The nanoseconds of a time of day: `03:04:05.678`.
pub(crate) fn since_midnight(text: &str) -> Option<i128> {
    (text.len() <= 20).then(|| instant(&format!("1970-01-01T{text}Z")))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_iso_text() {
        for (kind, count, text) in [
            (Kind::Timestamp(Unit::Millis), 1_767_323_045_678, "2026-01-02T03:04:05.678Z"),
            (Kind::Timestamp(Unit::Micros), 1_767_323_045_678_901, "2026-01-02T03:04:05.678901Z"),
            (Kind::Timestamp(Unit::Nanos), -1, "1969-12-31T23:59:59.999999999Z"),
            (Kind::LocalTimestamp(Unit::Millis), 0, "1970-01-01T00:00:00.000"),
            (Kind::Date, 20_455, "2026-01-02"),
            (Kind::Date, -1, "1969-12-31"),
            (Kind::Date, i64::MAX, "9999-12-31"),
            (Kind::TimeOfDay(Unit::Micros), 11_045_678_901, "03:04:05.678901"),
            (Kind::Nullable(Box::new(Kind::Date)), 0, "1970-01-01"),
        ] {
            assert_eq!(kind.time_text(count).as_deref(), Some(text), "{kind}");
        }
        assert_eq!(Kind::Long.time_text(1), None);
    }

    #[test]
    fn iso_text_is_read() {
        let nanos = 1_767_323_045_678_901_234;
        assert_eq!(instant("2026-01-02T04:04:05.678901234+01:00"), Some(nanos));
        assert_eq!(local("2026-01-02T03:04:05.678901234"), Some(nanos));
        assert_eq!((days("2026-01-02"), days("1969-12-31")), (Some(20_455), Some(-1)));
        assert_eq!(since_midnight("03:04:05.678"), Some(11_045_678_000_000));
        for none in ["", "2026-01-02", "2026-01-02T03:04:05", "yesterday"] {
            assert_eq!(instant(none), None, "{none}");
        }
        assert_eq!(local("2026-01-02T03:04:05Z"), None);
        assert_eq!((days("2026-13-02"), days("2026-1-2"), since_midnight("25:00:00")), (None, None, None));
        assert_eq!(since_midnight("03:04:05+01:00"), None);
    }

    #[test]
    fn units_are_converted_and_what_is_finer_is_cut_off() {
        assert_eq!(Unit::Micros.convert(1_999, Unit::Millis), Some(1));
        assert_eq!(Unit::Micros.convert(-1, Unit::Millis), Some(-1));
        assert_eq!(Unit::Millis.convert(2, Unit::Nanos), Some(2_000_000));
        assert_eq!(Unit::Millis.convert(i64::MAX, Unit::Nanos), None);
        assert_eq!(Unit::Millis.split(-1), (-1, 999_000_000));
    }
}
