//! Events for tests.

use fanfare_event::{Attributes, Encoded, Id, Timestamp, TypeName};

/// An event of an org (or of none), with this number as its id and body.
pub(crate) fn encoded(org: Option<&str>, number: u32) -> Encoded {
    Encoded {
        attributes: Attributes {
            id: number.to_string(),
            source: "/services/test".into(),
            event_type: TypeName::parse("license.FlagToggled").unwrap(),
            time: Timestamp(1_767_323_045_678),
            subject: None,
            org: org.map(|org| Id::parse(org).unwrap()),
            data_version: None,
            traceparent: None,
        },
        body: number.to_be_bytes().to_vec(),
        key: org.map(|_| "dark-mode".into()),
    }
}
