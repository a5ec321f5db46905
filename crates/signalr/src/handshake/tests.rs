use super::*;

fn refusal(text: &str) -> String {
    let framed = format!("{text}\u{1e}");
    Request::parse(framed.as_bytes(), 1024).expect_err(text).to_string()
}

#[test]
fn the_rest_of_the_buffer_is_kept() {
    let buffer = b"{\"protocol\":\"json\",\"version\":1}\x1e{\"type\":6}\x1e";
    let (request, consumed) = Request::parse(buffer, 1024).unwrap().unwrap();
    assert_eq!(request, Request { protocol: Protocol::Json, version: 1 });
    assert_eq!(&buffer[consumed..], b"{\"type\":6}\x1e");
}

#[test]
fn every_version_in_use_is_accepted() {
    for protocol in Protocol::ALL {
        for version in 0..=2 {
            let request = Request { protocol, version };
            let bytes = request.to_bytes();
            assert_eq!(Request::parse(&bytes, 1024), Ok(Some((request, bytes.len()))));
            for cut in 0..bytes.len() {
                assert_eq!(Request::parse(&bytes[..cut], 1024), Ok(None));
            }
        }
    }
}

#[test]
fn refusals_have_a_reason() {
    assert_eq!(refusal(r#"{"protocol":"x","version":1}"#), "The protocol 'x' is not supported.");
    for version in ["9", "3", "-1"] {
        assert_eq!(
            refusal(&format!(r#"{{"version":{version},"protocol":"json"}}"#)),
            format!("The server does not support version {version} of the 'json' protocol.")
        );
    }
    assert_eq!(refusal(r#"{"version":1}"#), "Missing required property 'protocol'.");
    assert_eq!(refusal(r#"{"protocol":"json"}"#), "Missing required property 'version'.");
    assert_eq!(refusal(r#"{"protocol":1,"version":1}"#), "Expected 'protocol' to be of type String.");
    assert_eq!(refusal(r#"{"protocol":"json","version":"1"}"#), "Expected 'version' to be of type Number.");
    assert_eq!(refusal("[]"), "Unexpected JSON Token Type 'Array'. Expected a JSON Object.");
    assert_eq!(Request::parse(&[b' '; 100], 64), Err(HandshakeError::Malformed(ProtocolError::TooLong { limit: 64 })));
}

#[test]
fn bytes_need_a_transport_for_bytes() {
    let request = Request { protocol: Protocol::MessagePack, version: 1 };
    assert_eq!(request.require_transfer_format(true), Ok(()));
    let refused = request.require_transfer_format(false).unwrap_err();
    assert_eq!(
        refused.answer(),
        b"{\"error\":\"Cannot use the 'messagepack' protocol on the current transport. \
          The transport does not support 'Binary' transfer format.\"}\x1e"
    );
    assert_eq!(Request { protocol: Protocol::Json, version: 1 }.require_transfer_format(false), Ok(()));
}

#[test]
fn an_answer_is_escaped() {
    let answer = HandshakeError::UnknownProtocol("a\"\u{1e}".into()).answer();
    assert_eq!(answer, b"{\"error\":\"The protocol 'a\\\"\\u001e' is not supported.\"}\x1e");
}
