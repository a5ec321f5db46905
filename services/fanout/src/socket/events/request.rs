//! From a request to drafts of events; pure.

use std::borrow::Cow;

use fanfare_event::{Attributes, CloudEvent, Data, Timestamp};
use http::HeaderMap;
use serde_json::Value;

use super::refused::Refused;
use crate::pipeline::{Body, Draft, MOST_IN_BATCH};

/// CloudEvents attributes from the headers; the time is when it was received if the producer gives none.
pub(super) fn attributes(headers: &HeaderMap, received: i64) -> Result<Attributes, Refused> {
    let wrong = |name: &str, reason: &str| Refused::Attribute { name: name.to_owned(), reason: reason.to_owned() };
    let mut named: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(10);
    for (name, value) in headers {
        let name = name.as_str();
        if name.starts_with("ce-") || name == "traceparent" {
            let value = value.to_str().map_err(|_| wrong(name, "only visible ASCII is possible, percent-encode it"))?;
            named.push((name, unquoted(value)));
        }
    }
    if !headers.contains_key("ce-specversion") {
        return Err(wrong("ce-specversion", "it is missing: expected 1.0"));
    }
    if !headers.contains_key("ce-time") {
        named.push(("ce-time", Timestamp(received).to_rfc3339().into()));
    }
    if let Some(current) = fanfare_telemetry::traceparent() {
        named.retain(|(name, _)| *name != "traceparent");
        named.push(("traceparent", current.into()));
    }
    let read = Attributes::from_headers(named.iter().map(|(name, value)| (*name, &**value)));
    Ok(read?)
}

/// An event in structured mode.
pub(super) fn structured(json: Value, received: i64) -> Result<Draft, Refused> {
    let mut read = CloudEvent::from_json(json, Timestamp(received))?;
    if let Some(current) = fanfare_telemetry::traceparent() {
        read.attributes.traceparent = Some(current);
    }
    let body = match read.data {
        Data::Json(json) => Body::Json(json),
        Data::Avro(bytes) => Body::Avro(bytes),
    };
    Ok(Draft { attributes: read.attributes, body })
}

/// The events of a batch.
pub(super) fn batch(json: Value, received: i64) -> Result<Vec<Draft>, Refused> {
    let Value::Array(events) = json else { return Err(Refused::NoBatch) };
    if events.len() > MOST_IN_BATCH {
        return Err(Refused::LongBatch(events.len()));
    }
    let read = |(at, event)| structured(event, received).map_err(|refused| refused.in_batch(at));
    events.into_iter().enumerate().map(read).collect()
}

/// Undoes the quotes that a header value may have, as the HTTP binding of CloudEvents asks.
fn unquoted(value: &str) -> Cow<'_, str> {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else { return value.into() };
    if !inner.contains('\\') {
        return inner.into();
    }
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        text.push(if character == '\\' { characters.next().unwrap_or('\\') } else { character });
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use serde_json::json;

    use super::*;

    const LEAST: [(&str, &str); 4] =
        [("ce-specversion", "1.0"), ("ce-id", "order%2017"), ("ce-source", "\"/a \\\"b\\\"\""), ("ce-type", "a.B")];

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn headers_are_unquoted_and_then_decoded() {
        let read = attributes(&headers(&LEAST), 7).expect("sound");
        assert_eq!((read.id.as_str(), read.source.as_str(), read.time), ("order 17", "/a \"b\"", Timestamp(7)));
    }

    #[test]
    fn the_version_of_cloudevents_is_required() {
        let refused = attributes(&headers(&LEAST[1..]), 7).expect_err("refused").to_string();
        assert!(refused.contains("ce-specversion") && refused.contains("1.0"), "{refused}");
    }

    #[test]
    fn a_batch_is_an_array_of_events_and_bounded() {
        let event = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "a.B", "data": {}});
        assert_eq!(batch(json!([event, event]), 7).expect("sound").len(), 2);
        assert_eq!(batch(json!([]), 7).expect("sound").len(), 0);
        assert!(matches!(batch(event.clone(), 7), Err(Refused::NoBatch)));
        let many = Value::Array(vec![event.clone(); MOST_IN_BATCH + 1]);
        assert!(matches!(batch(many, 7), Err(Refused::LongBatch(101))));
        let second = batch(json!([event, {"id": "1"}]), 7).expect_err("refused").to_string();
        assert!(second.starts_with("event 1 of the batch: "), "{second}");
    }
}
