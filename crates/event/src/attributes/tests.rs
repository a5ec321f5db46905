use proptest::prelude::*;

use super::*;

fn attributes() -> Attributes {
    Attributes {
        id: "0190-1".to_owned(),
        source: "/services/license".to_owned(),
        event_type: TypeName::parse("license.FlagToggled").unwrap(),
        time: Timestamp(1_767_323_045_678),
        subject: Some("acme flags, 100% \"new\" ✓".to_owned()),
        org: Some(Id::parse("acme").unwrap()),
        data_version: Some(2),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    }
}

fn read(headers: &[(&str, &str)]) -> Result<Attributes, AttributesError> {
    Attributes::from_headers(headers.iter().copied())
}

const MINIMUM: [(&str, &str); 4] =
    [("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "a.B"), ("ce-time", "2026-01-02T03:04:05Z")];

fn with<'a>(extra: &[(&'a str, &'a str)]) -> Result<Attributes, AttributesError> {
    let replaced = |name: &str| extra.iter().any(|(other, _)| *other == name);
    let mut headers: Vec<_> = MINIMUM.into_iter().filter(|(name, _)| !replaced(name)).collect();
    headers.extend(extra);
    read(&headers)
}

#[test]
fn headers_hold_every_attribute() {
    let headers = attributes().to_headers();
    let header = |name: &str| headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    assert_eq!(header("ce-specversion"), Some("1.0"));
    assert_eq!(header("ce-id"), Some("0190-1"));
    assert_eq!(header("ce-source"), Some("/services/license"));
    assert_eq!(header("ce-type"), Some("license.FlagToggled"));
    assert_eq!(header("ce-time"), Some("2026-01-02T03:04:05.678Z"));
    assert_eq!(header("ce-subject"), Some("acme%20flags,%20100%25%20%22new%22%20%E2%9C%93"));
    assert_eq!(header("ce-org"), Some("acme"));
    assert_eq!(header("ce-dataversion"), Some("2"));
    assert!(header("traceparent").is_some());
    assert!(headers.iter().all(|(_, value)| value.bytes().all(|byte| byte.is_ascii_graphic())));
}

#[test]
fn names_match_in_any_case_and_with_the_prefix_of_kafka() {
    for rename in [str::to_owned as fn(&str) -> String, |name| name.to_uppercase(), |name| name.replace("ce-", "ce_")] {
        let headers = attributes().to_headers();
        let renamed: Vec<_> = headers.iter().map(|(name, value)| (rename(name), value.as_str())).collect();
        let read = Attributes::from_headers(renamed.iter().map(|(name, value)| (name.as_str(), *value)));
        assert_eq!(read, Ok(attributes()));
    }
}

#[test]
fn only_four_attributes_are_required() {
    let least = read(&MINIMUM).unwrap();
    assert_eq!((least.org, least.subject, least.data_version, least.traceparent), (None, None, None, None));
    for (index, (name, _)) in MINIMUM.iter().enumerate() {
        let mut headers = MINIMUM.to_vec();
        headers.remove(index);
        match read(&headers) {
            Err(AttributesError::Missing { attribute, .. }) => assert_eq!(attribute, *name),
            other => panic!("without {name}: {other:?}"),
        }
    }
}

#[test]
fn bad_values_are_named() {
    let long = "x".repeat(257);
    for (name, value) in [
        ("ce-id", ""),
        ("ce-id", "a\nb"),
        ("ce-id", "a%0Ab"),
        ("ce-source", "%7F"),
        ("ce-id", &long),
        ("ce-source", ""),
        ("ce-source", &long),
        ("ce-type", "license"),
        ("ce-time", "yesterday"),
        ("ce-org", ""),
        ("ce-org", "a%0Ab"),
        ("ce-subject", ""),
        ("ce-subject", "%0A"),
        ("ce-subject", &long),
        ("ce-dataversion", "0"),
        ("ce-dataversion", "-1"),
        ("ce-dataversion", "newest"),
        ("ce-specversion", "0.3"),
    ] {
        match with(&[(name, value)]) {
            Err(AttributesError::Invalid { attribute, .. }) => assert_eq!(attribute, name, "{value:?}"),
            other => panic!("{name}: {value:?} gave {other:?}"),
        }
    }
}

#[test]
fn id_and_source_are_decoded_as_the_subject_is() {
    let read = with(&[("ce-id", "order%2017%25"), ("ce-source", "/j%C3%BCrgen \u{e9}")]).unwrap();
    assert_eq!((read.id.as_str(), read.source.as_str()), ("order 17%", "/jürgen é"));
    let headers = read.to_headers();
    assert!(headers.contains(&("ce-id".to_owned(), "order%2017%25".to_owned())), "{headers:?}");
    assert!(read.dedup_id().bytes().all(|byte| byte.is_ascii_graphic()));
    // Invalid encoding is plain text.
    assert_eq!(with(&[("ce-id", "100%")]).unwrap().id, "100%");
    assert_eq!(with(&[("ce-id", "%FF")]).unwrap().id, "%FF");
    let longest = "é".repeat(42);
    assert!(with(&[("ce-id", &longest)]).is_ok());
    assert!(with(&[("ce-id", &"é".repeat(43))]).is_err(), "6 bytes each in a header");
}

#[test]
fn the_longest_key_for_duplicates_is_bounded() {
    let longest = "~".repeat(256);
    let key = with(&[("ce-id", &longest), ("ce-source", &longest)]).unwrap().dedup_id();
    assert_eq!(key.len(), 517);
}

#[test]
fn a_repeated_attribute_is_ambiguous() {
    let repeated = with(&[("ce-org", "acme"), ("CE-Org", "globex")]);
    assert_eq!(repeated, Err(AttributesError::Repeated { attribute: "ce-org" }));
}

#[test]
fn a_useless_trace_is_no_trace() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let other = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b8-01";
    let trace = |extra: &[(&str, &str)]| with(extra).unwrap().traceparent;
    assert_eq!(trace(&[("traceparent", good)]).as_deref(), Some(good));
    assert_eq!(trace(&[("ce-traceparent", good)]).as_deref(), Some(good));
    assert_eq!(trace(&[("ce-traceparent", other), ("traceparent", good)]).as_deref(), Some(good));
    assert_eq!(trace(&[("traceparent", "00-xyz")]), None);
    assert_eq!(trace(&[("traceparent", good), ("traceparent", other)]), None);
}

