//! The terms of a license.

use fanfare_event::Timestamp;
use serde::Deserialize;

const LONGEST_PLAN: usize = 100;

/// The terms of a license, as the API takes them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The plan.
    pub plan: PlanName,
    /// The number of users.
    pub seats: Seats,
    /// When it ends; absent or null means never.
    #[serde(default)]
    pub expires_at: Option<End>,
}

/// Why terms are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// The plan's name is invalid.
    #[error("a plan's name is 1 to 100 characters without control characters")]
    Plan,
    /// The number of seats is out of range.
    #[error("seats are a whole number from 0 to 2147483647")]
    Seats,
    /// The end is not a time.
    #[error("this is not an RFC 3339 time, such as 2030-01-31T12:00:00Z")]
    End,
}

/// The name of a plan; any text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PlanName(String);

impl PlanName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PlanName {
    type Error = TermsError;

    fn try_from(text: String) -> Result<Self, TermsError> {
        let length = text.chars().count();
        let fits = (1..=LONGEST_PLAN).contains(&length) && !text.trim().is_empty();
        match fits && !text.chars().any(char::is_control) {
            true => Ok(Self(text)),
            false => Err(TermsError::Plan),
        }
    }
}

/// A number of seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Seats(i32);

impl Seats {
    /// The number.
    pub fn count(self) -> i32 {
        self.0
    }
}

impl TryFrom<i64> for Seats {
    type Error = TermsError;

    fn try_from(count: i64) -> Result<Self, TermsError> {
        match i32::try_from(count) {
            Ok(count @ 0..) => Ok(Self(count)),
            _ => Err(TermsError::Seats),
        }
    }
}

/// When a license ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct End(pub Timestamp);

impl TryFrom<String> for End {
    type Error = TermsError;

    fn try_from(text: String) -> Result<Self, TermsError> {
        Timestamp::parse_rfc3339(&text).map(Self).map_err(|_| TermsError::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Terms, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn any_plan_name_and_any_rfc_3339_time_will_do() {
        let terms = parse(r#"{"plan":"Größe XL","seats":5,"expires_at":"2030-01-02T03:04:05+02:00"}"#);
        let end = terms.expect("terms").expires_at.expect("an end");
        assert_eq!(end.0.to_rfc3339(), "2030-01-02T01:04:05.000Z");
        assert!(parse(r#"{"plan":"a","seats":0,"expires_at":null}"#).is_ok());
        assert!(parse(r#"{"plan":"a","seats":2147483647}"#).is_ok());
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for wrong in [
            r#"{"plan":"","seats":1}"#,
            r#"{"plan":" ","seats":1}"#,
            r#"{"plan":"a\nb","seats":1}"#,
            r#"{"plan":"a","seats":-1}"#,
            r#"{"plan":"a","seats":2147483648}"#,
            r#"{"plan":"a","seats":1.5}"#,
            r#"{"plan":"a","seats":1,"expires_at":"tomorrow"}"#,
            r#"{"plan":"a","seats":1,"expires_at":1700000000}"#,
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
