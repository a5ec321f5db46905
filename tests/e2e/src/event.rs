//! Events as a producer posts them.

use serde_json::{Value, json};

use crate::http::Request;

/// An event for `POST /events`.
#[derive(Debug, Clone)]
pub struct NewEvent {
    event_type: String,
    id: String,
    source: String,
    headers: Vec<(String, String)>,
    content_type: &'static str,
    body: Vec<u8>,
}

impl NewEvent {
    /// An event with a JSON body.
    pub fn new(event_type: &str, id: &str, body: &Value) -> Self {
        Self::raw(event_type, id, "application/json", body.to_string())
    }

    /// An event with an Avro body.
    pub fn avro(event_type: &str, id: &str, body: Vec<u8>) -> Self {
        Self::raw(event_type, id, "application/avro", body)
    }

    /// An event with any body.
    pub fn raw(event_type: &str, id: &str, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            event_type: event_type.to_owned(),
            id: id.to_owned(),
            source: "/tests".to_owned(),
            headers: Vec::new(),
            content_type,
            body: body.into(),
        }
    }

    /// A toast for an org, identified by its title.
    pub fn alert(org: &str, title: &str) -> Self {
        Self::new("system.Alert", &title.replace(' ', "-"), &json!({ "org": org, "title": title, "message": "m" }))
    }

    /// This many toasts of 8 kB for `acme`, with the titles 0, 1, ...
    pub fn burst(count: usize) -> Vec<Self> {
        let one = |number: usize| {
            let body = json!({ "org": "acme", "title": number.to_string(), "message": "m".repeat(8_000) });
            Self::new("system.Alert", &number.to_string(), &body)
        };
        (0..count).map(one).collect()
    }

    /// A feature flag of an org.
    pub fn flag(org: &str, flag: &str, enabled: bool, id: &str) -> Self {
        Self::new("license.FlagToggled", id, &json!({ "org": org, "flag": flag, "enabled": enabled }))
    }

    /// Sets the source.
    #[must_use]
    pub fn source(mut self, source: &str) -> Self {
        source.clone_into(&mut self.source);
        self
    }

    /// Adds a header, such as `ce-org`.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The request that publishes it.
    pub fn request(&self, token: impl AsRef<str>) -> Request {
        let mut request = Request::post("/events")
            .bearer(token)
            .header("ce-specversion", "1.0")
            .header("ce-id", &self.id)
            .header("ce-source", &self.source)
            .header("ce-type", &self.event_type);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(self.content_type, self.body.clone())
    }
}
