//! One event in the outbox.

use std::sync::Arc;

use fanfare_event::{Attributes, Encoded};
use sqlx::Row as _;
use sqlx::any::AnyRow;

/// One event in the outbox.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) seq: i64,
    pub(crate) ordering_key: Arc<str>,
    /// The event, or why the row cannot be read.
    pub(crate) event: Result<Encoded, String>,
}

/// Events with the same ordering key are published one after another.
///
/// The parts are marked because an org and a subject may have the same name.
pub(crate) fn ordering_key(attributes: &Attributes) -> String {
    match (&attributes.org, &attributes.subject) {
        (Some(org), _) => format!("org:{org}"),
        (None, Some(subject)) => format!("subject:{subject}"),
        (None, None) => format!("type:{}", attributes.event_type),
    }
}

/// The attributes in the column `headers`.
pub(crate) fn headers_json(attributes: &Attributes) -> String {
    let pairs = attributes.to_headers().into_iter().map(|(name, value)| {
        serde_json::Value::Array(vec![serde_json::Value::String(name), serde_json::Value::String(value)])
    });
    serde_json::Value::Array(pairs.collect()).to_string()
}

impl Row {
    /// The event's id, for logs; an unreadable row is named by its number.
    pub(crate) fn event_id(&self) -> String {
        match &self.event {
            Ok(event) => event.attributes.id.clone(),
            Err(_) => format!("row {}", self.seq),
        }
    }

    /// Reads the columns `seq`, `ordering_key`, `headers`, `body` and `event_key`.
    pub(crate) fn read(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let headers: String = row.try_get("headers")?;
        let body: Vec<u8> = row.try_get("body")?;
        let key: Option<String> = row.try_get("event_key")?;
        let event = attributes(&headers).map(|attributes| Encoded { attributes, body, key });
        let ordering_key: String = row.try_get("ordering_key")?;
        Ok(Self { seq: row.try_get("seq")?, ordering_key: ordering_key.into(), event })
    }
}

fn attributes(headers: &str) -> Result<Attributes, String> {
    let pairs: Vec<(String, String)> = serde_json::from_str(headers)
        .map_err(|error| format!("the stored headers are not a list of pairs: {error}"))?;
    Attributes::from_headers(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        .map_err(|error| format!("the stored headers are not valid: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::encoded;

    #[test]
    fn the_stored_headers_bring_back_the_attributes() {
        let mut event = encoded(Some("acme"), 7);
        event.attributes.subject = Some("a \"quoted\" sübject".into());
        assert_eq!(attributes(&headers_json(&event.attributes)), Ok(event.attributes));
    }

    #[test]
    fn unreadable_headers_are_reported() {
        assert!(attributes("no json").is_err_and(|reason| reason.contains("list of pairs")));
        assert!(attributes("[[\"ce-id\",\"1\"]]").is_err_and(|reason| reason.contains("not valid")));
    }

    #[test]
    fn the_order_is_kept_per_org_else_subject_else_type() {
        let mut attributes = encoded(Some("acme"), 1).attributes;
        attributes.subject = Some("acme".into());
        assert_eq!(ordering_key(&attributes), "org:acme");
        attributes.org = None;
        assert_eq!(ordering_key(&attributes), "subject:acme");
        attributes.subject = None;
        assert_eq!(ordering_key(&attributes), "type:license.FlagToggled");
    }
}
