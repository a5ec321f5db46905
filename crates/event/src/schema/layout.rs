//! The layout of values in the bytes.

use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::Schema as Avro;
use apache_avro::schema::{InnerDecimalSchema, RecordSchema, UnionSchema, UuidSchema};

use super::{Definitions, Fault, Unit};
use crate::scalar::decimal::MAX_SCALE;

/// The largest nesting depth of types without a name; a union counts as a level.
const MAX_DEPTH: usize = 30;

/// The largest nesting depth of records.
pub(crate) const MAX_CHAIN: usize = 64;

/// The records of a schema and their layout in the bytes. The first is the event.
#[derive(Debug)]
pub(crate) struct Layouts {
    records: Vec<RecordLayout>,
    /// For each record, whether it takes no bytes at all.
    empty: Vec<bool>,
}

/// One record.
#[derive(Debug)]
pub(crate) struct RecordLayout {
    /// Its name without its namespace.
    pub(crate) name: Arc<str>,
    /// Its fields in the order of the bytes.
    pub(crate) fields: Box<[(Arc<str>, Layout)]>,
}

/// The layout of a value in the bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Layout {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    String,
    Bytes,
    Fixed(usize),
    Enum {
        name: Arc<str>,
        symbols: Arc<[Arc<str>]>,
    },
    Array(Box<Layout>),
    Map(Box<Layout>),
    /// The record with this number.
    Record(usize),
    /// A union of null and one other type.
    Nullable {
        /// Whether null is the first of the two.
        null_first: bool,
        value: Box<Layout>,
    },
    /// Any other union.
    Union(Box<[Layout]>),
    /// A logical type that is written as one of the others.
    Logical(Logical, Box<Layout>),
}

/// The meaning of an Avro type beyond its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logical {
    Decimal { scale: u32 },
    BigDecimal,
    Uuid,
    Duration,
    Timestamp(Unit),
    LocalTimestamp(Unit),
    Date,
    TimeOfDay(Unit),
    Json,
}

impl Layouts {
    /// Reads the layout of a schema's records.
    pub(crate) fn new(event: &RecordSchema, definitions: &Definitions<'_>) -> Result<Self, Fault> {
        let mut reader = Reader { definitions, known: HashMap::new(), records: Vec::new(), depth: 0 };
        reader.record(event, "")?;
        let records: Vec<RecordLayout> = reader.records.into_iter().flatten().collect();
        let empty = sizes(&records)?;
        Ok(Self { records, empty })
    }

    /// The event.
    pub(crate) fn event(&self) -> &RecordLayout {
        &self.records[0]
    }

    /// A record by its number.
    pub(crate) fn record(&self, number: usize) -> &RecordLayout {
        &self.records[number]
    }

    /// Whether values of this layout take no bytes at all.
    pub(crate) fn is_empty(&self, layout: &Layout) -> bool {
        is_empty(layout, &|number| self.empty[number])
    }
}

fn is_empty(layout: &Layout, record: &impl Fn(usize) -> bool) -> bool {
    match layout {
        Layout::Null | Layout::Fixed(0) => true,
        Layout::Logical(_, inner) => is_empty(inner, record),
        Layout::Record(number) => record(*number),
        _ => false,
    }
}

/// For each record, whether it takes no bytes at all.
///
/// A record that contains itself outside a union, a list or a map has no finite value, and is refused.
fn sizes(records: &[RecordLayout]) -> Result<Vec<bool>, Fault> {
    let mut visits = vec![Visit::Not; records.len()];
    let empty = (0..records.len()).map(|number| visit(number, records, &mut visits, 0));
    empty.collect()
}

#[derive(Clone, Copy)]
enum Visit {
    Not,
    Open,
    Done(bool),
}

fn visit(number: usize, records: &[RecordLayout], visits: &mut [Visit], depth: usize) -> Result<bool, Fault> {
    let name = &records[number].name;
    match visits[number] {
        Visit::Done(empty) => return Ok(empty),
        Visit::Open => {
            let reason =
                format!("`{name}` contains itself without end; only a union, a list or a map can hold it again");
            return Err(Fault::of_file(reason));
        }
        Visit::Not if depth > MAX_CHAIN => {
            return Err(Fault::of_file(format!("`{name}` lies more than {MAX_CHAIN} records deep")));
        }
        Visit::Not => visits[number] = Visit::Open,
    }
    for (_, layout) in &records[number].fields {
        if let Layout::Record(inner) = layout {
            visit(*inner, records, visits, depth + 1)?;
        }
    }
    let known = |number: usize| matches!(visits[number], Visit::Done(true));
    let empty = records[number].fields.iter().all(|(_, layout)| is_empty(layout, &known));
    visits[number] = Visit::Done(empty);
    Ok(empty)
}

struct Reader<'d> {
    definitions: &'d Definitions<'d>,
    /// The numbers of records, by their full names.
    known: HashMap<String, usize>,
    /// None while a record is being read.
    records: Vec<Option<RecordLayout>>,
    depth: usize,
}

