//! Reads values from JSON, and from what clients send beyond JSON.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value as Json;

use super::Mismatch;
use super::scalar::Form;
use crate::decode;
use crate::schema::{find, suggest};
use crate::suggest::nearest;
use crate::{Field, Input, Kind, MAX_DEPTH, MAX_VALUES, Symbols, Value};

/// How much of an unknown name an error repeats.
const MAX_NAME: usize = 64;

/// The author, which decides the form of values that JSON lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Convention {
    /// A producer.
    Published,
    /// A schema, in its defaults: Avro's form.
    Default,
    /// A SignalR client, in the arguments of a call.
    Called,
}

/// Reads an object as the values of these fields, in their order.
pub(crate) fn record(fields: &[Field], input: &Input<'_>, convention: Convention) -> Result<Vec<Value>, Mismatch> {
    let mut reader = Reader::new(convention);
    match input {
        Input::Object(object) => reader.fields(fields, object),
        other => Err(reader.mismatch("an object", other.article())),
    }
}

/// Reads the default of a field; the error has the place within the default and the reason.
pub(crate) fn default_value(field: &Field, json: &Json) -> Result<Value, (String, String)> {
    Reader::new(Convention::Default)
        .field(field, &Input::from(json))
        .map_err(|mismatch| (mismatch.field, format!("expected {}, found {}", mismatch.expected, mismatch.found)))
}

struct Reader {
    convention: Convention,
    path: String,
    /// The number of values that may still be read, including those that turn out to be of another kind of a union.
    values_left: usize,
    levels_left: usize,
}

impl Reader {
    fn new(convention: Convention) -> Self {
        Self { convention, path: String::new(), values_left: MAX_VALUES, levels_left: MAX_DEPTH }
    }

    fn mismatch(&self, expected: impl ToString, found: impl Into<String>) -> Mismatch {
        Mismatch { field: self.path.clone(), expected: expected.to_string(), found: found.into(), suggestion: None }
    }

    /// Runs something one level down the path.
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

    fn spend(&mut self, values: usize) -> Result<(), Mismatch> {
        let left = self.values_left.checked_sub(values);
        self.values_left = left.ok_or_else(|| self.mismatch(format!("at most {MAX_VALUES} values"), "more"))?;
        Ok(())
    }

