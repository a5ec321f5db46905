//! Parts of subjects and keys: every character with a special meaning is percent-encoded, and a value that would be too
//! long is hashed.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The part that means "no org".
pub(crate) const NO_ORG: &str = "_";

/// The longest part that is written out. A longer one is replaced by its hash, and its value is in a header.
const LONGEST: usize = 200;

/// The characters that are percent-encoded.
const SPECIAL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-');

/// The prefix of a hash; [`encode`] never writes it.
const HASHED: char = '~';

/// A value as part of a subject or key.
pub(crate) fn part(value: &str, out: &mut String) {
    if is_long(value) { hash(value, out) } else { encode(value, out) }
}

/// Whether a value is too long to be written out, so that it must be in a header.
pub(crate) fn is_long(value: &str) -> bool {
    let encoded = value.bytes().map(|byte| if is_plain(byte) { 1 } else { 3 });
    encoded.sum::<usize>() > LONGEST
}

/// The value of a part. `long` is the header's value, which counts only if its hash is this part: rights are given by
/// subject, so no header may name more than the subject does. None if [`part`] has not written it.
pub(crate) fn value(part: &str, long: Option<&str>) -> Option<String> {
    if !part.starts_with(HASHED) {
        return decode(part).filter(|value| !is_long(value));
    }
    let long = long.filter(|long| is_long(long))?;
    let mut its = String::new();
    hash(long, &mut its);
    (its == part).then(|| long.to_owned())
}

fn hash(value: &str, out: &mut String) {
    out.push(HASHED);
    for byte in digest(&SHA256, value.as_bytes()).as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// Encodes every byte outside `[A-Za-z0-9-]`.
pub(crate) fn encode(text: &str, out: &mut String) {
    out.extend(utf8_percent_encode(text, SPECIAL));
}

/// Decodes a part; none if [`encode`] would not have written it, because otherwise two keys would be one.
pub(crate) fn decode(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?.into_owned();
    let mut again = String::with_capacity(text.len());
    encode(&decoded, &mut again);
    (again == text).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_that_means_something_is_left() {
        let mut out = String::new();
        encode("a.b/c>_*%-ä", &mut out);
        assert_eq!(out, "a%2Eb%2Fc%3E%5F%2A%25-%C3%A4");
    }

    #[test]
    fn text_that_is_not_canonically_encoded_is_refused() {
        for wrong in ["a.b", "a/b", "_", "%", "%2", "%2e", "%FF", "a%zz", "%61cme"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    fn as_part(value: &str) -> String {
        let mut out = String::new();
        part(value, &mut out);
        out
    }

    #[test]
    fn a_long_value_is_hashed_and_travels_in_a_header() {
        let (fits, long) = ("a".repeat(200), "a".repeat(201));
        assert_eq!(as_part(&fits), fits);
        assert_eq!(value(&fits, None), Some(fits));
        let hashed = as_part(&long);
        assert_eq!((hashed.len(), hashed.starts_with('~')), (65, true));
        assert_eq!(value(&hashed, Some(&long)), Some(long.clone()));
        // 67 letters of three bytes each are 603 bytes encoded.
        assert!(as_part(&"\u{20ac}".repeat(67)).starts_with('~'));
        // A header counts only if its value is what was hashed.
        let other = "b".repeat(201);
        for lie in [None, Some("acme"), Some(other.as_str())] {
            assert_eq!(value(&hashed, lie), None);
        }
        assert_eq!(value(&long, None), None, "nobody writes it out");
        assert_eq!(value("acme", Some("globex")), Some("acme".to_owned()), "the subject counts");
    }

    proptest! {
        #[test]
        fn every_value_comes_back_from_its_part(text in ".{0,300}") {
            let part = as_part(&text);
            prop_assert!(part.len() <= LONGEST);
            prop_assert_eq!(value(&part, Some(&text)), Some(text));
        }

        #[test]
        fn all_text_comes_back(text in any::<String>()) {
            let mut out = String::new();
            encode(&text, &mut out);
            prop_assert_eq!(decode(&out), Some(text));
        }
    }
}
