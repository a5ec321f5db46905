use super::*;

#[test]
fn text_may_be_as_long_as_the_limit() {
    assert_eq!(split_text(b"abc\x1erest", 3), Ok(Some(Frame { body: b"abc", consumed: 4 })));
    assert_eq!(split_text(b"abc\x1e", 2), Err(ProtocolError::TooLong { limit: 2 }));
    assert_eq!(split_text(b"abc", 3), Ok(None));
    assert_eq!(split_text(b"abcd", 3), Err(ProtocolError::TooLong { limit: 3 }));
    assert_eq!(split_text(b"\x1e", 0), Ok(Some(Frame { body: b"", consumed: 1 })));
    assert_eq!(split_text(b"", 0), Ok(None));
    assert_eq!(split_text(b"a\x1e", usize::MAX), Ok(Some(Frame { body: b"a", consumed: 2 })));
}

#[test]
fn binary_may_be_as_long_as_the_limit() {
    assert_eq!(split_binary(b"\x03abcrest", 3), Ok(Some(Frame { body: b"abc", consumed: 4 })));
    assert_eq!(split_binary(b"\x03ab", 3), Ok(None));
    assert_eq!(split_binary(b"", 3), Ok(None));
    assert_eq!(split_binary(b"\x80", 3), Ok(None));
    // Refused from the length alone.
    assert_eq!(split_binary(b"\x04", 3), Err(ProtocolError::TooLong { limit: 3 }));
    // A longer form than needed is still a number.
    assert_eq!(split_binary(b"\x83\x00abc", 3), Ok(Some(Frame { body: b"abc", consumed: 5 })));
}

#[test]
fn a_length_grows_with_its_message() {
    for length in [0, 1, 127, 128, 16_383, 16_384, 2_097_152] {
        let mut out = b"before".to_vec();
        prefix_length(&mut out, |out| out.resize(out.len() + length, 7));
        let frame = split_binary(&out[6..], length).unwrap().unwrap();
        assert_eq!(frame.body.len(), length);
        assert!(frame.body.iter().all(|byte| *byte == 7));
        assert_eq!(frame.consumed, out.len() - 6);
        assert!(out.starts_with(b"before"));
    }
}

#[test]
fn lengths_of_the_vectors_are_read_and_written() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap();
    let bytes = |case: &serde_json::Value| {
        let hex = case["bytes_hex"].as_str().unwrap().as_bytes();
        hex.chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect::<Vec<u8>>()
    };
    let valid = vectors["varint"].as_array().unwrap();
    assert_eq!(valid.len(), 13);
    for case in valid {
        let length = usize::try_from(case["value"].as_u64().unwrap()).unwrap();
        let prefix = bytes(case);
        assert_eq!(read_length(&prefix), Ok(Some((length, prefix.len()))));
        assert_eq!(read_length(&prefix[..prefix.len() - 1]), Ok(None));
        let (written, size) = length_prefix(length);
        assert_eq!(written[..size], prefix);
    }
    let invalid = vectors["varint_invalid"].as_array().unwrap();
    assert_eq!(invalid.len(), 2);
    for case in invalid {
        assert_eq!(split_binary(&bytes(case), usize::MAX), Err(ProtocolError::LengthPrefix));
    }
    for case in vectors["partial"].as_array().unwrap() {
        assert_eq!(split_binary(&bytes(case), usize::MAX), Ok(None));
    }
}
