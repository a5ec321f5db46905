//! Schemas from the text of a file.

use std::sync::Arc;

use apache_avro::Schema as Avro;
use apache_avro::rabin::Rabin;
use apache_avro::schema::{RecordField, RecordSchema, UuidSchema};
use serde_json::Value as Json;

use super::canonical::{canonical, fingerprint};
use super::{Fault, Field, Kind, Layout, RecordLayout, Schema, attributes, inline, one_line};
use crate::TypeName;
use crate::json::default_value;

/// A kind with how it lies in the bytes, and with what only a field has beside it.
struct Typed {
    kind: Kind,
    layout: Layout,
    nullable: bool,
    logical: Option<&'static str>,
}

impl Typed {
    fn plain(kind: Kind, layout: Layout) -> Self {
        Self { kind, layout, nullable: false, logical: None }
    }

    fn logical(kind: Kind, layout: Layout, logical: &'static str) -> Self {
        Self { kind, layout, nullable: false, logical: Some(logical) }
    }
}

/// Reads one version of an event type and checks everything that can be checked without its other versions.
pub(crate) fn parse(event_type: TypeName, version: u32, text: &str) -> Result<Schema, Fault> {
    let not_json = |error| Fault::of_file(format!("not JSON: {error}"));
    let not_avro = |error| Fault::of_file(format!("not an Avro schema: {}", one_line(&error)));
    let json: Json = serde_json::from_str(text).map_err(not_json)?;
    let parsed = Avro::parse(&json).map_err(not_avro)?;
    let definition = inline::inline(&parsed)?;
    let (Avro::Record(record), Avro::Record(RecordSchema { attributes, .. })) = (&definition, &parsed) else {
        return Err(Fault::of_file("the schema of an event must be a record"));
    };
    if record.name.name() != event_type.event() {
        let reason =
            format!("the record is called `{}`, by its path it should be `{}`", record.name.name(), event_type.event());
        return Err(Fault::of_file(reason));
    }
    let (fields, layout) = fields(record, "")?;
    let state = attributes::state(attributes, &fields)?;
    let fingerprint = fingerprint(&canonical(&definition));
    Ok(Schema {
        event_type,
        version,
        fingerprint,
        fields,
        key: state.key,
        revision: state.revision,
        doc: record.doc.clone(),
        variant_fingerprint: apache_fingerprint(&definition).filter(|variant| *variant != fingerprint),
        definition,
        layout,
    })
}

/// Reads a schema of a schema registry: any record, whatever its name, without references and within the bounds.
pub(crate) fn parse_foreign(text: &str) -> Result<Avro, Fault> {
    let json: Json = serde_json::from_str(text).map_err(|error| Fault::of_file(format!("not JSON: {error}")))?;
    let parsed =
        Avro::parse(&json).map_err(|error| Fault::of_file(format!("not an Avro schema: {}", one_line(&error))))?;
    let definition = inline::inline(&parsed)?;
    let Avro::Record(record) = &definition else {
        return Err(Fault::of_file("the schema of an event must be a record"));
    };
    // What cannot be read is found before it is needed.
    fields(record, "")?;
    Ok(definition)
}

/// How the records of a schema lie in the bytes.
pub(crate) fn layout(record: &RecordSchema) -> Result<RecordLayout, Fault> {
    fields(record, "").map(|(_, layout)| layout)
}

/// The CRC-64-AVRO fingerprint of the canonical form of a schema without references.
pub(crate) fn fingerprint_of(definition: &Avro) -> u64 {
    fingerprint(&canonical(definition))
}

