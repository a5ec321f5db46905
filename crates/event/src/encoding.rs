//! Values to bytes: the single-object encoding of Avro.

use serde::Serialize;
use serde::ser::{Error as _, SerializeMap, Serializer};
use serde_avro_fast::ser::{SerError, SerializerConfig};

use crate::{Field, Kind, Schema, Value};

/// The first two bytes of the single-object encoding.
pub(crate) const MARKER: [u8; 2] = [0xC3, 0x01];
/// The length of the marker and the fingerprint.
pub(crate) const HEADER: usize = 10;

/// Encodes something that serializes as the record of a schema.
pub(crate) fn encode<T: Serialize + ?Sized>(schema: &Schema, record: &T) -> Result<Vec<u8>, SerError> {
    let mut body = Vec::with_capacity(128);
    body.extend(MARKER);
    body.extend(schema.fingerprint.to_le_bytes());
    serde_avro_fast::to_datum(record, body, &mut SerializerConfig::new(&schema.codec))
}

/// Encodes the values of a record, which must be in the field order of that very schema.
pub(crate) fn encode_values(schema: &Schema, values: &[Value]) -> Result<Vec<u8>, SerError> {
    encode(schema, &Fields { fields: &schema.fields, values: values.iter() })
}

/// The fields of a record with their values.
struct Fields<'a, I> {
    fields: &'a [Field],
    values: I,
}

impl<'a, I: Iterator<Item = &'a Value> + Clone> Serialize for Fields<'a, I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (field, value) in self.fields.iter().zip(self.values.clone()) {
            map.serialize_entry(&*field.name, &Item { kind: &field.kind, value })?;
        }
        map.end()
    }
}

/// A value with its kind, which says what a number is written as.
struct Item<'a> {
    kind: &'a Kind,
    value: &'a Value,
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.kind, self.value) {
            (_, Value::Null) => serializer.serialize_unit(),
            (Kind::Nullable(kind), value) => Item { kind, value }.serialize(serializer),
            (Kind::Boolean, Value::Bool(value)) => serializer.serialize_bool(*value),
            (Kind::Int, Value::Int(value)) => match i32::try_from(*value) {
                Ok(value) => serializer.serialize_i32(value),
                Err(_) => Err(S::Error::custom("an int out of range")),
            },
            (Kind::Long | Kind::Timestamp, Value::Int(value)) => serializer.serialize_i64(*value),
            (Kind::Float, Value::Float(value)) => serializer.serialize_f32(*value as f32),
            (Kind::Double, Value::Float(value)) => serializer.serialize_f64(*value),
            (Kind::String | Kind::Enum(_), Value::String(text)) => serializer.serialize_str(text),
            (Kind::Bytes | Kind::Fixed(_), Value::Bytes(bytes)) => serializer.serialize_bytes(bytes),
            (Kind::Array(kind), Value::List(items)) => {
                serializer.collect_seq(items.iter().map(|value| Item { kind, value }))
            }
            (Kind::Map(kind), Value::Record(entries)) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (&**key, Item { kind, value })))
            }
            (Kind::Record(fields), Value::Record(entries)) => {
                Fields { fields, values: entries.iter().map(|(_, value)| value) }.serialize(serializer)
            }
            (kind, _) => Err(S::Error::custom(format_args!("a value that is no {kind}"))),
        }
    }
}
