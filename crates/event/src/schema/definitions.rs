//! The named types of a schema, and of the schemas it refers to.

use std::collections::{BTreeMap, HashMap};

use apache_avro::Schema as Avro;
use apache_avro::schema::{EnumSchema, FixedSchema, RecordField, RecordSchema, UnionSchema};

use super::{Fault, one_line};

/// The definition of every named type, by its full name.
pub(crate) struct Definitions<'s>(HashMap<String, &'s Avro>);

impl<'s> Definitions<'s> {
    /// Collects the types of a schema and of those it refers to.
    pub(crate) fn of(schemas: impl IntoIterator<Item = &'s Avro>) -> Self {
        let mut definitions = Self(HashMap::new());
        schemas.into_iter().for_each(|schema| definitions.add(schema));
        definitions
    }

    /// The type of a name that a field refers to.
    pub(crate) fn find(&self, name: &str, path: &str) -> Result<&'s Avro, Fault> {
        self.get(name).ok_or_else(|| Fault::of_field(path, format!("`{name}` is not defined")))
    }

    pub(super) fn get(&self, name: &str) -> Option<&'s Avro> {
        self.0.get(name).copied()
    }

    fn add(&mut self, schema: &'s Avro) {
        if let (Some(name), false) = (schema.name(), matches!(schema, Avro::Ref { .. })) {
            self.0.entry(name.fullname(None)).or_insert(schema);
        }
        match schema {
            Avro::Array(array) => self.add(&array.items),
            Avro::Map(map) => self.add(&map.types),
            Avro::Union(union) => union.variants().iter().for_each(|variant| self.add(variant)),
            Avro::Record(record) => record.fields.iter().for_each(|field| self.add(&field.schema)),
            _ => {}
        }
    }
}

/// The schema without the attributes that Avro does not define: the canonical form of apache-avro panics on some of them.
pub(super) fn bare(schema: &Avro) -> Result<Avro, Fault> {
    Ok(match schema {
        Avro::Array(array) => {
            let mut array = array.clone();
            *array.items = bare(&array.items)?;
            array.attributes = BTreeMap::new();
            Avro::Array(array)
        }
        Avro::Map(map) => {
            let mut map = map.clone();
            *map.types = bare(&map.types)?;
            map.attributes = BTreeMap::new();
            Avro::Map(map)
        }
        Avro::Union(union) => {
            let variants: Result<Vec<_>, _> = union.variants().iter().map(bare).collect();
            Avro::Union(UnionSchema::new(variants?).map_err(|error| Fault::of_file(one_line(&error)))?)
        }
        Avro::Record(record) => {
            let field = |field: &RecordField| {
                let schema = bare(&field.schema)?;
                Ok(RecordField { schema, custom_attributes: BTreeMap::new(), ..field.clone() })
            };
            let fields: Result<Vec<_>, Fault> = record.fields.iter().map(field).collect();
            Avro::Record(RecordSchema { fields: fields?, attributes: BTreeMap::new(), ..record.clone() })
        }
        Avro::Enum(symbols) => Avro::Enum(EnumSchema { attributes: BTreeMap::new(), ..symbols.clone() }),
        Avro::Fixed(fixed) => Avro::Fixed(bare_fixed(fixed)),
        other => other.clone(),
    })
}

fn bare_fixed(fixed: &FixedSchema) -> FixedSchema {
    FixedSchema { attributes: BTreeMap::new(), ..fixed.clone() }
}
