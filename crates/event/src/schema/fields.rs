//! The fields of an event, and their kinds.

use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::Schema as Avro;
use apache_avro::schema::{Alias, EnumSchema, Name, RecordField, RecordSchema, UnionSchema, UuidSchema};
use serde_json::Value as Json;

use super::kind::{Fields, Symbols};
use super::{Definitions, Fault, Field, JSON, Kind, Unit};
use crate::json::default_value;
use crate::suggest::nearest;

/// Reads the fields of an event.
pub(super) fn read(event: &RecordSchema, definitions: &Definitions<'_>) -> Result<Vec<Field>, Fault> {
    let mut reader = Reader { definitions, known: HashMap::new() };
    // The event may contain itself too.
    let record = reader.record(event, "")?;
    Ok(record.to_vec())
}

/// A kind, and the properties that only a field has.
struct Typed {
    kind: Kind,
    nullable: bool,
    logical: Option<&'static str>,
}

struct Reader<'d> {
    definitions: &'d Definitions<'d>,
    /// The records that were read, or are being read, by their full names.
    known: HashMap<String, Fields>,
}

impl Reader<'_> {
    fn record(&mut self, record: &RecordSchema, path: &str) -> Result<Fields, Fault> {
        let name = record.name.fullname(None);
        if let Some(known) = self.known.get(&name) {
            return Ok(known.clone());
        }
        let open = Fields::open(names(&record.name, record.aliases.as_deref()));
        self.known.insert(name, open.clone());
        let mut fields: Vec<Field> = Vec::with_capacity(record.fields.len());
        for avro in &record.fields {
            let path = if path.is_empty() { avro.name.clone() } else { format!("{path}.{}", avro.name) };
            let field = self.field(avro, &path)?;
            for name in std::iter::once(&field.name).chain(&field.aliases) {
                if let Some(other) = fields.iter().find(|other| other.is_called(name)) {
                    return Err(Fault::of_field(
                        path,
                        format!("`{name}` is a name or an alias of `{}` too", other.name),
                    ));
                }
            }
            fields.push(field);
        }
        // Only now, so that a default that contains the record itself is not read with half of its fields.
        for (field, avro) in fields.iter_mut().zip(&record.fields) {
            if let Some(json) = &avro.default {
                let path = if path.is_empty() { avro.name.clone() } else { format!("{path}.{}", avro.name) };
                field.default = Some(default_value(field, json).map_err(|(at, reason)| {
                    let at = if at.is_empty() { at } else { format!(" at {at}") };
                    Fault::of_field(path, format!("the default does not fit{at}: {reason}"))
                })?);
            }
        }
        open.close(fields);
        Ok(open)
    }

    fn field(&mut self, avro: &RecordField, path: &str) -> Result<Field, Fault> {
        if avro.custom_attributes.contains_key("logicalType") {
            return Err(Fault::of_field(path, "`logicalType` belongs within the type, beside `\"type\"`"));
        }
        let mut typed = self.typed(&avro.schema, path)?;
        if is_json(avro, path)? {
            if typed.kind != Kind::String {
                return Err(Fault::of_field(path, format!("`{JSON}` needs a string, and this is {}", typed.kind)));
            }
            typed.kind = Kind::Json;
        }
        Ok(Field {
            name: avro.name.as_str().into(),
            aliases: avro.aliases.iter().map(|alias| alias.as_str().into()).collect(),
            kind: typed.kind,
            nullable: typed.nullable,
            default: None,
            logical: typed.logical,
            doc: avro.doc.as_deref().map(Arc::from),
        })
    }

    fn typed(&mut self, schema: &Avro, path: &str) -> Result<Typed, Fault> {
        let kind = match schema {
            Avro::Null => Kind::Null,
            Avro::Boolean => Kind::Boolean,
            Avro::Int => Kind::Int,
            Avro::Long => Kind::Long,
            Avro::Float => Kind::Float,
            Avro::Double => Kind::Double,
            Avro::String => Kind::String,
            Avro::Bytes => Kind::Bytes,
            Avro::Fixed(fixed) => Kind::Fixed(fixed.size),
            Avro::Enum(symbols) => Kind::Enum(self::symbols(symbols)),
            Avro::Array(array) => Kind::Array(Box::new(self.item(&array.items, path)?)),
            Avro::Map(map) => Kind::Map(Box::new(self.item(&map.types, path)?)),
            Avro::Record(record) => Kind::Record(self.record(record, path)?),
            Avro::Union(union) => return self.union(union, path),
            Avro::Ref { name } => {
                let name = name.fullname(None);
                if let Some(known) = self.known.get(&name) {
                    return Ok(Typed { kind: Kind::Record(known.clone()), nullable: false, logical: None });
                }
                let definitions = self.definitions;
                return self.typed(definitions.find(&name, path)?, path);
            }
            other => return Ok(logical(other)),
        };
        Ok(Typed { nullable: kind == Kind::Null, kind, logical: None })
    }

    fn union(&mut self, union: &UnionSchema, path: &str) -> Result<Typed, Fault> {
        let variants: Vec<&Avro> = union.variants().iter().filter(|variant| !matches!(variant, Avro::Null)).collect();
        let nullable = variants.len() < union.variants().len();
        match variants.as_slice() {
            [] => Err(Fault::of_field(path, "a union without a type")),
            [one] => Ok(Typed { nullable, ..self.typed(one, path)? }),
            several => {
                let kinds: Result<Vec<Kind>, _> =
                    several.iter().map(|variant| self.typed(variant, path).map(|typed| typed.kind)).collect();
                let kinds = kinds?;
                let is_whole = |kind: &Kind| matches!(kind, Kind::Int | Kind::Long) || kind.is_time();
                if kinds.iter().any(Kind::is_time) && kinds.iter().filter(|kind| is_whole(kind)).count() > 1 {
                    let reason = "a union holds a date or time and another whole number, and nobody could tell which \
                                  of them a value is; give each a field of its own";
                    return Err(Fault::of_field(path, reason));
                }
                Ok(Typed { kind: Kind::Union(kinds.into()), nullable, logical: None })
            }
        }
    }

    /// The kind of the items of a list or a map, which have no field that could make them nullable.
    fn item(&mut self, schema: &Avro, path: &str) -> Result<Kind, Fault> {
        let Typed { kind, nullable, .. } = self.typed(schema, &format!("{path}[]"))?;
        Ok(if nullable && kind != Kind::Null { Kind::Nullable(Box::new(kind)) } else { kind })
    }
}

