//! Typed look-ups in a token's claims.

use std::borrow::Cow;

use fanfare_event::{Id, IdError, check_name};
use serde_json::{Map, Value};

use crate::claim_name::ClaimName;
use crate::error::TokenError;

/// The claims of a token whose signature was verified.
pub(crate) struct Payload<'p>(pub(crate) &'p Map<String, Value>);

/// The values of a claim that may have several, with the faults of unusable ones.
#[derive(Debug, Default)]
pub(crate) struct Values<'p> {
    pub(crate) good: Vec<Cow<'p, str>>,
    pub(crate) bad: Vec<&'static str>,
}

impl<'p> Payload<'p> {
    /// A claim of the standard; `null` counts as absent.
    fn standard(&self, name: &str) -> Option<&'p Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// The id in a claim, or what is wrong with it. A number becomes its decimal text.
    pub(crate) fn id(&self, name: &ClaimName) -> Result<Option<Id>, &'static str> {
        let Some(value) = name.find(self.0) else { return Ok(None) };
        Id::parse(&text(value)?).map(Some).map_err(reason)
    }

    /// The distinct names in a claim: the items of a list, the keys of a map, the words of a text that is a list of
    /// them, or the whole text. An error if the claim is none of these.
    pub(crate) fn names(&self, name: &ClaimName) -> Result<Values<'p>, &'static str> {
        let mut values = Values::default();
        match name.find(self.0) {
            None => {}
            Some(Value::Array(items)) => items.iter().for_each(|item| values.add(text(item))),
            Some(Value::Object(entries)) => entries.keys().for_each(|key| values.add(Ok(Cow::Borrowed(key)))),
            Some(Value::String(words)) if name.has_words() => {
                words.split_ascii_whitespace().for_each(|word| values.add(Ok(Cow::Borrowed(word))));
            }
            Some(one @ (Value::String(_) | Value::Number(_))) => values.add(text(one)),
            Some(_) => return Err("it is neither text, a number, a list nor a map"),
        }
        Ok(values)
    }

    /// A list of strings in a claim of ours or of the standard; a plain string counts as a list of one.
    pub(crate) fn list(&self, name: &str) -> Result<Option<Vec<&'p str>>, TokenError> {
        const REASON: &str = "it is neither text nor a list of texts";
        match self.standard(name) {
            None => Ok(None),
            Some(Value::String(one)) => Ok(Some(vec![one])),
            Some(Value::Array(many)) => many
                .iter()
                .map(|value| value.as_str().ok_or_else(|| TokenError::invalid(name, REASON)))
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(TokenError::invalid(name, REASON)),
        }
    }

    /// A NumericDate in whole seconds; fractions are cut off.
    ///
    /// Rounding `iat` down favours a logout: a token of the same second counts as older.
    pub(crate) fn seconds(&self, name: &str) -> Result<Option<i64>, TokenError> {
        let Some(value) = self.standard(name) else { return Ok(None) };
        let whole = value.as_i64().or_else(|| value.as_f64().map(|date| date.floor() as i64));
        // The bound keeps every sum with a leeway far from overflow; it is in the year 285,428,751.
        const LIMIT: i64 = 1 << 53;
        let whole = whole.filter(|date| (0..=LIMIT).contains(date));
        whole.map(Some).ok_or_else(|| TokenError::invalid(name, "it is not a number of seconds since 1970"))
    }
}

impl<'p> Values<'p> {
    fn add(&mut self, value: Result<Cow<'p, str>, &'static str>) {
        match value.and_then(|name| check_name(&name).map(|()| name).map_err(reason)) {
            Ok(name) if self.good.contains(&name) => {}
            Ok(name) => self.good.push(name),
            Err(reason) => self.bad.push(reason),
        }
    }
}

fn text(value: &Value) -> Result<Cow<'_, str>, &'static str> {
    match value {
        Value::String(text) => Ok(Cow::Borrowed(text)),
        // A number beyond 64 bits, or with a fraction, has lost digits by now, so it cannot be an id.
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(Cow::Owned(number.to_string())),
        Value::Number(_) => Err("it is a number that is not whole, or has more than 64 bits"),
        _ => Err("it is neither text nor a number"),
    }
}

fn reason(error: IdError) -> &'static str {
    match error {
        IdError::Blank => "it is blank",
        IdError::TooLong => "it has more than 256 characters",
        IdError::Control { .. } => "it holds a control character",
    }
}
