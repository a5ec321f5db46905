//! The canonical form of a schema and its fingerprint, as Avro's specification defines them.
//!
//! apache-avro has both too, but keeps part of logical types in the form, so that its fingerprints differ.

use std::collections::HashSet;

use apache_avro::Schema as Avro;
use apache_avro::schema::{FixedSchema, InnerDecimalSchema, Name, UuidSchema};

use super::Definitions;

/// The canonical form: primitive types by their plain names, named types by their full names and written out at their
/// first use, and nothing that does not affect the meaning of the bytes.
pub(super) fn canonical(schema: &Avro, definitions: &Definitions<'_>) -> String {
    let mut writer = Writer { text: String::new(), written: HashSet::new(), definitions };
    writer.schema(schema);
    writer.text
}

/// CRC-64-AVRO.
pub(super) fn fingerprint(text: &str) -> u64 {
    const EMPTY: u64 = 0xc15d_213a_a4d7_a795;
    text.bytes().fold(EMPTY, |crc, byte| {
        (0..8).fold(crc ^ u64::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { EMPTY } else { 0 })
    })
}

struct Writer<'d> {
    text: String,
    /// Types from other schemas are written out at their first use, too.
    definitions: &'d Definitions<'d>,
    /// The full names that have been written out.
    written: HashSet<String>,
}

impl Writer<'_> {
    fn schema(&mut self, schema: &Avro) {
        match schema {
            Avro::Null => self.quoted("null"),
            Avro::Boolean => self.quoted("boolean"),
            Avro::Int | Avro::Date | Avro::TimeMillis => self.quoted("int"),
            Avro::Long
            | Avro::TimeMicros
            | Avro::TimestampMillis
            | Avro::TimestampMicros
            | Avro::TimestampNanos
            | Avro::LocalTimestampMillis
            | Avro::LocalTimestampMicros
            | Avro::LocalTimestampNanos => self.quoted("long"),
            Avro::Float => self.quoted("float"),
            Avro::Double => self.quoted("double"),
            Avro::String | Avro::Uuid(UuidSchema::String) => self.quoted("string"),
            Avro::Bytes | Avro::BigDecimal | Avro::Uuid(UuidSchema::Bytes) => self.quoted("bytes"),
            Avro::Decimal(decimal) => match &decimal.inner {
                InnerDecimalSchema::Bytes => self.quoted("bytes"),
                InnerDecimalSchema::Fixed(fixed) => self.fixed(fixed),
            },
            Avro::Fixed(fixed) | Avro::Duration(fixed) | Avro::Uuid(UuidSchema::Fixed(fixed)) => self.fixed(fixed),
            Avro::Array(array) => self.container("array", "items", &array.items),
            Avro::Map(map) => self.container("map", "values", &map.types),
            Avro::Union(union) => self.list(union.variants(), Self::schema),
            Avro::Enum(symbols) => self.named(&symbols.name, "enum", |writer| {
                writer.text.push_str(",\"symbols\":");
                writer.list(&symbols.symbols, |writer, symbol| writer.quoted(symbol));
            }),
            Avro::Record(record) => self.named(&record.name, "record", |writer| {
                writer.text.push_str(",\"fields\":");
                writer.list(&record.fields, |writer, field| {
                    writer.text.push_str("{\"name\":");
                    writer.quoted(&field.name);
                    writer.text.push_str(",\"type\":");
                    writer.schema(&field.schema);
                    writer.text.push('}');
                });
            }),
            Avro::Ref { name } => {
                let name = name.fullname(None);
                match self.definitions.get(&name) {
                    Some(definition) if !self.written.contains(&name) => self.schema(definition),
                    _ => self.quoted(&name),
                }
            }
        }
    }

    fn fixed(&mut self, fixed: &FixedSchema) {
        self.named(&fixed.name, "fixed", |writer| writer.text.push_str(&format!(",\"size\":{}", fixed.size)));
    }

    fn container(&mut self, kind: &str, of: &str, inner: &Avro) {
        self.text.push_str(&format!("{{\"type\":\"{kind}\",\"{of}\":"));
        self.schema(inner);
        self.text.push('}');
    }

    /// Writes a named type in full, or only its name if it was written before.
    fn named(&mut self, name: &Name, kind: &str, rest: impl FnOnce(&mut Self)) {
        let name = name.fullname(None);
        if !self.written.insert(name.clone()) {
            return self.quoted(&name);
        }
        self.text.push_str("{\"name\":");
        self.quoted(&name);
        self.text.push_str(&format!(",\"type\":\"{kind}\""));
        rest(self);
        self.text.push('}');
    }

    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.text.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            write(self, item);
        }
        self.text.push(']');
    }

    /// Writes a name; the parser allows only letters, digits, `_` and `.`, so nothing needs escaping.
    fn quoted(&mut self, name: &str) {
        self.text.push('"');
        self.text.push_str(name);
        self.text.push('"');
    }
}
