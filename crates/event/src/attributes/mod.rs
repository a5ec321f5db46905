//! The CloudEvents attributes of an event.

mod headers;
#[cfg(test)]
mod tests;

use thiserror::Error;

use crate::{Id, Timestamp, TypeName};

const MAX_LENGTH: usize = 256;

/// The CloudEvents attributes of an event: who published what, when, and for which organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    /// The id, unique within the source: text without control characters, at most 256 bytes percent-encoded.
    pub id: String,
    /// The publisher, such as `/services/license`: text like the id.
    pub source: String,
    /// The type of the event.
    pub event_type: TypeName,
    /// When it happened.
    pub time: Timestamp,
    /// Its subject, within the source: at most 256 characters.
    pub subject: Option<String>,
    /// The organisation it belongs to; none for the platform as a whole.
    pub org: Option<Id>,
    /// The version of the schema that wrote the body.
    pub data_version: Option<u32>,
    /// The W3C trace it is part of.
    pub traceparent: Option<String>,
}

/// A fault in the attributes of an event; the producer must fix it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AttributesError {
    /// A required attribute is missing.
    #[error("{attribute} is missing: expected {expected}")]
    Missing {
        /// The header, such as `ce-id`.
        attribute: &'static str,
        /// The expected value.
        expected: &'static str,
    },
    /// An attribute is given more than once.
    #[error("{attribute} is given more than once")]
    Repeated {
        /// The header, such as `ce-id`.
        attribute: &'static str,
    },
    /// An attribute has a bad value.
    #[error("{attribute}: expected {expected}")]
    Invalid {
        /// The header, such as `ce-id`.
        attribute: &'static str,
        /// The expected value.
        expected: &'static str,
    },
}

impl AttributesError {
    /// The faulty attribute, by its header name such as `ce-id`.
    pub fn attribute(&self) -> &'static str {
        match self {
            Self::Missing { attribute, .. } | Self::Repeated { attribute } | Self::Invalid { attribute, .. } => {
                attribute
            }
        }
    }

    /// The value that the attribute should have.
    pub fn expected(&self) -> &'static str {
        match self {
            Self::Missing { expected, .. } | Self::Invalid { expected, .. } => expected,
            Self::Repeated { .. } => "one value",
        }
    }
}

impl Attributes {
    /// The key for de-duplication: source and id, joined so that no two pairs have the same key.
    ///
    /// It is visible ASCII and at most 517 bytes, so that it passes as the id of a message on every broker.
    pub fn dedup_id(&self) -> String {
        let (source, id) = (headers::percent_encoded(&self.source), headers::percent_encoded(&self.id));
        // The length in front makes it unambiguous: both parts may contain any visible character.
        format!("{}:{source}:{id}", source.len())
    }

    /// Checks what the types of the fields do not: length and characters of id, source and subject.
    pub fn validate(&self) -> Result<(), AttributesError> {
        for (attribute, expected, text) in
            [("ce-id", headers::EXPECTED_ID, &self.id), ("ce-source", headers::EXPECTED_SOURCE, &self.source)]
        {
            if !is_text(text) {
                return Err(AttributesError::Invalid { attribute, expected });
            }
        }
        match &self.subject {
            Some(subject) if !is_subject(subject) => {
                Err(AttributesError::Invalid { attribute: "ce-subject", expected: headers::EXPECTED_SUBJECT })
            }
            _ => Ok(()),
        }
    }
}

/// Text that fits every header and every broker's message id, percent-encoded as it is there.
fn is_text(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control) && headers::percent_encoded(text).len() <= MAX_LENGTH
}

fn is_subject(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= MAX_LENGTH && !text.chars().any(char::is_control)
}

/// Whether a text is a `traceparent` of version 00, or of a later version that extends it.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut hex = |length: usize| {
        parts.next().is_some_and(|part| {
            part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        })
    };
    text.len() <= MAX_LENGTH && hex(2) && hex(32) && hex(16) && hex(2)
}
