//! Query strings as ASP.NET reads them: keys without regard to case, the first of equals counts.

use std::borrow::Cow;

/// A request's query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// The query of a request.
    #[must_use]
    pub(super) fn of(uri: &'a http::Uri) -> Self {
        Self(uri.query().unwrap_or_default())
    }

    /// The decoded value of a key.
    #[must_use]
    pub(super) fn get(&self, key: &str) -> Option<Cow<'a, str>> {
        form_urlencoded::parse(self.0.as_bytes())
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_match_in_any_case_and_values_are_decoded() {
        let uri: http::Uri = "/h?NegotiateVersion=1&access_token=a%2Bb&ID=x&id=y".parse().expect("valid");
        let query = Query::of(&uri);
        assert_eq!(query.get("negotiateversion").as_deref(), Some("1"));
        assert_eq!(query.get("access_token").as_deref(), Some("a+b"));
        assert_eq!(query.get("id").as_deref(), Some("x"));
        assert_eq!(query.get("missing"), None);
    }
}
