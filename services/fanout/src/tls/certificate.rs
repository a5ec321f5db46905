//! Reads an X.509 certificate (RFC 5280): how long it is valid, and who issued it.
//!
//! This trusts nobody: rustls decides that. It tells an operator what is wrong with a file.

use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version, which comes first unless it is version 1.
const VERSION: u8 = 0xa0;

/// From when until when a certificate is good, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: i64,
    /// The last second.
    pub until: i64,
}

/// How long before its expiry a certificate is warned of, in seconds: automatic renewals come long before.
const SOON: i64 = 7 * 86_400;

/// Whether a certificate is valid at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// It is good for long.
    Good,
    /// It ends within a week.
    EndsSoon,
    /// It has ended.
    Over,
    /// It has not begun.
    NotYet,
}

impl Validity {
    /// Its validity at a time, in seconds since 1970.
    #[must_use]
    pub fn at(self, now: i64) -> Age {
        match now {
            early if early < self.from => Age::NotYet,
            late if late > self.until => Age::Over,
            soon if soon > self.until - SOON => Age::EndsSoon,
            _ => Age::Good,
        }
    }

    /// The warning about it at a time; none if it is valid for long.
    #[must_use]
    pub fn fault_at(self, now: i64) -> Option<String> {
        let date = |seconds: i64| match OffsetDateTime::from_unix_timestamp(seconds) {
            Ok(time) => time.format(&Rfc3339).unwrap_or_default(),
            Err(_) => seconds.to_string(),
        };
        match self.at(now) {
            Age::Good => None,
            Age::EndsSoon => Some(format!("the certificate expires within a week, at {}", date(self.until))),
            Age::Over => Some(format!("the certificate has expired, at {}: clients refuse it", date(self.until))),
            Age::NotYet => Some(format!("the certificate is not good before {}: clients refuse it", date(self.from))),
        }
    }
}

/// The parts of a certificate that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Certificate<'a> {
    /// The name of its issuer, as it is written.
    pub(super) issuer: &'a [u8],
    /// The name that it is for.
    pub(super) subject: &'a [u8],
    pub(super) validity: Validity,
}

impl<'a> Certificate<'a> {
    /// Reads one in DER; none if it is no certificate.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let (signed, _) = Element::of(SEQUENCE, der)?;
        let (body, _) = Element::of(SEQUENCE, signed.content)?;
        let mut rest = body.content;
        if let Some((_, behind)) = Element::of(VERSION, rest) {
            rest = behind;
        }
        let (_serial, rest) = Element::read(rest)?;
        let (_algorithm, rest) = Element::of(SEQUENCE, rest)?;
        let (issuer, rest) = Element::of(SEQUENCE, rest)?;
        let (validity, rest) = Element::of(SEQUENCE, rest)?;
        let (subject, _) = Element::of(SEQUENCE, rest)?;
        let (from, until) = Element::read(validity.content)?;
        let (until, _) = Element::read(until)?;
        let validity = Validity { from: from.seconds()?, until: until.seconds()? };
        Some(Self { issuer: issuer.content, subject: subject.content, validity })
    }
}

/// One element of DER: a tag, a length and so many bytes.
#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
}

impl<'a> Element<'a> {
    /// The first element, and what follows it.
    fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&tag, rest) = bytes.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            short @ ..=0x7f => (usize::from(short), rest),
            // More than three bytes of length are more than any file holds.
            long @ 0x81..=0x83 => {
                let (length, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        Some((Self { tag, content }, rest))
    }

    fn of(tag: u8, bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        Self::read(bytes).filter(|(element, _)| element.tag == tag)
    }

    /// A time in seconds.
    fn seconds(self) -> Option<i64> {
        let text = std::str::from_utf8(self.content).ok()?.strip_suffix('Z')?;
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (year, rest) = match self.tag {
            UTC_TIME => {
                let (year, rest) = text.split_at_checked(2)?;
                let year: i32 = year.parse().ok()?;
                // RFC 5280 section 4.1.2.5.1.
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            GENERALIZED_TIME => {
                let (year, rest) = text.split_at_checked(4)?;
                (year.parse().ok()?, rest)
            }
            _ => return None,
        };
        if rest.len() != 10 {
            return None;
        }
        let two = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
        let month = Month::try_from(two(0)?).ok()?;
        let date = Date::from_calendar_date(year, month, two(2)?).ok()?;
        let time = Time::from_hms(two(4)?, two(6)?, two(8)?).ok()?;
        Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(tag: u8, text: &str) -> Option<i64> {
        Element { tag, content: text.as_bytes() }.seconds()
    }

    #[test]
    fn times_of_both_forms_are_read() {
        assert_eq!(time(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(time(UTC_TIME, "491231235959Z"), Some(2_524_607_999), "the last second that this form has");
        assert_eq!(time(GENERALIZED_TIME, "20500101000000Z"), Some(2_524_608_000));
        for wrong in ["700101000000", "7001010000Z", "701301000000Z", "700101250000Z", "70+101000000Z", ""] {
            assert_eq!(time(UTC_TIME, wrong), None, "{wrong}");
        }
        assert_eq!(time(SEQUENCE, "700101000000Z"), None);
    }

    #[test]
    fn a_certificate_is_warned_of_a_week_before_its_end() {
        let validity = Validity { from: 1_000_000, until: 3_000_000 };
        for (now, age) in [
            (999_999, Age::NotYet),
            (1_000_000, Age::Good),
            (3_000_000 - SOON, Age::Good),
            (3_000_001 - SOON, Age::EndsSoon),
            (3_000_000, Age::EndsSoon),
            (3_000_001, Age::Over),
        ] {
            assert_eq!(validity.at(now), age, "{now}");
        }
        let over = validity.fault_at(3_000_001).expect("a fault");
        assert_eq!(over, "the certificate has expired, at 1970-02-04T17:20:00Z: clients refuse it");
    }

    proptest! {
        #[test]
        fn whatever_stands_in_a_file_is_a_certificate_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Certificate::read(&bytes);
            let mut begun = vec![SEQUENCE, 0x81, u8::try_from(bytes.len()).unwrap_or(0), SEQUENCE];
            begun.extend(bytes);
            let _ = Certificate::read(&begun);
        }
    }
}
