//! Parts of names and keys: every character that could mean something else is percent-encoded.

use std::fmt::Write;

/// The part that stands for "no org".
pub(super) const NO_ORG: &str = "_";

/// Encodes every byte outside `[A-Za-z0-9-]`.
pub(super) fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// Gives back what was encoded; nothing if [`encode`] would not have written it so, as else two keys would be one.
pub(super) fn decode(text: &str) -> Option<String> {
    let decoded = decoded(text)?;
    let mut again = String::with_capacity(text.len());
    encode(&decoded, &mut again);
    (again == text).then_some(decoded)
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                bytes.push(high * 16 + low);
            }
            b if b.is_ascii_alphanumeric() || b == b'-' => bytes.push(b),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
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
    fn what_was_not_encoded_is_refused() {
        for wrong in ["a.b", "a/b", "_", "%", "%2", "%2e", "%FF", "a%zz", "%61cme"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn all_text_comes_back(text in any::<String>()) {
            let mut out = String::new();
            encode(&text, &mut out);
            prop_assert_eq!(decode(&out), Some(text));
        }
    }
}