    /// Runs something one level of lists, maps and records down.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Mismatch>) -> Result<T, Mismatch> {
        let left = self.levels_left.checked_sub(1);
        let left = left.ok_or_else(|| self.mismatch(format!("at most {MAX_DEPTH} levels"), "more"))?;
        self.levels_left = left;
        let result = read(self);
        self.levels_left = left + 1;
        result
    }

    fn fields(&mut self, fields: &[Field], object: &[(Cow<'_, str>, Input<'_>)]) -> Result<Vec<Value>, Mismatch> {
        let mut given: Vec<Option<&Input<'_>>> = vec![None; fields.len()];
        for (name, input) in object {
            let Some(index) = find(fields, name) else {
                let shown: String = name.chars().take(MAX_NAME).collect();
                return self.within(&shown, |reader| Err(reader.unknown_field(fields, name)));
            };
            if given[index].replace(input).is_some() {
                let both = format!("both `{}` and an alias of it", fields[index].name);
                return self.within(&fields[index].name, |reader| Err(reader.mismatch("one value", both)));
            }
        }
        self.deeper(|reader| {
            let mut values = Vec::with_capacity(fields.len());
            for (field, input) in fields.iter().zip(given) {
                let value = reader.within(&field.name, |reader| match input {
                    Some(input) => reader.field(field, input),
                    None => reader.absent(field),
                })?;
                values.push(value);
            }
            Ok(values)
        })
    }

    fn absent(&mut self, field: &Field) -> Result<Value, Mismatch> {
        let value = field.absent().ok_or_else(|| self.mismatch(&field.kind, "nothing"))?;
        self.spend(value.count())?;
        Ok(value)
    }

    fn unknown_field(&self, fields: &[Field], name: &str) -> Mismatch {
        let names: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
        Mismatch {
            suggestion: suggest(fields, name).map(Box::from),
            ..self.mismatch(format!("one of the fields {}", names.join(", ")), "an unknown field")
        }
    }

    fn field(&mut self, field: &Field, input: &Input<'_>) -> Result<Value, Mismatch> {
        if field.nullable && *input == Input::Null {
            return Ok(Value::Null);
        }
        self.value(&field.kind, input)
    }

    fn value(&mut self, kind: &Kind, input: &Input<'_>) -> Result<Value, Mismatch> {
        self.spend(1)?;
        match (kind, input) {
            (Kind::Nullable(_) | Kind::Null, Input::Null) => Ok(Value::Null),
            (Kind::Nullable(kind), input) => self.value(kind, input),
            (Kind::Union(kinds), input) => self.among(kind, kinds, input),
            // Avro has a text form for it, which a schema's author would have used.
            (Kind::Json, Input::Text(text)) if self.convention == Convention::Default => self.written(text),
            (Kind::Json, input) => self.free(input),
            (Kind::Enum(symbols), Input::Text(text)) => self.symbol(kind, symbols, text),
            (Kind::Array(items), Input::List(list)) => self.deeper(|reader| {
                let read = |(index, input)| reader.within(&format!("[{index}]"), |reader| reader.value(items, input));
                list.iter().enumerate().map(read).collect::<Result<_, _>>().map(Value::List)
            }),
            (Kind::Map(values), Input::Object(object)) => self.deeper(|reader| reader.map(values, object)),
            (Kind::Record(fields), Input::Object(object)) => {
                let values = self.fields(fields, object)?;
                Ok(Value::Record(fields.iter().map(|field| field.name.clone()).zip(values).collect()))
            }
            (kind, input) => match (Form { kind, convention: self.convention }).read(input) {
                Ok(value) => Ok(value),
                Err(found) => Err(self.mismatch(kind, found.unwrap_or_else(|| input.article().to_owned()))),
            },
        }
    }

    /// The first of several kinds that fits a value. If only one of them is a record, its fault is reported.
    fn among(&mut self, union: &Kind, kinds: &[Kind], input: &Input<'_>) -> Result<Value, Mismatch> {
        let mut inner = None;
        for kind in kinds {
            match self.value(kind, input) {
                Ok(value) => return Ok(value),
                Err(mismatch) if mismatch.field.len() > self.path.len() => inner = Some(mismatch),
                Err(_) => {}
            }
        }
        Err(inner.unwrap_or_else(|| self.mismatch(union, input.article())))
    }

    /// Parses a text as JSON.
    fn written(&mut self, text: &str) -> Result<Value, Mismatch> {
        match decode::json(text, self.values_left, self.levels_left) {
            Ok((value, count)) => self.spend(count).map(|()| value),
            Err(found) => Err(self.mismatch("JSON as text, such as \"{}\"", found)),
        }
    }

    /// Any JSON, with text for values that JSON lacks.
    fn free(&mut self, input: &Input<'_>) -> Result<Value, Mismatch> {
        Ok(match input {
            Input::Null => Value::Null,
            Input::Bool(value) => Value::Bool(*value),
            Input::Int(number) => Value::Int(*number),
            Input::UInt(number) => Value::Float(*number as f64),
            Input::Float(number) if number.is_finite() => Value::Float(*number),
            Input::Float(_) => return Err(self.mismatch(Kind::Json, input.article())),
            Input::Text(text) => Value::String((&**text).into()),
            Input::Bytes(_) | Input::Moment { .. } => match input.as_text() {
                Some(text) => Value::String((&*text).into()),
                None => return Err(self.mismatch(Kind::Json, "a timestamp out of range")),
            },
            Input::List(items) => self.deeper(|reader| {
                let read =
                    |(index, input)| reader.within(&format!("[{index}]"), |reader| reader.value(&Kind::Json, input));
                items.iter().enumerate().map(read).collect::<Result<_, _>>().map(Value::List)
            })?,
            Input::Object(entries) => self.deeper(|reader| {
                let mut read = Vec::with_capacity(entries.len());
                for (key, input) in entries {
                    let shown: String = key.chars().take(MAX_NAME).collect();
                    let value = reader.within(&format!("[{shown:?}]"), |reader| reader.value(&Kind::Json, input))?;
                    read.push((Arc::from(&**key), value));
                }
                Ok(Value::Record(read))
            })?,
        })
    }

    fn map(&mut self, values: &Kind, object: &[(Cow<'_, str>, Input<'_>)]) -> Result<Value, Mismatch> {
        let mut entries: Vec<(Arc<str>, Value)> = Vec::with_capacity(object.len());
        for (key, input) in object {
            let shown: String = key.chars().take(MAX_NAME).collect();
            let value = self.within(&format!("[{shown:?}]"), |reader| reader.value(values, input))?;
            entries.push(((&**key).into(), value));
        }
        entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        match entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            true => Err(self.mismatch("each key once", "a duplicate key")),
            false => Ok(Value::Record(entries)),
        }
    }

    fn symbol(&self, kind: &Kind, symbols: &Symbols, text: &str) -> Result<Value, Mismatch> {
        match symbols.iter().find(|symbol| &***symbol == text) {
            Some(symbol) => Ok(Value::String(symbol.clone())),
            None => Err(Mismatch {
                suggestion: nearest(text, symbols.iter().map(|symbol| &**symbol)).map(Box::from),
                ..self.mismatch(kind, "a string that is none of them")
            }),
        }
    }
}