#[test]
fn headers_of_others_are_passed_over() {
    let read = with(&[("content-type", "application/avro"), ("ce-colour", "blue"), ("ce-", "x"), ("é", "x")]);
    assert!(read.is_ok(), "{read:?}");
}

#[test]
fn equal_dedup_ids_mean_equal_source_and_id() {
    let id =
        |source: &str, id: &str| Attributes { source: source.to_owned(), id: id.to_owned(), ..attributes() }.dedup_id();
    assert_eq!(id("/a", "1"), "2:/a:1");
    assert_ne!(id("/a:b", "1"), id("/a", "b:1"));
    assert_ne!(id("/a", "1"), id("/b", "1"));
}

#[test]
fn validate_checks_what_the_types_do_not() {
    assert_eq!(attributes().validate(), Ok(()));
    let bad = [
        (Attributes { id: String::new(), ..attributes() }, "ce-id"),
        (Attributes { source: "a\nb".to_owned(), ..attributes() }, "ce-source"),
        (Attributes { subject: Some(String::new()), ..attributes() }, "ce-subject"),
    ];
    for (attributes, at_fault) in bad {
        assert_eq!(attributes.validate().unwrap_err().attribute(), at_fault);
    }
}

proptest! {
    #[test]
    fn valid_attributes_round_trip(id in "\\PC{1,30}", source in "[!-~]{1,80}", subject in "\\PC{1,64}",
        org in proptest::option::of("[A-Za-z0-9@-][A-Za-z0-9._@-]{0,20}"), version in proptest::option::of(1..=u32::MAX))
    {
        let written = Attributes {
            id, source, subject: Some(subject), org: org.map(|org| Id::parse(&org).unwrap()), data_version: version,
            ..attributes()
        };
        prop_assume!(written.validate().is_ok());
        let headers = written.to_headers();
        let read = Attributes::from_headers(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        prop_assert_eq!(read, Ok(written));
    }

    #[test]
    fn any_header_is_read_or_refused(name in "\\PC{0,20}", value in "\\PC{0,300}") {
        let _ = with(&[(&name, &value)]);
    }
}

#[test]
fn plain_text_is_taken_as_it_is() {
    let pairs = [
        ("ce-id", "100%25"),
        ("ce-source", "/shop%20"),
        ("ce-type", "shop.Sold"),
        ("ce-time", "2026-01-02T03:04:05.678Z"),
        ("ce-subject", "50%2E"),
        ("ce-org", "a%2Eb"),
    ];
    let plain = Attributes::from_plain(pairs).unwrap();
    assert_eq!((&*plain.id, &*plain.source, plain.subject.as_deref()), ("100%25", "/shop%20", Some("50%2E")));
    assert_eq!(plain.org.unwrap().as_str(), "a%2Eb");
    let decoded = Attributes::from_headers(pairs).unwrap();
    assert_eq!((&*decoded.id, decoded.org.unwrap().as_str()), ("100%", "a.b"));
}
