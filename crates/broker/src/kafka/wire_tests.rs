use rdkafka::message::{BorrowedHeaders, OwnedHeaders};

use super::*;

fn event() -> Message {
    Message {
        stream: Stream::Events,
        org: Some("acme".into()),
        topic: "license.LicenseUpdated".into(),
        key: None,
        id: "license/1".into(),
        headers: vec![("ce-type".into(), "license.LicenseUpdated".into()), ("ce-org".into(), "acme".into())],
        body: Bytes::from_static(b"body"),
    }
}

fn there_and_back(sent: &Message) -> Message {
    let key = record_key(sent);
    let headers = record_headers(sent);
    let body = (!sent.is_tombstone()).then_some(&sent.body[..]);
    let raw = Raw {
        stream: sent.stream,
        service: service(&sent.topic),
        key: Some(key.as_bytes()),
        headers: Some(&headers),
        body,
    };
    message(&raw, || panic!("the id travels along"))
}

fn foreign(stream: Stream, key: Option<&str>, headers: &[(&str, &str)]) -> Message {
    let headers = headers.iter().fold(OwnedHeaders::new(), |all, (name, value)| put(all, name, value));
    let raw =
        Raw { stream, service: "license", key: key.map(str::as_bytes), headers: Some(&headers), body: Some(b"x") };
    message(&raw, || "events.license/3/7".into())
}

#[test]
fn messages_come_back_as_they_were() {
    let ce = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let orgless = Message { org: None, headers: vec![], topic: "system.Alert".into(), ..event() };
    let alerted = Message { key: Some("alice".into()), ..orgless.clone() };
    let other_type = Message { headers: vec![ce("ce-type", "a.B"), ce("ce-org", "acme")], ..event() };
    let long = "ü".repeat(150);
    let long_org = Message { org: Some(long.clone()), headers: vec![ce("ce-org", &long)], ..event() };
    let long_user = Message { key: Some(long.clone()), ..orgless.clone() };
    let state = Message { stream: Stream::State, key: Some("a/b_%".into()), ..event() };
    let tombstone = Message { body: Bytes::new(), ..state.clone() };
    let nobodys = Message { org: None, key: Some("_".into()), ..state.clone() };
    let underscore = Message { org: Some("_".into()), ..state.clone() };
    let long_state = Message { org: Some(long.clone()), key: Some(format!("{long}/b")), ..state.clone() };
    for sent in
        [event(), long_org, long_user, long_state, orgless, alerted, other_type, state, tombstone, nobodys, underscore]
    {
        assert_eq!(there_and_back(&sent), sent);
    }
}

#[test]
fn keys_are_those_that_the_documentation_names() {
    assert_eq!(record_key(&event()), "acme");
    let alert = Message { org: None, key: None, topic: "system.Alert".into(), ..event() };
    assert_eq!(record_key(&alert), "system.Alert");
    assert_eq!(record_key(&Message { key: Some("alice".into()), ..alert.clone() }), "alice");
    let state = Message { stream: Stream::State, key: Some("dark.mode".into()), ..event() };
    assert_eq!(record_key(&state), "acme/LicenseUpdated/dark%2Emode");
    assert_eq!(record_key(&Message { org: None, ..state.clone() }), "_/LicenseUpdated/dark%2Emode");
    assert_eq!(record_key(&Message { org: Some("_".into()), ..state }), "%5F/LicenseUpdated/dark%2Emode");
}

#[test]
fn attributes_have_an_underscore_on_the_wire() {
    let headers = record_headers(&event());
    let names: Vec<&str> = headers.iter().map(|header| header.key).collect();
    assert_eq!(names, [MESSAGE_ID, "ce_type", "ce_org"]);
}