fn apache_fingerprint(schema: &Avro) -> Option<u64> {
    let bytes = schema.fingerprint::<Rabin>().bytes;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

fn fields(record: &RecordSchema, parent: &str) -> Result<(Vec<Field>, RecordLayout), Fault> {
    let mut fields: Vec<Field> = Vec::with_capacity(record.fields.len());
    let mut layouts = Vec::with_capacity(record.fields.len());
    for avro in &record.fields {
        let path = if parent.is_empty() { avro.name.clone() } else { format!("{parent}.{}", avro.name) };
        let (field, layout) = field(avro, &path)?;
        for name in std::iter::once(&field.name).chain(&field.aliases) {
            if let Some(other) = fields.iter().find(|other| other.is_called(name)) {
                return Err(Fault::of_field(path, format!("`{name}` is a name or an alias of `{}` too", other.name)));
            }
        }
        layouts.push((field.name.clone(), layout));
        fields.push(field);
    }
    Ok((fields, layouts.into()))
}

fn field(avro: &RecordField, path: &str) -> Result<(Field, Layout), Fault> {
    let typed = typed(&avro.schema, path)?;
    let mut field = Field {
        name: avro.name.as_str().into(),
        aliases: avro.aliases.iter().map(|alias| alias.as_str().into()).collect(),
        kind: typed.kind,
        nullable: typed.nullable,
        default: None,
        logical: typed.logical,
        doc: avro.doc.as_deref().map(Arc::from),
    };
    if let Some(json) = &avro.default {
        let default = default_value(&field, json).map_err(|(at, reason)| {
            Fault::of_field(
                path,
                format!("the default does not fit{}: {reason}", if at.is_empty() { at } else { format!(" at {at}") }),
            )
        })?;
        field.default = Some(default);
    }
    Ok((field, typed.layout))
}

fn typed(schema: &Avro, path: &str) -> Result<Typed, Fault> {
    Ok(match schema {
        Avro::Boolean => Typed::plain(Kind::Boolean, Layout::Boolean),
        Avro::Int => Typed::plain(Kind::Int, Layout::Int),
        Avro::Long => Typed::plain(Kind::Long, Layout::Long),
        Avro::Float => Typed::plain(Kind::Float, Layout::Float),
        Avro::Double => Typed::plain(Kind::Double, Layout::Double),
        Avro::String => Typed::plain(Kind::String, Layout::String),
        Avro::Bytes => Typed::plain(Kind::Bytes, Layout::Bytes),
        // What takes no bytes could be repeated without end by a body of a few bytes.
        Avro::Fixed(fixed) if fixed.size == 0 => return Err(Fault::of_field(path, "a fixed must have a size")),
        Avro::Record(record) if record.fields.is_empty() => {
            return Err(Fault::of_field(path, "a nested record must have a field"));
        }
        Avro::Fixed(fixed) => Typed::plain(Kind::Fixed(fixed.size), Layout::Fixed(fixed.size)),
        Avro::Enum(symbols) => {
            let symbols: Arc<[Arc<str>]> = symbols.symbols.iter().map(|symbol| symbol.as_str().into()).collect();
            Typed::plain(Kind::Enum(symbols.clone()), Layout::Enum(symbols))
        }
        Avro::Array(array) => {
            let (kind, layout) = item(&array.items, path)?;
            Typed::plain(Kind::Array(Box::new(kind)), Layout::Array(Box::new(layout)))
        }
        Avro::Map(map) => {
            let (kind, layout) = item(&map.types, path)?;
            Typed::plain(Kind::Map(Box::new(kind)), Layout::Map(Box::new(layout)))
        }
        Avro::Record(record) => {
            let (fields, layout) = fields(record, path)?;
            Typed::plain(Kind::Record(fields.into()), Layout::Record(layout))
        }
        Avro::Union(union) => nullable(union.variants(), path)?,
        Avro::Null => return Err(Fault::of_field(path, "a field that is always null says nothing; leave it out")),
        other => logical(other, path)?,
    })
}

/// The types with a meaning of their own that Avro writes as one of the others.
fn logical(schema: &Avro, path: &str) -> Result<Typed, Fault> {
    let int = |logical| Typed::logical(Kind::Int, Layout::Int, logical);
    let long = |logical| Typed::logical(Kind::Long, Layout::Long, logical);
    Ok(match schema {
        Avro::TimestampMillis => Typed::logical(Kind::Timestamp, Layout::Long, "timestamp-millis"),
        Avro::TimestampMicros => long("timestamp-micros"),
        Avro::TimestampNanos => long("timestamp-nanos"),
        Avro::LocalTimestampMillis => long("local-timestamp-millis"),
        Avro::LocalTimestampMicros => long("local-timestamp-micros"),
        Avro::LocalTimestampNanos => long("local-timestamp-nanos"),
        Avro::TimeMicros => long("time-micros"),
        Avro::TimeMillis => int("time-millis"),
        Avro::Date => int("date"),
        Avro::Uuid(UuidSchema::String) => Typed::logical(Kind::String, Layout::String, "uuid"),
        Avro::Uuid(_) => return Err(Fault::of_field(path, "a uuid must be a string")),
        Avro::Decimal(_) | Avro::BigDecimal => return Err(unsupported(path, "decimal", "a string or a long")),
        Avro::Duration(_) => return Err(unsupported(path, "duration", "a long of milliseconds")),
        Avro::Ref { name } => return Err(Fault::of_field(path, format!("`{}` is not defined", name.fullname(None)))),
        _ => return Err(Fault::of_field(path, "its type is not supported")),
    })
}

fn unsupported(path: &str, what: &str, instead: &str) -> Fault {
    Fault::of_field(path, format!("{what} is not supported; use {instead}"))
}

fn nullable(variants: &[Avro], path: &str) -> Result<Typed, Fault> {
    let (null_first, other) = match variants {
        [Avro::Null, other] => (true, other),
        [other, Avro::Null] => (false, other),
        _ => return Err(Fault::of_field(path, "a union must be null and one other type")),
    };
    let typed = typed(other, path)?;
    let layout = Layout::Nullable { null_first, value: Box::new(typed.layout) };
    Ok(Typed { layout, nullable: true, ..typed })
}

/// The kind of the items of a list or a map, which have no field to say that they may be null.
fn item(schema: &Avro, path: &str) -> Result<(Kind, Layout), Fault> {
    let Typed { kind, layout, nullable, .. } = typed(schema, &format!("{path}[]"))?;
    Ok((if nullable { Kind::Nullable(Box::new(kind)) } else { kind }, layout))
}
