//! Reasons why a peer's bytes cannot be read.

use std::borrow::Cow;

use thiserror::Error;

/// The peer broke the protocol. Answer with a Close that carries this text, and end the
/// connection: what follows in its byte stream cannot be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// One message is longer than allowed.
    #[error("The maximum message size of {limit}B was exceeded.")]
    TooLong {
        /// The largest message, in bytes.
        limit: usize,
    },
    /// A MessagePack length prefix runs over five bytes or 2 GiB.
    #[error("The length prefix of the message is not a number below 2 GiB.")]
    LengthPrefix,
    /// Arrays and maps are nested too deeply.
    #[error("The message is nested deeper than {limit} levels.")]
    TooDeep {
        /// The largest number of levels.
        limit: usize,
    },
    /// The text is not JSON.
    #[error("Error reading JSON: {reason} at byte {at}.")]
    Json {
        /// What is wrong.
        reason: &'static str,
        /// The byte position in the message, from 0.
        at: usize,
    },
    /// The text is JSON but not an object.
    #[error("Unexpected JSON Token Type '{found}'. Expected a JSON Object.")]
    NotAnObject {
        /// What it is instead.
        found: &'static str,
    },
    /// A property that the message type needs is missing or empty.
    #[error("Missing required property '{property}'.")]
    MissingProperty {
        /// The property.
        property: &'static str,
    },
    /// A property has a value of another type.
    #[error("Expected '{property}' to be of type {expected}.")]
    PropertyType {
        /// The property.
        property: &'static str,
        /// The type it must have.
        expected: &'static str,
    },
    /// A property is neither true nor false.
    #[error("Expected '{property}' to be true or false.")]
    NotABoolean {
        /// The property.
        property: &'static str,
    },
    /// A header is not text.
    #[error("Expected header '{name}' to be of type String.")]
    HeaderType {
        /// The header.
        name: String,
    },
    /// A Completion has both an error and a result.
    #[error("The 'error' and 'result' properties are mutually exclusive.")]
    ErrorAndResult,
    /// The bytes are not MessagePack.
    #[error("Error reading MessagePack: {reason} at byte {at}.")]
    MessagePack {
        /// What is wrong.
        reason: &'static str,
        /// The byte position in the message, from 0.
        at: usize,
    },
    /// A MessagePack element is missing or of another type.
    #[error("Reading '{element}' as {expected} failed.")]
    Element {
        /// The element.
        element: Cow<'static, str>,
        /// The type it must have.
        expected: &'static str,
    },
    /// A MessagePack element is missing or not an array or map.
    #[error("Reading {expected} length for '{element}' failed.")]
    ElementLength {
        /// The element.
        element: &'static str,
        /// `array` or `map`.
        expected: &'static str,
    },
    /// A Completion of a kind that is neither error, void nor result.
    #[error("Invalid invocation result kind {kind}.")]
    ResultKind {
        /// The unknown kind.
        kind: i64,
    },
}