#[test]
fn a_foreign_event_is_read_by_its_key_and_headers() {
    let m = foreign(Stream::Events, Some("acme"), &[("ce_type", "license.A"), ("ce_org", "acme")]);
    assert_eq!((m.org.as_deref(), m.key, m.topic.as_str()), (Some("acme"), None, "license.A"));
    assert_eq!(m.id, "events.license/3/7");
    // Its key may be anything if a header names the org.
    let m = foreign(Stream::Events, Some("order-17"), &[("ce_type", "license.A"), ("ce_org", "acme")]);
    assert_eq!((m.org.as_deref(), m.key), (Some("acme"), None));
    let m = foreign(Stream::Events, None, &[("ce_type", "license.A"), ("ce_org", "acme")]);
    assert_eq!((m.org.as_deref(), m.key), (Some("acme"), None));
    // Without the header, the body names the org or nothing does.
    let m = foreign(Stream::Events, Some("acme"), &[("ce_type", "license.A")]);
    assert_eq!((m.org, m.key.as_deref()), (None, Some("acme")));
    let m = foreign(Stream::Events, Some("license.A"), &[("ce_type", "license.A")]);
    assert_eq!((m.org, m.key.as_deref()), (None, Some("license.A")));
    let m = foreign(Stream::Events, None, &[]);
    assert_eq!((m.org, m.key.as_deref(), m.topic.as_str()), (None, Some("license.?"), "license.?"));
}

#[test]
fn records_written_by_fanfare_have_their_org_as_key() {
    let headers = [("fanfare_message_id", "1"), ("ce_type", "license.A"), ("ce_org", "acme")];
    let m = foreign(Stream::Events, Some("globex"), &headers);
    assert_eq!((m.org.as_deref(), m.key), (Some("globex"), None), "so that it is seen to differ from the header");
}

/// Attributes are percent-encoded in headers; keys are plain text.
#[test]
fn an_org_of_any_alphabet_is_the_same_in_header_and_key() {
    let long = "\u{fc}".repeat(256);
    for org in ["j\u{fc}rgens org", "100%", "a b", &long] {
        let encoded: String = org.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let ours = Message { org: Some(org.to_owned()), headers: vec![("ce-org".into(), encoded.clone())], ..event() };
        let headers = record_headers(&ours);
        let key = record_key(&ours);
        let raw = Raw {
            stream: Stream::Events,
            service: "license",
            key: Some(key.as_bytes()),
            headers: Some(&headers),
            body: None,
        };
        let read = message(&raw, || "none".to_owned());
        assert_eq!((read.org.as_deref(), read.key.as_deref()), (Some(org), None), "{key}");
        for written in [encoded.as_str(), if org == "100%" { "100%25" } else { org }] {
            let m = foreign(Stream::Events, None, &[("ce_type", "license.A"), ("ce_org", written)]);
            assert_eq!((m.org.as_deref(), m.key), (Some(org), None), "{written}");
        }
    }
}

#[test]
fn a_type_of_another_service_is_not_the_topics() {
    for name in ["ce_type", "fanfare_type"] {
        let m = foreign(Stream::Events, Some("acme"), &[(name, "auth.UserLoggedOut")]);
        assert_eq!(m.topic, "license.?");
    }
}

#[test]
fn a_header_without_a_value_is_none() {
    let headers = OwnedHeaders::new().insert(Header { key: "ce_org", value: None::<&str> });
    let headers = put(headers, "ce_type", "license.A");
    let raw = Raw { stream: Stream::Events, service: "license", key: None, headers: Some(&headers), body: Some(b"x") };
    let m = message(&raw, || "id".into());
    assert_eq!((m.org, m.headers.len()), (None, 1));
}

#[test]
fn a_foreign_state_record_with_a_strange_key_keeps_it() {
    for key in ["acme", "acme/A", "acme/A/b/c", "ac.me/A/b", "/%/x"] {
        let m = foreign(Stream::State, Some(key), &[]);
        assert_eq!((m.org, m.key.as_deref(), m.topic.as_str()), (None, Some(key), "license.?"));
    }
}

#[test]
fn a_record_without_headers_is_read_too() {
    let raw: Raw<'_, BorrowedHeaders> =
        Raw { stream: Stream::Events, service: "auth", key: Some(&[0xFF]), headers: None, body: None };
    let m = message(&raw, || "x".into());
    assert_eq!((m.key.as_deref(), m.body.len()), (Some("\u{FFFD}"), 0));
}
