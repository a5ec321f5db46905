//! Schemas without references: each is replaced by what it refers to.

use std::collections::{BTreeMap, HashMap};

use apache_avro::Schema;
use apache_avro::schema::{EnumSchema, FixedSchema, RecordField, RecordSchema, UnionSchema};

use super::{Fault, one_line};

/// How many nodes a schema may have once its references are replaced. References to references grow exponentially, so
/// a small file can describe a huge schema.
const MAX_NODES: usize = 10_000;

/// How deep types may lie within each other, a union counting as a level of its own. Encoding and decoding recurse as
/// deep as the schema, and no deeper whatever the bytes are.
const MAX_DEPTH: usize = 30;

/// Replaces every reference; refuses schemas that contain themselves or grow too large.
///
/// Attributes that Avro does not define are dropped: the canonical form of apache-avro panics on some of them.
pub(super) fn inline(schema: &Schema) -> Result<Schema, Fault> {
    let mut inliner = Inliner { known: HashMap::new(), open: Vec::new(), path: Vec::new(), nodes: 0, depth: 0 };
    inliner.schema(schema)
}

struct Inliner {
    known: HashMap<String, Schema>,
    /// The full names of the records that enclose the current node.
    open: Vec<String>,
    path: Vec<String>,
    nodes: usize,
    depth: usize,
}

impl Inliner {
    fn schema(&mut self, schema: &Schema) -> Result<Schema, Fault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.fault(format!("the schema has more than {MAX_NODES} types")));
        }
        if self.depth >= MAX_DEPTH {
            return Err(self.fault(format!("types lie more than {MAX_DEPTH} levels deep")));
        }
        self.depth += 1;
        let inlined = self.node(schema)?;
        self.depth -= 1;
        Ok(inlined)
    }

    fn node(&mut self, schema: &Schema) -> Result<Schema, Fault> {
        let inlined = match schema {
            Schema::Ref { name } => {
                let name = name.fullname(None);
                if self.open.contains(&name) {
                    return Err(self.fault(format!("`{name}` contains itself; recursive schemas are not supported")));
                }
                let known = self.known.get(&name).cloned();
                let Some(known) = known else {
                    return Err(self.fault(format!("`{name}` is not defined before it is used")));
                };
                // Walked again to count its nodes here too.
                return self.node(&known);
            }
            Schema::Array(array) => {
                let mut array = array.clone();
                *array.items = self.schema(&array.items)?;
                array.attributes = BTreeMap::new();
                Schema::Array(array)
            }
            Schema::Map(map) => {
                let mut map = map.clone();
                *map.types = self.schema(&map.types)?;
                map.attributes = BTreeMap::new();
                Schema::Map(map)
            }
            Schema::Union(union) => {
                let variants: Result<Vec<_>, _> = union.variants().iter().map(|variant| self.schema(variant)).collect();
                let union = UnionSchema::new(variants?);
                Schema::Union(union.map_err(|error| self.fault(one_line(&error)))?)
            }
            Schema::Record(record) => Schema::Record(self.record(record)?),
            Schema::Enum(symbols) => Schema::Enum(EnumSchema { attributes: BTreeMap::new(), ..symbols.clone() }),
            Schema::Fixed(fixed) => Schema::Fixed(FixedSchema { attributes: BTreeMap::new(), ..fixed.clone() }),
            other => other.clone(),
        };
        if let Some(name) = inlined.name() {
            self.known.insert(name.fullname(None), inlined.clone());
        }
        Ok(inlined)
    }

    fn record(&mut self, record: &RecordSchema) -> Result<RecordSchema, Fault> {
        self.open.push(record.name.fullname(None));
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            self.path.push(field.name.clone());
            if field.custom_attributes.contains_key("logicalType") {
                return Err(self.fault("`logicalType` belongs within the type, beside `\"type\"`".to_owned()));
            }
            let schema = self.schema(&field.schema)?;
            fields.push(RecordField { schema, custom_attributes: BTreeMap::new(), ..field.clone() });
            self.path.pop();
        }
        self.open.pop();
        Ok(RecordSchema { fields, attributes: BTreeMap::new(), ..record.clone() })
    }

    fn fault(&self, reason: String) -> Fault {
        match self.path.as_slice() {
            [] => Fault::of_file(reason),
            path => Fault::of_field(path.join("."), reason),
        }
    }
}