impl Reader<'_> {
    fn record(&mut self, record: &RecordSchema, path: &str) -> Result<usize, Fault> {
        let number = self.records.len();
        self.known.insert(record.name.fullname(None), number);
        self.records.push(None);
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let path = if path.is_empty() { field.name.clone() } else { format!("{path}.{}", field.name) };
            let layout = self.layout(&field.schema, &path)?;
            let json = field.custom_attributes.get(super::JSON).is_some_and(|json| *json == true);
            fields.push((field.name.as_str().into(), if json { as_json(layout) } else { layout }));
        }
        self.records[number] = Some(RecordLayout { name: record.name.name().into(), fields: fields.into() });
        Ok(number)
    }

    fn layout(&mut self, schema: &Avro, path: &str) -> Result<Layout, Fault> {
        if self.depth >= MAX_DEPTH {
            let path = path.trim_end_matches("[]");
            return Err(Fault::of_field(path, format!("types lie more than {MAX_DEPTH} levels deep")));
        }
        self.depth += 1;
        let layout = self.node(schema, path)?;
        self.depth -= 1;
        Ok(layout)
    }

    fn node(&mut self, schema: &Avro, path: &str) -> Result<Layout, Fault> {
        Ok(match schema {
            Avro::Null => Layout::Null,
            Avro::Boolean => Layout::Boolean,
            Avro::Int => Layout::Int,
            Avro::Long => Layout::Long,
            Avro::Float => Layout::Float,
            Avro::Double => Layout::Double,
            Avro::String => Layout::String,
            Avro::Bytes => Layout::Bytes,
            Avro::Fixed(fixed) => Layout::Fixed(fixed.size),
            Avro::Enum(symbols) => Layout::Enum {
                name: symbols.name.name().into(),
                symbols: symbols.symbols.iter().map(|symbol| symbol.as_str().into()).collect(),
            },
            Avro::Array(array) => Layout::Array(Box::new(self.layout(&array.items, &format!("{path}[]"))?)),
            Avro::Map(map) => Layout::Map(Box::new(self.layout(&map.types, &format!("{path}[]"))?)),
            Avro::Union(union) => self.union(union, path)?,
            Avro::Record(record) => match self.known.get(&record.name.fullname(None)) {
                Some(number) => Layout::Record(*number),
                None => Layout::Record(self.record(record, path)?),
            },
            Avro::Ref { name } => {
                let name = name.fullname(None);
                if let Some(number) = self.known.get(&name) {
                    return Ok(Layout::Record(*number));
                }
                let definitions = self.definitions;
                return self.node(definitions.find(&name, path)?, path);
            }
            logical => self::logical(logical, path)?,
        })
    }

    fn union(&mut self, union: &UnionSchema, path: &str) -> Result<Layout, Fault> {
        let nullable = |null_first, value| Layout::Nullable { null_first, value: Box::new(value) };
        Ok(match union.variants() {
            [Avro::Null, Avro::Null] | [] => return Err(Fault::of_field(path, "a union without a type")),
            [Avro::Null, other] => nullable(true, self.layout(other, path)?),
            [other, Avro::Null] => nullable(false, self.layout(other, path)?),
            variants => {
                let layouts: Result<Vec<_>, _> = variants.iter().map(|variant| self.layout(variant, path)).collect();
                Layout::Union(layouts?.into())
            }
        })
    }
}

/// The logical types that Avro writes as one of the others.
fn logical(schema: &Avro, path: &str) -> Result<Layout, Fault> {
    let (logical, inner) = match schema {
        Avro::Decimal(decimal) => {
            let Some(scale) = u32::try_from(decimal.scale).ok().filter(|scale| *scale <= MAX_SCALE) else {
                let reason = format!("a decimal has at most {MAX_SCALE} digits after the point, not {}", decimal.scale);
                return Err(Fault::of_field(path, reason));
            };
            let inner = match &decimal.inner {
                InnerDecimalSchema::Bytes => Layout::Bytes,
                InnerDecimalSchema::Fixed(fixed) => Layout::Fixed(fixed.size),
            };
            (Logical::Decimal { scale }, inner)
        }
        Avro::BigDecimal => (Logical::BigDecimal, Layout::Bytes),
        Avro::Uuid(UuidSchema::String) => (Logical::Uuid, Layout::String),
        Avro::Uuid(UuidSchema::Bytes) => (Logical::Uuid, Layout::Bytes),
        Avro::Uuid(UuidSchema::Fixed(fixed)) => (Logical::Uuid, Layout::Fixed(fixed.size)),
        Avro::Duration(fixed) => (Logical::Duration, Layout::Fixed(fixed.size)),
        Avro::Date => (Logical::Date, Layout::Int),
        Avro::TimeMillis => (Logical::TimeOfDay(Unit::Millis), Layout::Int),
        Avro::TimeMicros => (Logical::TimeOfDay(Unit::Micros), Layout::Long),
        Avro::TimestampMillis => (Logical::Timestamp(Unit::Millis), Layout::Long),
        Avro::TimestampMicros => (Logical::Timestamp(Unit::Micros), Layout::Long),
        Avro::TimestampNanos => (Logical::Timestamp(Unit::Nanos), Layout::Long),
        Avro::LocalTimestampMillis => (Logical::LocalTimestamp(Unit::Millis), Layout::Long),
        Avro::LocalTimestampMicros => (Logical::LocalTimestamp(Unit::Micros), Layout::Long),
        Avro::LocalTimestampNanos => (Logical::LocalTimestamp(Unit::Nanos), Layout::Long),
        // The parser knows no other type.
        _ => return Ok(Layout::Null),
    };
    Ok(Layout::Logical(logical, Box::new(inner)))
}

/// A text that is JSON, or null if the field may be null.
fn as_json(layout: Layout) -> Layout {
    match layout {
        Layout::Nullable { null_first, value } => Layout::Nullable { null_first, value: Box::new(as_json(*value)) },
        other => Layout::Logical(Logical::Json, Box::new(other)),
    }
}