/// The logical types that Avro writes as one of the others.
fn logical(schema: &Avro) -> Typed {
    let (kind, logical) = match schema {
        Avro::Decimal(decimal) => {
            (Kind::Decimal { scale: Some(u32::try_from(decimal.scale).unwrap_or(u32::MAX)) }, "decimal")
        }
        Avro::BigDecimal => (Kind::Decimal { scale: None }, "big-decimal"),
        Avro::Uuid(UuidSchema::String) => (Kind::String, "uuid"),
        Avro::Uuid(_) => (Kind::Uuid, "uuid"),
        Avro::Duration(_) => (Kind::Duration, "duration"),
        Avro::TimestampMillis => (Kind::Timestamp(Unit::Millis), "timestamp-millis"),
        Avro::TimestampMicros => (Kind::Timestamp(Unit::Micros), "timestamp-micros"),
        Avro::TimestampNanos => (Kind::Timestamp(Unit::Nanos), "timestamp-nanos"),
        Avro::LocalTimestampMillis => (Kind::LocalTimestamp(Unit::Millis), "local-timestamp-millis"),
        Avro::LocalTimestampMicros => (Kind::LocalTimestamp(Unit::Micros), "local-timestamp-micros"),
        Avro::LocalTimestampNanos => (Kind::LocalTimestamp(Unit::Nanos), "local-timestamp-nanos"),
        Avro::TimeMillis => (Kind::TimeOfDay(Unit::Millis), "time-millis"),
        Avro::TimeMicros => (Kind::TimeOfDay(Unit::Micros), "time-micros"),
        Avro::Date => (Kind::Date, "date"),
        // The parser knows no other type.
        _ => (Kind::Null, "null"),
    };
    Typed { kind, nullable: false, logical: Some(logical) }
}

fn symbols(avro: &EnumSchema) -> Symbols {
    let all = avro.symbols.iter().map(|symbol| symbol.as_str().into()).collect();
    Symbols::new(names(&avro.name, avro.aliases.as_deref()), all, avro.default.as_deref().map(Arc::from))
}

/// A name and its aliases, without their namespaces: versions and other services use different namespaces.
fn names(name: &Name, aliases: Option<&[Alias]>) -> Vec<Arc<str>> {
    let aliases = aliases.unwrap_or_default().iter().map(|alias| Arc::from(alias.name()));
    std::iter::once(Arc::from(name.name())).chain(aliases).collect()
}

/// Whether the field's text is JSON; no other attribute of ours is allowed.
fn is_json(avro: &RecordField, path: &str) -> Result<bool, Fault> {
    let unknown = avro.custom_attributes.keys().find(|name| name.starts_with("fanfare.") && *name != JSON);
    if let Some(name) = unknown {
        let hint = nearest(name, [JSON]).map(|near| format!("; did you mean `{near}`?"));
        let reason = format!("a field has no attribute `{name}`{}", hint.unwrap_or_default());
        return Err(Fault::of_field(path, reason));
    }
    match avro.custom_attributes.get(JSON) {
        None => Ok(false),
        Some(Json::Bool(said)) => Ok(*said),
        Some(_) => Err(Fault::of_field(path, format!("`{JSON}` must be true or false"))),
    }
}
