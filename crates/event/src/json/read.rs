//! Values from JSON.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::Mismatch;
use crate::schema::{find, suggest};
use crate::suggest::nearest;
use crate::{Field, Kind, Timestamp, Value};

/// How much of an unknown name is repeated in an error.
const MAX_NAME: usize = 64;

/// Reads an object as the values of these fields, in their order.
pub(crate) fn record(fields: &[Field], json: &Json) -> Result<Vec<Value>, Mismatch> {
    let mut reader = Reader { path: String::new() };
    match json {
        Json::Object(object) => reader.fields(fields, object),
        other => Err(reader.mismatch("an object", found(other))),
    }
}

/// Reads the default of a field; the error is where it lies within the default, and why.
pub(crate) fn default_value(field: &Field, json: &Json) -> Result<Value, (String, String)> {
    Reader { path: String::new() }
        .field(field, json)
        .map_err(|mismatch| (mismatch.field, format!("expected {}, found {}", mismatch.expected, mismatch.found)))
}

struct Reader {
    path: String,
}

impl Reader {
    fn mismatch(&self, expected: impl ToString, found: impl Into<String>) -> Mismatch {
        Mismatch { field: self.path.clone(), expected: expected.to_string(), found: found.into(), suggestion: None }
    }

    /// Does something one level down the path.
    fn within<T>(&mut self, segment: &str, read: impl FnOnce(&mut Self) -> Result<T, Mismatch>) -> Result<T, Mismatch> {
        let length = self.path.len();
        if length > 0 && !segment.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(segment);
        let result = read(self);
        self.path.truncate(length);
        result
    }

    fn fields(&mut self, fields: &[Field], object: &Map<String, Json>) -> Result<Vec<Value>, Mismatch> {
        let mut given: Vec<Option<&Json>> = vec![None; fields.len()];
        for (name, json) in object {
            let Some(index) = find(fields, name) else {
                let shown: String = name.chars().take(MAX_NAME).collect();
                return self.within(&shown, |reader| Err(reader.unknown_field(fields, name)));
            };
            if given[index].replace(json).is_some() {
                let both = format!("both `{}` and an alias of it", fields[index].name);
                return self.within(&fields[index].name, |reader| Err(reader.mismatch("one value", both)));
            }
        }
        let mut values = Vec::with_capacity(fields.len());
        for (field, json) in fields.iter().zip(given) {
            let value = self.within(&field.name, |reader| match json {
                Some(json) => reader.field(field, json),
                None => field.absent().ok_or_else(|| reader.mismatch(&field.kind, "nothing")),
            })?;
            values.push(value);
        }
        Ok(values)
    }

    fn unknown_field(&self, fields: &[Field], name: &str) -> Mismatch {
        let names: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
        Mismatch {
            suggestion: suggest(fields, name).map(Box::from),
            ..self.mismatch(format!("one of the fields {}", names.join(", ")), "an unknown field")
        }
    }

    fn field(&mut self, field: &Field, json: &Json) -> Result<Value, Mismatch> {
        if field.nullable && json.is_null() {
            return Ok(Value::Null);
        }
        self.value(&field.kind, json)
    }

    fn value(&mut self, kind: &Kind, json: &Json) -> Result<Value, Mismatch> {
        match (kind, json) {
            (Kind::Nullable(_), Json::Null) => Ok(Value::Null),
            (Kind::Nullable(kind), json) => self.value(kind, json),
            (Kind::Boolean, Json::Bool(value)) => Ok(Value::Bool(*value)),
            (Kind::Int, Json::Number(_)) => self.integer(kind, json, i32::MIN.into(), i32::MAX.into()),
            (Kind::Long | Kind::Timestamp, Json::Number(_)) => self.integer(kind, json, i64::MIN, i64::MAX),
            (Kind::Timestamp, Json::String(text)) => match Timestamp::parse_rfc3339(text) {
                Ok(Timestamp(milliseconds)) => Ok(Value::Int(milliseconds)),
                Err(_) => Err(self.mismatch(kind, "a string of another form")),
            },
            (Kind::Float | Kind::Double, Json::Number(_)) => self.float(kind, json),
            (Kind::String, Json::String(text)) => Ok(Value::String(text.as_str().into())),
            (Kind::Bytes, Json::String(text)) => self.bytes(kind, text).map(Value::Bytes),
            (Kind::Fixed(size), Json::String(text)) => match self.bytes(kind, text)? {
                bytes if bytes.len() == *size => Ok(Value::Bytes(bytes)),
                bytes => Err(self.mismatch(kind, format!("{} bytes", bytes.len()))),
            },
            (Kind::Enum(symbols), Json::String(text)) => self.symbol(kind, symbols, text),
            (Kind::Array(items), Json::Array(list)) => {
                let read = |(index, json)| self.within(&format!("[{index}]"), |reader| reader.value(items, json));
                list.iter().enumerate().map(read).collect::<Result<_, _>>().map(Value::List)
            }
            (Kind::Map(values), Json::Object(object)) => self.map(values, object),
            (Kind::Record(fields), Json::Object(object)) => {
                let values = self.fields(fields, object)?;
                Ok(Value::Record(fields.iter().map(|field| field.name.clone()).zip(values).collect()))
            }
            (kind, other) => Err(self.mismatch(kind, found(other))),
        }
    }

    fn map(&mut self, values: &Kind, object: &Map<String, Json>) -> Result<Value, Mismatch> {
        let mut entries: Vec<(Arc<str>, Value)> = Vec::with_capacity(object.len());
        for (key, json) in object {
            let shown: String = key.chars().take(MAX_NAME).collect();
            let value = self.within(&format!("[{shown:?}]"), |reader| reader.value(values, json))?;
            entries.push((key.as_str().into(), value));
        }
        entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        Ok(Value::Record(entries))
    }

    fn integer(&self, kind: &Kind, json: &Json, least: i64, most: i64) -> Result<Value, Mismatch> {
        match json.as_i64() {
            Some(value) if (least..=most).contains(&value) => Ok(Value::Int(value)),
            None if json.is_f64() => Err(self.mismatch(kind, "a number with a fraction or an exponent")),
            _ => Err(self.mismatch(kind, "a number out of range")),
        }
    }

    fn float(&self, kind: &Kind, json: &Json) -> Result<Value, Mismatch> {
        let most = if *kind == Kind::Float { f64::from(f32::MAX) } else { f64::MAX };
        match json.as_f64() {
            Some(value) if value.abs() <= most => Ok(Value::Float(value)),
            _ => Err(self.mismatch(kind, "a number out of range")),
        }
    }

    fn bytes(&self, kind: &Kind, text: &str) -> Result<Arc<[u8]>, Mismatch> {
        let bytes: Result<Arc<[u8]>, _> = text.chars().map(|c| u8::try_from(u32::from(c))).collect();
        bytes.map_err(|_| self.mismatch(kind, "a string with a character above U+00FF"))
    }

    fn symbol(&self, kind: &Kind, symbols: &[Arc<str>], text: &str) -> Result<Value, Mismatch> {
        match symbols.iter().find(|symbol| &***symbol == text) {
            Some(symbol) => Ok(Value::String(symbol.clone())),
            None => Err(Mismatch {
                suggestion: nearest(text, symbols.iter().map(|symbol| &**symbol)).map(Box::from),
                ..self.mismatch(kind, "a string that is none of them")
            }),
        }
    }
}

fn found(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}
