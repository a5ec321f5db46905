//! Parses schemas.

use apache_avro::Schema as Avro;
use apache_avro::rabin::Rabin;
use apache_avro::schema::RecordSchema;
use serde_json::Value as Json;

use super::canonical::{canonical, fingerprint};
use super::definitions::bare;
use super::{Definitions, Fault, Layouts, Schema, attributes, fields, one_line};
use crate::TypeName;

/// Parses one version of an event type and checks everything that can be checked without its other versions.
pub(crate) fn parse(event_type: TypeName, version: u32, text: &str) -> Result<Schema, Fault> {
    let json = json(text)?;
    let parsed = Avro::parse(&json).map_err(|error| not_avro(&error))?;
    let record = record(&parsed)?;
    if record.name.name() != event_type.event() {
        let reason =
            format!("the record is called `{}`, by its path it should be `{}`", record.name.name(), event_type.event());
        return Err(Fault::of_file(reason));
    }
    let definitions = Definitions::of([&parsed]);
    let layouts = Layouts::new(record, &definitions)?;
    let fields = fields::read(record, &definitions)?;
    let state = attributes::state(&record.attributes, &fields)?;
    let fingerprint = fingerprint(&canonical(&parsed, &definitions));
    let variant_fingerprint = apache_fingerprint(&bare(&parsed)?).filter(|variant| *variant != fingerprint);
    Ok(Schema {
        event_type,
        version,
        fingerprint,
        fields,
        key: state.key,
        revision: state.revision,
        doc: record.doc.clone(),
        variant_fingerprint,
        layouts,
    })
}

/// A schema from a schema registry.
#[derive(Debug)]
pub(crate) struct Foreign {
    /// Its full name.
    pub(crate) name: String,
    /// The fingerprint of its canonical form.
    pub(crate) fingerprint: u64,
    /// The layout of its records in the bytes.
    pub(crate) layouts: Layouts,
}

/// Parses a schema from a schema registry: any record, whatever its name, with the schemas it refers to.
pub(crate) fn parse_foreign(text: &str, references: &[String]) -> Result<Foreign, Fault> {
    let text = without_defaults(text)?;
    let references: Vec<String> = references.iter().map(|text| without_defaults(text)).collect::<Result<_, _>>()?;
    let (parsed, referred) = Avro::parse_str_with_list(&text, references).map_err(|error| not_avro(&error))?;
    let record = record(&parsed)?;
    let definitions = Definitions::of(std::iter::once(&parsed).chain(&referred));
    Ok(Foreign {
        name: record.name.fullname(None),
        fingerprint: fingerprint(&canonical(&parsed, &definitions)),
        layouts: Layouts::new(record, &definitions)?,
    })
}

/// The text of a schema without the defaults of its fields, which a writer does not need. Defaults may nest, so that a
/// few lines would take forever to check.
fn without_defaults(text: &str) -> Result<String, Fault> {
    let mut schema = json(text)?;
    strip(&mut schema);
    Ok(schema.to_string())
}

fn strip(schema: &mut Json) {
    match schema {
        Json::Array(variants) => variants.iter_mut().for_each(strip),
        Json::Object(entries) => {
            entries.remove("default");
            for key in ["type", "items", "values", "fields"] {
                if let Some(inner) = entries.get_mut(key) {
                    strip(inner);
                }
            }
        }
        _ => {}
    }
}

fn json(text: &str) -> Result<Json, Fault> {
    serde_json::from_str(text)
        .map_err(|error| Fault { line: Some(error.line()), ..Fault::of_file(format!("not JSON: {error}")) })
}

fn not_avro(error: &apache_avro::Error) -> Fault {
    Fault::of_file(format!("not an Avro schema: {}", one_line(error)))
}

fn record(schema: &Avro) -> Result<&RecordSchema, Fault> {
    match schema {
        Avro::Record(record) => Ok(record),
        _ => Err(Fault::of_file("the schema of an event must be a record")),
    }
}

fn apache_fingerprint(schema: &Avro) -> Option<u64> {
    let bytes = schema.fingerprint::<Rabin>().bytes;
    bytes.try_into().ok().map(u64::from_le_bytes)
}
