//! Attributes as headers: the binary content mode of CloudEvents over HTTP, NATS and Kafka.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::{Attributes, AttributesError, is_subject, is_text, is_traceparent};
use crate::{Id, Timestamp, TypeName};

pub(super) const EXPECTED_ID: &str =
    "text of 1 to 256 bytes as a header has it, percent-encoded and without control characters, unique in the source";
pub(super) const EXPECTED_SOURCE: &str =
    "text of 1 to 256 bytes as a header has it, percent-encoded and without control characters, as /services/license";
pub(super) const EXPECTED_SUBJECT: &str = "1 to 256 characters";
const EXPECTED_TYPE: &str = "a type name such as license.FlagToggled";
const EXPECTED_TIME: &str = "an RFC 3339 time such as 2026-01-02T03:04:05.678Z";
const EXPECTED_ORG: &str = "an id: printable text of 1 to 256 characters, percent-encoded";
const EXPECTED_VERSION: &str = "a positive whole number";
const EXPECTED_SPECVERSION: &str = "1.0";

/// The headers that are read, by name without their prefix.
const NAMES: [(&str, &str); 8] = [
    ("specversion", "ce-specversion"),
    ("id", "ce-id"),
    ("source", "ce-source"),
    ("type", "ce-type"),
    ("time", "ce-time"),
    ("subject", "ce-subject"),
    ("org", "ce-org"),
    ("dataversion", "ce-dataversion"),
];

impl Attributes {
    /// The attributes as headers, with the names that HTTP and NATS use (`ce-id` and so on).
    pub fn to_headers(&self) -> Vec<(String, String)> {
        let mut headers = Vec::with_capacity(9);
        let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
        add("ce-specversion", EXPECTED_SPECVERSION.to_owned());
        add("ce-id", percent_encoded(&self.id));
        add("ce-source", percent_encoded(&self.source));
        add("ce-type", self.event_type.to_string());
        add("ce-time", self.time.to_rfc3339());
        if let Some(subject) = &self.subject {
            add("ce-subject", percent_encoded(subject));
        }
        if let Some(org) = &self.org {
            add("ce-org", percent_encoded(org.as_str()));
        }
        if let Some(version) = self.data_version {
            add("ce-dataversion", version.to_string());
        }
        if let Some(traceparent) = &self.traceparent {
            add("traceparent", traceparent.clone());
        }
        headers
    }

    /// Reads the attributes from headers; names match in any case, and with Kafka's prefix (`ce_`) too.
    ///
    /// Their text is percent-encoded. Other headers are ignored. A missing `ce-specversion` counts as 1.0, and a
    /// malformed or repeated `traceparent` counts as none, as its specification requires.
    pub fn from_headers<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, AttributesError> {
        Self::read(headers, percent_decoded)
    }

    /// Reads the attributes from pairs whose values are plain text, like those of the JSON format.
    pub fn from_plain<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, AttributesError> {
        Self::read(pairs, str::to_owned)
    }

    fn read<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
        decoded: fn(&str) -> String,
    ) -> Result<Self, AttributesError> {
        let mut found = Found::default();
        for (name, value) in pairs {
            found.add(name, value)?;
        }
        found.finish(decoded)
    }
}

/// The headers found so far, in the order of [`NAMES`].
#[derive(Default)]
struct Found<'a> {
    values: [Option<&'a str>; NAMES.len()],
    traceparent: Trace<'a>,
    extension: Trace<'a>,
}

#[derive(Default)]
enum Trace<'a> {
    #[default]
    None,
    One(&'a str),
    Unusable,
}

impl<'a> Trace<'a> {
    fn add(&mut self, value: &'a str) {
        *self = match self {
            Self::None if is_traceparent(value) => Self::One(value),
            _ => Self::Unusable,
        };
    }

    fn get(&self) -> Option<&'a str> {
        match self {
            Self::One(value) => Some(value),
            _ => None,
        }
    }
}

impl<'a> Found<'a> {
    fn add(&mut self, name: &str, value: &'a str) -> Result<(), AttributesError> {
        if name.eq_ignore_ascii_case("traceparent") {
            self.traceparent.add(value);
            return Ok(());
        }
        let Some(bare) = without_prefix(name) else { return Ok(()) };
        // The distributed tracing extension: the producer's trace, if the transport has no other.
        if bare.eq_ignore_ascii_case("traceparent") {
            self.extension.add(value);
            return Ok(());
        }
        let Some(index) = NAMES.iter().position(|(known, _)| bare.eq_ignore_ascii_case(known)) else {
            return Ok(());
        };
        match self.values[index].replace(value) {
            None => Ok(()),
            Some(_) => Err(AttributesError::Repeated { attribute: NAMES[index].1 }),
        }
    }

    fn finish(self, decoded: fn(&str) -> String) -> Result<Attributes, AttributesError> {
        let traceparent = self.traceparent.get().or(self.extension.get()).map(str::to_owned);
        let [specversion, id, source, event_type, time, subject, org, version] = self.values;
        if specversion.is_some_and(|version| version != EXPECTED_SPECVERSION) {
            return Err(AttributesError::Invalid { attribute: "ce-specversion", expected: EXPECTED_SPECVERSION });
        }
        let text = |value: &str| Some(decoded(value)).filter(|text| is_text(text));
        Ok(Attributes {
            id: required("ce-id", EXPECTED_ID, id, text)?,
            source: required("ce-source", EXPECTED_SOURCE, source, text)?,
            event_type: required("ce-type", EXPECTED_TYPE, event_type, |value| TypeName::parse(value).ok())?,
            time: required("ce-time", EXPECTED_TIME, time, |value| Timestamp::parse_rfc3339(value).ok())?,
            subject: optional("ce-subject", EXPECTED_SUBJECT, subject, |value| {
                Some(decoded(value)).filter(|subject| is_subject(subject))
            })?,
            org: optional("ce-org", EXPECTED_ORG, org, |value| Id::parse(&decoded(value)).ok())?,
            data_version: optional("ce-dataversion", EXPECTED_VERSION, version, |value| {
                value.parse().ok().filter(|version| *version > 0)
            })?,
            traceparent,
        })
    }
}

fn without_prefix(name: &str) -> Option<&str> {
    let (prefix, bare) = name.split_at_checked(3)?;
    (prefix.eq_ignore_ascii_case("ce-") || prefix.eq_ignore_ascii_case("ce_")).then_some(bare)
}

fn required<T>(
    attribute: &'static str,
    expected: &'static str,
    value: Option<&str>,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, AttributesError> {
    optional(attribute, expected, value, read)?.ok_or(AttributesError::Missing { attribute, expected })
}

fn optional<T>(
    attribute: &'static str,
    expected: &'static str,
    value: Option<&str>,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, AttributesError> {
    match value.map(read) {
        None => Ok(None),
        Some(None) => Err(AttributesError::Invalid { attribute, expected }),
        Some(read) => Ok(read),
    }
}

/// Encodes as the HTTP binding of CloudEvents requires: everything but visible ASCII, and of that `"` and `%`.
pub(super) fn percent_encoded(text: &str) -> String {
    const HIDDEN: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%');
    utf8_percent_encode(text, HIDDEN).to_string()
}

/// Reverses [`percent_encoded`]; text that is not encoded in this way is returned unchanged.
fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Cow::into_owned)
}
