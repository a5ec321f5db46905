//! Symbols that the reader does not know are its default, as Avro asks.

use apache_avro::Schema as Avro;
use apache_avro::schema::{RecordField, UnionSchema};

/// Puts the reader's default in the place of every symbol of the writer that it does not know.
///
/// What has no default was refused before, and what the reader passes over stays as it is.
pub(super) fn adapt(writer: &mut Avro, reader: &Avro) {
    match (writer, reader) {
        (Avro::Enum(writer), Avro::Enum(reader)) => {
            let Some(default) = &reader.default else { return };
            for symbol in writer.symbols.iter_mut().filter(|symbol| !reader.symbols.contains(symbol)) {
                symbol.clone_from(default);
            }
        }
        (Avro::Record(writer), Avro::Record(reader)) => {
            for field in &mut writer.fields {
                if let Some(read) = reader.fields.iter().find(|read| is_source(field, read)) {
                    adapt(&mut field.schema, &read.schema);
                }
            }
        }
        (Avro::Array(writer), Avro::Array(reader)) => adapt(&mut writer.items, &reader.items),
        (Avro::Map(writer), Avro::Map(reader)) => adapt(&mut writer.types, &reader.types),
        (Avro::Union(writer), reader) => {
            let mut variants = writer.variants().to_vec();
            for variant in &mut variants {
                adapt(variant, reader);
            }
            // The variants keep their kinds, so they are a union still.
            if let Ok(adapted) = UnionSchema::new(variants) {
                *writer = adapted;
            }
        }
        (writer, Avro::Union(reader)) => {
            if let Some(reader) = reader.variants().iter().find(|variant| !matches!(variant, Avro::Null)) {
                adapt(writer, reader);
            }
        }
        _ => {}
    }
}

fn is_source(written: &RecordField, read: &RecordField) -> bool {
    read.name == written.name || read.aliases.contains(&written.name)
}
