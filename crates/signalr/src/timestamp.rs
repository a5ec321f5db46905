//! Timestamps as text.

use std::fmt;

/// The last nanosecond of a second. Larger values are written as this.
pub(crate) const MAX_NANOSECONDS: u32 = 999_999_999;

pub(crate) const SECONDS_PER_DAY: i64 = 86_400;

/// How a moment is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Date and time, as UTC.
    Utc,
    /// Date and time, without a zone.
    Local,
    /// Only its date.
    Date,
}

/// Formats a moment as ISO 8601.
///
/// The fraction has 0, 3, 6 or 9 digits: every JavaScript engine must read three. Years beyond four digits have
/// ECMAScript's sign and six digits.
pub(crate) struct Iso8601 {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
    pub(crate) form: Form,
}

impl Iso8601 {
    /// A day, counted from 1970-01-01.
    pub(crate) fn date(days: i64) -> Self {
        Self { seconds: days.saturating_mul(SECONDS_PER_DAY), nanoseconds: 0, form: Form::Date }
    }
}

impl fmt::Display for Iso8601 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_date(self.seconds.div_euclid(SECONDS_PER_DAY));
        let of_day = self.seconds.rem_euclid(SECONDS_PER_DAY);
        if (0..=9999).contains(&year) {
            write!(f, "{year:04}")?;
        } else {
            write!(f, "{year:+07}")?;
        }
        write!(f, "-{month:02}-{day:02}")?;
        if self.form == Form::Date {
            return Ok(());
        }
        write!(f, "T{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)?;
        match self.nanoseconds.min(MAX_NANOSECONDS) {
            0 => {}
            nanos if nanos % 1_000_000 == 0 => write!(f, ".{:03}", nanos / 1_000_000)?,
            nanos if nanos % 1_000 == 0 => write!(f, ".{:06}", nanos / 1_000)?,
            nanos => write!(f, ".{nanos:09}")?,
        }
        if self.form == Form::Utc { f.write_str("Z") } else { Ok(()) }
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
/// Counts from 1 March of year 0 in cycles of 400 years, so that leap days are at the end of a year and need no special
/// case.
fn civil_date(days: i64) -> (i64, i64, i64) {
    const DAYS_TO_1970: i64 = 719_468;
    const DAYS_PER_CYCLE: i64 = 146_097;
    let days = days + DAYS_TO_1970;
    let cycle = days.div_euclid(DAYS_PER_CYCLE);
    let of_cycle = days.rem_euclid(DAYS_PER_CYCLE);
    let year_of_cycle = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (cycle * 400 + year_of_cycle + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(seconds: i64, nanoseconds: u32) -> String {
        Iso8601 { seconds, nanoseconds, form: Form::Utc }.to_string()
    }

    #[test]
    fn dates_and_clocks_have_no_offset() {
        assert_eq!(Iso8601::date(20_455).to_string(), "2026-01-02");
        assert_eq!(Iso8601::date(-1).to_string(), "1969-12-31");
        let local = Iso8601 { seconds: 1_017_656_415, nanoseconds: 250_000_000, form: Form::Local };
        assert_eq!(local.to_string(), "2002-04-01T10:20:15.250");
    }

    #[test]
    fn known_moments() {
        assert_eq!(text(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(text(1_017_656_415, 0), "2002-04-01T10:20:15Z");
        assert_eq!(text(951_782_399, 0), "2000-02-28T23:59:59Z");
        assert_eq!(text(951_868_799, 0), "2000-02-29T23:59:59Z");
        assert_eq!(text(951_868_800, 0), "2000-03-01T00:00:00Z");
        assert_eq!(text(-1, 0), "1969-12-31T23:59:59Z");
        assert_eq!(text(-62_135_596_800, 0), "0001-01-01T00:00:00Z");
        assert_eq!(text(253_402_300_799, 0), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn fractions_have_whole_groups() {
        assert_eq!(text(0, 500_000_000), "1970-01-01T00:00:00.500Z");
        assert_eq!(text(0, 1_000), "1970-01-01T00:00:00.000001Z");
        assert_eq!(text(0, 1), "1970-01-01T00:00:00.000000001Z");
    }

    #[test]
    fn far_years_are_signed() {
        assert_eq!(text(253_402_300_800, 0), "+010000-01-01T00:00:00Z");
        assert_eq!(text(-62_167_219_201, 0), "-000001-12-31T23:59:59Z");
        // The ends of the range must not overflow.
        assert!(text(i64::MAX, 0).starts_with("+292277026596-12-04T"));
        assert!(text(i64::MIN, 0).starts_with('-'));
    }
}
