//! Query strings as ASP.NET reads them: keys without regard to case.

use std::borrow::Cow;

use thiserror::Error;

/// A key of a query is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum BadQuery {
    /// It occurs more than once, with different values.
    #[error("the query names `{0}` more than once, with different values")]
    Twice(String),
    /// Its value is no text.
    #[error("the value of `{0}` in the query is not UTF-8")]
    NotText(String),
}

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
    ///
    /// # Errors
    /// [`BadQuery`] if two places say different things, or something that is no text: which of them counts would be a
    /// guess.
    pub(super) fn one(&self, key: &str) -> Result<Option<Cow<'a, str>>, BadQuery> {
        let mut found: Option<Cow<'a, str>> = None;
        let pairs = form_urlencoded::parse(self.0.as_bytes());
        for (_, value) in pairs.filter(|(name, _)| name.eq_ignore_ascii_case(key)) {
            // The character that decoding puts in place of bytes that are not text.
            if value.contains(char::REPLACEMENT_CHARACTER) {
                return Err(BadQuery::NotText(key.to_owned()));
            }
            if found.as_ref().is_some_and(|found| *found != value) {
                return Err(BadQuery::Twice(key.to_owned()));
            }
            found = Some(value);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_match_in_any_case_and_values_are_decoded() {
        let uri: http::Uri = "/h?NegotiateVersion=1&access_token=a%2Bb&ID=x&id=x".parse().expect("valid");
        let query = Query::of(&uri);
        assert_eq!(query.one("negotiateversion").expect("sound").as_deref(), Some("1"));
        assert_eq!(query.one("access_token").expect("sound").as_deref(), Some("a+b"));
        assert_eq!(query.one("id").expect("said twice alike").as_deref(), Some("x"));
        assert_eq!(query.one("missing"), Ok(None));
    }

    #[test]
    fn duplicate_and_non_text_values_are_refused_by_name() {
        let uri: http::Uri = "/h?org=acme&ORG=globex&id=%ff".parse().expect("valid");
        let query = Query::of(&uri);
        let refused = query.one("org").expect_err("twice");
        assert_eq!(refused.to_string(), "the query names `org` more than once, with different values");
        assert_eq!(query.one("id"), Err(BadQuery::NotText("id".to_owned())));
        assert_eq!(query.one("missing"), Ok(None));
    }
}
