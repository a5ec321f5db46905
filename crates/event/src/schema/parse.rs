//! Schemas from the text of a file.

use std::sync::Arc;

use apache_avro::Schema as Avro;
use apache_avro::rabin::Rabin;
use apache_avro::schema::{RecordField, RecordSchema, UuidSchema};
use serde_json::Value as Json;

use super::{Fault, Field, Kind, Schema, attributes, inline, one_line};
use crate::TypeName;
use crate::json::default_value;

/// A kind with what only a field has beside it.
struct Typed {
    kind: Kind,
    nullable: bool,
    logical: Option<&'static str>,
}

impl Typed {
    fn plain(kind: Kind) -> Self {
        Self { kind, nullable: false, logical: None }
    }

    fn logical(kind: Kind, logical: &'static str) -> Self {
        Self { kind, nullable: false, logical: Some(logical) }
    }
}

/// Reads one version of an event type and checks everything that can be checked without its other versions.
pub(crate) fn parse(event_type: TypeName, version: u32, text: &str) -> Result<Schema, Fault> {
    let not_json = |error| Fault::of_file(format!("not JSON: {error}"));
    let not_avro = |error: &dyn std::fmt::Display| Fault::of_file(format!("not an Avro schema: {}", one_line(error)));
    let json: Json = serde_json::from_str(text).map_err(not_json)?;
    let parsed = Avro::parse(&json).map_err(|error| not_avro(&error))?;
    let definition = inline::inline(&parsed)?;
    let (Avro::Record(record), Avro::Record(RecordSchema { attributes, .. })) = (&definition, &parsed) else {
        return Err(Fault::of_file("the schema of an event must be a record"));
    };
    if record.name.name() != event_type.event() {
        let reason =
            format!("the record is called `{}`, by its path it should be `{}`", record.name.name(), event_type.event());
        return Err(Fault::of_file(reason));
    }
    let fields = fields(record, "")?;
    let state = attributes::state(attributes, &fields)?;
    // Not from the text: of a name that is in there twice the two parsers might take different ones.
    let codec: serde_avro_fast::Schema = json.to_string().parse().map_err(|error| not_avro(&error))?;
    let fingerprint = u64::from_le_bytes(*codec.rabin_fingerprint());
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
        codec,
    })
}

fn apache_fingerprint(schema: &Avro) -> Option<u64> {
    let bytes = schema.fingerprint::<Rabin>().bytes;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

fn fields(record: &RecordSchema, parent: &str) -> Result<Vec<Field>, Fault> {
    let mut fields: Vec<Field> = Vec::with_capacity(record.fields.len());
    for avro in &record.fields {
        let path = if parent.is_empty() { avro.name.clone() } else { format!("{parent}.{}", avro.name) };
        let field = field(avro, &path)?;
        for name in std::iter::once(&field.name).chain(&field.aliases) {
            if let Some(other) = fields.iter().find(|other| other.is_called(name)) {
                return Err(Fault::of_field(path, format!("`{name}` is a name or an alias of `{}` too", other.name)));
            }
        }
        fields.push(field);
    }
    Ok(fields)
}

fn field(avro: &RecordField, path: &str) -> Result<Field, Fault> {
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
    Ok(field)
}

fn typed(schema: &Avro, path: &str) -> Result<Typed, Fault> {
    Ok(match schema {
        Avro::Boolean => Typed::plain(Kind::Boolean),
        Avro::Int => Typed::plain(Kind::Int),
        Avro::Long => Typed::plain(Kind::Long),
        Avro::Float => Typed::plain(Kind::Float),
        Avro::Double => Typed::plain(Kind::Double),
        Avro::String => Typed::plain(Kind::String),
        Avro::Bytes => Typed::plain(Kind::Bytes),
        // What takes no bytes could be repeated without end by a body of a few bytes.
        Avro::Fixed(fixed) if fixed.size == 0 => return Err(Fault::of_field(path, "a fixed must have a size")),
        Avro::Record(record) if record.fields.is_empty() => {
            return Err(Fault::of_field(path, "a nested record must have a field"));
        }
        Avro::Fixed(fixed) => Typed::plain(Kind::Fixed(fixed.size)),
        Avro::Enum(symbols) => {
            Typed::plain(Kind::Enum(symbols.symbols.iter().map(|symbol| symbol.as_str().into()).collect()))
        }
        Avro::Array(array) => Typed::plain(Kind::Array(Box::new(item(&array.items, path)?))),
        Avro::Map(map) => Typed::plain(Kind::Map(Box::new(item(&map.types, path)?))),
        Avro::Record(record) => Typed::plain(Kind::Record(fields(record, path)?.into())),
        Avro::TimestampMillis => Typed::logical(Kind::Timestamp, "timestamp-millis"),
        Avro::TimestampMicros => Typed::logical(Kind::Long, "timestamp-micros"),
        Avro::TimestampNanos => Typed::logical(Kind::Long, "timestamp-nanos"),
        Avro::LocalTimestampMillis => Typed::logical(Kind::Long, "local-timestamp-millis"),
        Avro::LocalTimestampMicros => Typed::logical(Kind::Long, "local-timestamp-micros"),
        Avro::LocalTimestampNanos => Typed::logical(Kind::Long, "local-timestamp-nanos"),
        Avro::TimeMicros => Typed::logical(Kind::Long, "time-micros"),
        Avro::TimeMillis => Typed::logical(Kind::Int, "time-millis"),
        Avro::Date => Typed::logical(Kind::Int, "date"),
        Avro::Uuid(UuidSchema::String) => Typed::logical(Kind::String, "uuid"),
        Avro::Union(union) => nullable(union.variants(), path)?,
        Avro::Null => return Err(Fault::of_field(path, "a field that is always null says nothing; leave it out")),
        Avro::Uuid(_) => return Err(Fault::of_field(path, "a uuid must be a string")),
        Avro::Decimal(_) | Avro::BigDecimal => return Err(unsupported(path, "decimal", "a string or a long")),
        Avro::Duration(_) => return Err(unsupported(path, "duration", "a long of milliseconds")),
        // Replaced before.
        Avro::Ref { name } => return Err(Fault::of_field(path, format!("`{}` is not defined", name.fullname(None)))),
    })
}

fn unsupported(path: &str, what: &str, instead: &str) -> Fault {
    Fault::of_field(path, format!("{what} is not supported; use {instead}"))
}

fn nullable(variants: &[Avro], path: &str) -> Result<Typed, Fault> {
    match variants {
        [Avro::Null, other] | [other, Avro::Null] => Ok(Typed { nullable: true, ..typed(other, path)? }),
        _ => Err(Fault::of_field(path, "a union must be null and one other type")),
    }
}

/// The kind of the items of a list or a map, which have no field to say that they may be null.
fn item(schema: &Avro, path: &str) -> Result<Kind, Fault> {
    let typed = typed(schema, &format!("{path}[]"))?;
    Ok(if typed.nullable { Kind::Nullable(Box::new(typed.kind)) } else { typed.kind })
}
