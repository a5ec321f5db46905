//! The query of `/connections`.

use fanfare_event::suggest::nearest;
use http::Uri;
use thiserror::Error;

use super::super::query::{BadQuery, Query};
use crate::connection::ConnectionId;
use crate::operator::connections::{Filter, MOST_IN_PAGE, MOST_MEASURED};

/// How many connections are listed by default.
const LISTED: usize = 50;

/// The longest value that is looked for, in bytes: no id, path or group is longer.
const LONGEST: usize = 4096;

/// Why a question is none.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum BadQuestion {
    /// It names a key twice, or its value is no text.
    #[error(transparent)]
    Query(#[from] BadQuery),
    /// There is no such key: a question that is answered without it would be another one.
    #[error("the query has no key `{key}`{}; known: {known}", did_you_mean(.suggestion.as_deref()))]
    Unknown {
        /// The key.
        key: String,
        /// The suggestion.
        suggestion: Option<String>,
        /// The known keys.
        known: String,
    },
    /// Too many or none are asked for.
    #[error("`limit` must be 1 to {MOST_IN_PAGE}")]
    Limit,
    /// `continue` is not from an earlier answer.
    #[error("`continue` must be what the last answer has given")]
    Continue,
    /// No connection has such an id.
    #[error("`id` must be the id of a connection")]
    Id,
    /// Whose round trips are asked for.
    #[error("`ids` must be 1 to {MOST_MEASURED} ids of connections, separated by commas")]
    Ids,
    /// A value that nothing can have.
    #[error("`{0}` must be a text of 1 to {LONGEST} bytes")]
    Value(String),
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) filter: Filter,
    pub(super) after: Option<ConnectionId>,
    pub(super) limit: usize,
}

impl Asked {
    pub(super) fn of(uri: &Uri) -> Result<Self, BadQuestion> {
        known(uri, &[&Filter::KEYS[..], &["limit", "continue"]].concat())?;
        let query = Query::of(uri);
        let mut filter = Filter::default();
        for key in Filter::KEYS {
            if let (Some(place), Some(value)) = (filter.value_mut(key), value(query, key)?) {
                *place = Some(value);
            }
        }
        if filter.id.as_deref().is_some_and(|id| ConnectionId::parse(id).is_none()) {
            return Err(BadQuestion::Id);
        }
        let limit = limit(query.one("limit")?.as_deref())?;
        let after = query.one("continue")?.map(|text| ConnectionId::parse(&text).ok_or(BadQuestion::Continue));
        Ok(Self { filter, after: after.transpose()?, limit })
    }

    /// The same as a query.
    pub(super) fn to_query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.filter.pairs()).append_pair("limit", &self.limit.to_string());
        if let Some(after) = self.after {
            query.append_pair("continue", &after.to_string());
        }
        query.finish()
    }
}

/// How many are asked for.
pub(in crate::socket) fn limit(text: Option<&str>) -> Result<usize, BadQuestion> {
    let Some(text) = text else { return Ok(LISTED) };
    text.parse().ok().filter(|number| (1..=MOST_IN_PAGE).contains(number)).ok_or(BadQuestion::Limit)
}

/// The values of the keys that a query may have.
pub(in crate::socket) fn only<const N: usize>(uri: &Uri, keys: [&str; N]) -> Result<[Option<String>; N], BadQuestion> {
    known(uri, &keys)?;
    let query = Query::of(uri);
    let mut values = [const { None }; N];
    for (place, key) in values.iter_mut().zip(keys) {
        *place = value(query, key)?;
    }
    Ok(values)
}

/// That there is no query.
pub(in crate::socket) fn none(uri: &Uri) -> Result<(), BadQuestion> {
    known(uri, &[])
}

fn value(query: Query<'_>, key: &str) -> Result<Option<String>, BadQuestion> {
    match query.one(key)? {
        Some(value) if value.is_empty() || value.len() > LONGEST => Err(BadQuestion::Value(key.to_owned())),
        value => Ok(value.map(std::borrow::Cow::into_owned)),
    }
}

fn known(uri: &Uri, keys: &[&str]) -> Result<(), BadQuestion> {
    let names = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).map(|(name, _)| name);
    for name in names {
        if !keys.iter().any(|key| name.eq_ignore_ascii_case(key)) {
            let suggestion = nearest(&name, keys.iter().copied()).map(str::to_owned);
            let key: String = name.chars().take(64).collect();
            let known = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
            return Err(BadQuestion::Unknown { key, suggestion, known });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, BadQuestion> {
        Asked::of(&format!("/connections?{query}").parse().expect("a URI"))
    }

    #[test]
    fn a_query_is_parsed_as_it_was_written() {
        let after = ConnectionId::from_random(7).to_string();
        let query = format!("user=auth0%7C1&org=a%26b&group=org%3Aacme&limit=3&continue={after}");
        let first = asked(&query).expect("sound");
        assert_eq!(first.filter.user.as_deref(), Some("auth0|1"));
        assert_eq!((first.limit, first.after), (3, Some(ConnectionId::from_random(7))));
        assert_eq!(asked(&first.to_query()), Ok(first));
        assert_eq!(asked("").expect("sound").limit, LISTED);
    }

    #[test]
    fn unknown_query_parameters_are_refused_by_name() {
        for limit in ["0", "201", "-1", "x", "99999999999999999999", ""] {
            assert_eq!(asked(&format!("limit={limit}")), Err(BadQuestion::Limit), "{limit}");
        }
        for after in ["x", "AAAA", "%00", "", "AAAAAAAAAAAAAAAAAAAAAAA="] {
            assert_eq!(asked(&format!("continue={after}")), Err(BadQuestion::Continue), "{after}");
        }
        let said = asked("usr=alice").expect_err("refused").to_string();
        assert!(said.contains("no key `usr`, did you mean `user`?") && said.contains("session"), "{said}");
        assert_eq!(asked("user="), Err(BadQuestion::Value("user".to_owned())));
        assert_eq!(asked(&format!("group={}", "x".repeat(5000))), Err(BadQuestion::Value("group".to_owned())));
        assert!(matches!(asked("user=a&user=b"), Err(BadQuestion::Query(_))));
        let uri: Uri = "/users/a/connections?relm=x".parse().expect("a URI");
        assert!(only(&uri, ["realm"]).is_err() && none(&uri).is_err());
    }
}
