//! Text in quotes, with its escapes.

use std::borrow::Cow;

use crate::ProtocolError;

/// Parses the text whose opening quote ends before `start`, and returns the position after its closing quote.
///
/// Text without escapes is borrowed.
pub(super) fn read_text(json: &str, start: usize) -> Result<(Cow<'_, str>, usize), ProtocolError> {
    let mut owned = String::new();
    let mut at = start;
    loop {
        let run = at;
        at += plain_length(&json.as_bytes()[at..]);
        // Runs end before an ASCII byte, so both ends are character boundaries.
        let plain = &json[run..at];
        match json.as_bytes().get(at) {
            Some(b'"') if run == start => return Ok((Cow::Borrowed(plain), at + 1)),
            Some(b'"') => {
                owned.push_str(plain);
                return Ok((Cow::Owned(owned), at + 1));
            }
            Some(b'\\') => {
                owned.push_str(plain);
                at = read_escape(json, at + 1, &mut owned)?;
            }
            Some(_) => return Err(fault("control character in text", at)),
            None => return Err(fault("text without end", start)),
        }
    }
}

/// The number of bytes without escapes.
fn plain_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20).unwrap_or(bytes.len())
}

fn read_escape(json: &str, at: usize, owned: &mut String) -> Result<usize, ProtocolError> {
    let plain = match json.as_bytes().get(at) {
        Some(b'u') => return read_unicode(json, at + 1, owned),
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        _ => return Err(fault("unknown escape", at)),
    };
    owned.push(plain);
    Ok(at + 1)
}

/// Parses the digits of `\u`, and those of a second one if the two are a surrogate pair.
///
/// Half a pair becomes U+FFFD: browsers send it when an application cuts text apart, and that is no reason to end the
/// connection.
fn read_unicode(json: &str, at: usize, owned: &mut String) -> Result<usize, ProtocolError> {
    let first = read_hex(json, at)?;
    let next = at + 4;
    if (0xd800..0xdc00).contains(&first) && json[next..].starts_with("\\u") {
        let second = read_hex(json, next + 2)?;
        if (0xdc00..0xe000).contains(&second) {
            let scalar = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            owned.push(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
            return Ok(next + 6);
        }
    }
    owned.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
    Ok(next)
}

fn read_hex(json: &str, at: usize) -> Result<u32, ProtocolError> {
    let digits = json.as_bytes().get(at..at + 4).ok_or_else(|| fault("expected four hex digits", at))?;
    digits.iter().try_fold(0, |sum, &digit| {
        let value = char::from(digit).to_digit(16).ok_or_else(|| fault("expected four hex digits", at))?;
        Ok(sum << 4 | value)
    })
}

fn fault(reason: &'static str, at: usize) -> ProtocolError {
    ProtocolError::Json { reason, at }
}
