//! Fanfare's own attributes in a schema: `fanfare.key` and `fanfare.revision`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::field::{find, suggest};
use super::{Fault, Field, Kind};
use crate::suggest::nearest;

const KEY: &str = "fanfare.key";
const REVISION: &str = "fanfare.revision";

/// The values of the attributes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) key: Vec<usize>,
    pub(super) revision: Option<usize>,
}

/// Reads a record's attributes beyond those of Avro.
pub(super) fn state(attributes: &BTreeMap<String, Json>, fields: &[Field]) -> Result<State, Fault> {
    for name in attributes.keys().filter(|name| name.starts_with("fanfare.")) {
        if ![KEY, REVISION].contains(&name.as_str()) {
            let hint = nearest(name, [KEY, REVISION]).map(|near| format!("; did you mean `{near}`?"));
            return Err(Fault::of_file(format!("unknown attribute `{name}`{}", hint.unwrap_or_default())));
        }
    }
    let key = attributes.get(KEY).map(|json| key(json, fields)).transpose()?.unwrap_or_default();
    let revision = attributes.get(REVISION).map(|json| revision(json, fields)).transpose()?;
    if revision.is_some() && key.is_empty() {
        return Err(Fault::of_file(format!("`{REVISION}` needs a `{KEY}`: a revision orders the state of one key")));
    }
    Ok(State { key, revision })
}

fn key(json: &Json, fields: &[Field]) -> Result<Vec<usize>, Fault> {
    let names: Option<Vec<&str>> = match json {
        Json::String(name) => Some(vec![name]),
        Json::Array(names) => names.iter().map(Json::as_str).collect(),
        _ => None,
    };
    let Some(names) = names.filter(|names| !names.is_empty()) else {
        return Err(Fault::of_file(format!("`{KEY}` must be the name of a field or a list of such names")));
    };
    let mut key = Vec::with_capacity(names.len());
    for name in names {
        let index = named(KEY, name, fields)?;
        if key.contains(&index) {
            return Err(Fault::of_field(name, format!("`{KEY}` names it twice")));
        }
        if !matches!(
            fields[index].kind,
            Kind::Boolean
                | Kind::Int
                | Kind::Long
                | Kind::String
                | Kind::Enum(_)
                | Kind::Uuid
                | Kind::Decimal { scale: Some(_) }
                | Kind::Timestamp(_)
                | Kind::LocalTimestamp(_)
                | Kind::Date
                | Kind::TimeOfDay(_)
        ) {
            let reason = format!(
                "`{KEY}` needs a string, an enum, a whole number, a decimal, a uuid, a date or time, or a boolean"
            );
            return Err(Fault::of_field(name, reason));
        }
        key.push(index);
    }
    Ok(key)
}

fn revision(json: &Json, fields: &[Field]) -> Result<usize, Fault> {
    let Some(name) = json.as_str() else {
        return Err(Fault::of_file(format!("`{REVISION}` must be the name of a field")));
    };
    let index = named(REVISION, name, fields)?;
    match fields[index].kind {
        Kind::Int | Kind::Long => Ok(index),
        _ => Err(Fault::of_field(name, format!("`{REVISION}` needs a long or an int"))),
    }
}

fn named(attribute: &str, name: &str, fields: &[Field]) -> Result<usize, Fault> {
    find(fields, name).ok_or_else(|| {
        let hint = suggest(fields, name).map(|near| format!("; did you mean `{near}`?"));
        Fault::of_field(name, format!("`{attribute}` names a field that is not there{}", hint.unwrap_or_default()))
    })
}
