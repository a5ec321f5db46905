//! Typed look-ups in a token's claims.

use fanfare_event::Id;
use serde_json::{Map, Value};

use crate::error::TokenError;

/// The claims of a token whose signature was verified.
pub(crate) struct Payload<'p>(pub(crate) &'p Map<String, Value>);

impl<'p> Payload<'p> {
    /// The claim of this name, or else the one at this dotted path; `null` counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&'p Value> {
        let found = self.0.get(name).or_else(|| {
            let mut parts = name.split('.');
            let first = self.0.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        });
        found.filter(|value| !value.is_null())
    }

    pub(crate) fn id(&self, name: &str) -> Result<Option<Id>, TokenError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| TokenError::invalid(name))?;
        Id::parse(text).map(Some).map_err(|_| TokenError::invalid(name))
    }

    /// A list of strings; a plain string counts as a list of one.
    pub(crate) fn list(&self, name: &str) -> Result<Option<Vec<&'p str>>, TokenError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(one)) => Ok(Some(vec![one])),
            Some(Value::Array(many)) => many
                .iter()
                .map(|value| value.as_str().ok_or_else(|| TokenError::invalid(name)))
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(TokenError::invalid(name)),
        }
    }

    /// A NumericDate in whole seconds; fractions are cut off.
    ///
    /// Cutting `iat` down errs on the side of a logout: a token of the same second counts as older.
    pub(crate) fn seconds(&self, name: &str) -> Result<Option<i64>, TokenError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let whole = value.as_i64().or_else(|| value.as_f64().map(|date| date.floor() as i64));
        // The bound keeps every sum with a leeway far from overflow; it lies in the year 285,428,751.
        const LIMIT: i64 = 1 << 53;
        whole.filter(|date| (0..=LIMIT).contains(date)).map(Some).ok_or_else(|| TokenError::invalid(name))
    }
}
