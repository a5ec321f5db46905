//! Whether two versions of an event type can read each other's records.

use apache_avro::Schema as Avro;
use apache_avro::schema::{RecordField, RecordSchema, SchemaKind};
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};

use crate::Schema;
use crate::schema::{Fault, one_line};

/// Checks that each of two versions reads everything that the other writes, and that both name the same key.
///
/// `apache-avro` gives the verdict but names no field where only some values fit, takes milliseconds for microseconds
/// and text for bytes. So the fields are walked here, to find the one at fault and to refuse such changes.
pub(super) fn check(older: &Schema, newer: &Schema) -> Result<(), Fault> {
    for (writer, reader) in [(older, newer), (newer, older)] {
        let verdict = readable(&writer.definition, &reader.definition, "", Rules::Versions)
            .and_then(|()| full(&writer.definition, &reader.definition).map_err(Fault::of_file));
        verdict.map_err(|fault| Fault {
            reason: format!("v{} cannot read what v{} wrote: {}", reader.version, writer.version, fault.reason),
            ..fault
        })?;
    }
    same_state(older, newer)
}

/// Checks that a version reads everything that a schema of another making writes.
pub(super) fn check_foreign(writer: &Avro, reader: &Schema) -> Result<(), Fault> {
    readable(writer, &reader.definition, "", Rules::Foreign)
}

/// How much a writer may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rules {
    /// Versions of one type, which must read each other.
    Versions,
    /// A schema that is only read: smaller numbers fit into larger ones, and what is of no use is passed over.
    Foreign,
}

/// Finds what keeps a reader from reading what a writer wrote.
fn readable(writer: &Avro, reader: &Avro, path: &str, rules: Rules) -> Result<(), Fault> {
    match (writer, reader) {
        (Avro::Record(writer), Avro::Record(reader)) => record(writer, reader, path, rules),
        (Avro::Array(writer), Avro::Array(reader)) => {
            readable(&writer.items, &reader.items, &format!("{path}[]"), rules)
        }
        (Avro::Map(writer), Avro::Map(reader)) => readable(&writer.types, &reader.types, &format!("{path}[]"), rules),
        (Avro::Union(writer), Avro::Union(reader)) => {
            readable(not_null(writer.variants()), not_null(reader.variants()), path, rules)
        }
        (Avro::Union(_), _) => Err(Fault::of_field(path, "it may be null there, but not here")),
        (writer, Avro::Union(reader)) => readable(writer, not_null(reader.variants()), path, rules),
        (Avro::Int, Avro::Long) | (Avro::Float, Avro::Double) if rules == Rules::Foreign => Ok(()),
        (writer, reader) => {
            let (wrote, reads) = (SchemaKind::from(writer), SchemaKind::from(reader));
            if wrote != reads {
                return Err(Fault::of_field(path, format!("its type is {wrote:?} there, and {reads:?} here")));
            }
            full(writer, reader).map_err(|reason| Fault::of_field(path, reason))
        }
    }
}

fn record(writer: &RecordSchema, reader: &RecordSchema, path: &str, rules: Rules) -> Result<(), Fault> {
    for field in &reader.fields {
        let path = if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
        match written(field, writer) {
            Some(written) => readable(&written.schema, &field.schema, &path, rules)?,
            None if field.default.is_some() => {}
            // As the version itself reads a body of ours that lacks the field.
            None if rules == Rules::Foreign && matches!(field.schema, Avro::Union(_)) => {}
            None => return Err(Fault::of_field(path, "it is missing there, and has no default here")),
        }
    }
    Ok(())
}

fn written<'a>(field: &RecordField, writer: &'a RecordSchema) -> Option<&'a RecordField> {
    let by_name = |name: &String| writer.fields.iter().find(|written| written.name == *name);
    by_name(&field.name).or_else(|| field.aliases.iter().find_map(by_name))
}

/// The variant beside null; a schema with any other union is refused before.
fn not_null(variants: &[Avro]) -> &Avro {
    variants.iter().find(|variant| !matches!(variant, Avro::Null)).unwrap_or(&Avro::Null)
}

/// The verdict of `apache-avro`.
fn full(writer: &Avro, reader: &Avro) -> Result<(), String> {
    match SchemaCompatibility::can_read(writer, reader) {
        Ok(Compatibility::Full) => Ok(()),
        Ok(Compatibility::Partial) => Err(match (writer, reader) {
            (Avro::Enum(writer), Avro::Enum(reader)) => {
                let unknown: Vec<&str> = writer
                    .symbols
                    .iter()
                    .filter(|symbol| !reader.symbols.contains(symbol))
                    .map(String::as_str)
                    .collect();
                format!("the symbols {} are missing here, and the enum has no default", unknown.join(", "))
            }
            _ => "some values do not fit".to_owned(),
        }),
        Err(error) => Err(one_line(&error)),
    }
}

/// A key that changes would leave the state of the old one behind for ever.
fn same_state(older: &Schema, newer: &Schema) -> Result<(), Fault> {
    let names = |schema: &Schema| -> Vec<String> {
        schema.key.iter().map(|index| schema.fields[*index].name.to_string()).collect()
    };
    let (was, is) = (names(older), names(newer));
    if was != is {
        let shown = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        return Err(Fault::of_file(format!(
            "`fanfare.key` names {} in v{}, and {} in v{}; all versions must name the same fields",
            shown(&was),
            older.version,
            shown(&is),
            newer.version
        )));
    }
    let revision = |schema: &Schema| schema.revision.map(|index| schema.fields[index].name.clone());
    match revision(older) {
        Some(was) if revision(newer).as_ref() != Some(&was) => Err(Fault::of_field(
            &*was,
            format!("`fanfare.revision` names it in v{}, but not in v{}", older.version, newer.version),
        )),
        _ => Ok(()),
    }
}
