//! Claims of a token to be signed.

use std::collections::BTreeMap;

use fanfare_event::{Id, TypePattern};
use serde::Serialize;

/// The claims of a token to be signed with [`crate::SigningKey::sign`].
#[derive(Debug, Clone, Serialize)]
pub struct NewToken {
    iss: String,
    aud: String,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    roles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    publish: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_sources: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    publish_orgs: Option<Vec<String>>,
    /// Claims without a meaning of their own.
    #[serde(flatten)]
    other: BTreeMap<String, Vec<String>>,
}

impl NewToken {
    /// A token for a user, issued at `issued_at` and valid for `lifetime`, both in seconds.
    pub fn user(issuer: &str, audience: &str, user: &Id, issued_at: i64, lifetime: u32) -> Self {
        Self {
            iss: issuer.to_owned(),
            aud: audience.to_owned(),
            sub: user.as_str().to_owned(),
            org: None,
            roles: Vec::new(),
            sid: None,
            iat: issued_at,
            exp: issued_at.saturating_add(i64::from(lifetime)),
            publish: None,
            publish_sources: None,
            publish_orgs: None,
            other: BTreeMap::new(),
        }
    }

    /// A token with which a producer may publish events of these types.
    pub fn producer(
        issuer: &str,
        producer_audience: &str,
        service: &Id,
        types: &[TypePattern],
        issued_at: i64,
        lifetime: u32,
    ) -> Self {
        let mut token = Self::user(issuer, producer_audience, service, issued_at, lifetime);
        token.roles = vec!["producer".to_owned()];
        token.publish = Some(types.iter().map(TypePattern::to_string).collect());
        token
    }

    /// Sets the user's org.
    #[must_use]
    pub fn org(mut self, org: &Id) -> Self {
        self.org = Some(org.as_str().to_owned());
        self
    }

    /// Sets the roles.
    #[must_use]
    pub fn roles<R: Into<String>>(mut self, roles: impl IntoIterator<Item = R>) -> Self {
        self.roles = roles.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a value of a claim without a meaning of its own; false if the name belongs to another claim.
    pub fn add(&mut self, name: &str, value: &str) -> bool {
        let known = ["iss", "aud", "sub", "org", "roles", "sid", "iat", "exp", "nbf"];
        if known.contains(&name) || name.starts_with("publish") {
            return false;
        }
        self.other.entry(name.to_owned()).or_default().push(value.to_owned());
        true
    }

    /// Sets the session.
    #[must_use]
    pub fn session(mut self, session: &Id) -> Self {
        self.sid = Some(session.as_str().to_owned());
        self
    }

    /// Limits a producer to these sources.
    #[must_use]
    pub fn sources<S: Into<String>>(mut self, sources: impl IntoIterator<Item = S>) -> Self {
        self.publish_sources = Some(sources.into_iter().map(Into::into).collect());
        self
    }

    /// Limits a producer to these orgs.
    #[must_use]
    pub fn orgs<O: Into<String>>(mut self, orgs: impl IntoIterator<Item = O>) -> Self {
        self.publish_orgs = Some(orgs.into_iter().map(Into::into).collect());
        self
    }
}
