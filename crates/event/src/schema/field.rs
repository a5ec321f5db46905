//! Fields.

use std::sync::Arc;

use super::Kind;
use crate::Value;
use crate::suggest::nearest;

/// A field of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The name.
    pub name: Arc<str>,
    /// Other names for it in JSON input and routes.
    pub aliases: Vec<Arc<str>>,
    /// Its kind when it is not null.
    pub kind: Kind,
    /// Whether it may be null.
    pub nullable: bool,
    /// Its value in a record that lacks it.
    pub default: Option<Value>,
    /// The logical type of the schema, such as `uuid`.
    pub logical: Option<&'static str>,
    /// What the field is for, from the schema's `doc`.
    pub doc: Option<Arc<str>>,
}

impl Field {
    /// Whether this is the field's name or one of its aliases.
    pub fn is_called(&self, name: &str) -> bool {
        &*self.name == name || self.aliases.iter().any(|alias| &**alias == name)
    }

    /// Its value in a record that lacks it: the default, or null if the field may be null.
    pub fn absent(&self) -> Option<Value> {
        self.default.clone().or_else(|| self.nullable.then_some(Value::Null))
    }
}

/// Finds a field by its name or an alias.
pub(crate) fn find(fields: &[Field], name: &str) -> Option<usize> {
    fields.iter().position(|field| field.is_called(name))
}

/// The field that a misspelt name may mean.
pub(crate) fn suggest<'a>(fields: &'a [Field], name: &str) -> Option<&'a str> {
    let names = |field: &'a Field| std::iter::once(&field.name).chain(&field.aliases).map(|name| &**name);
    nearest(name, fields.iter().flat_map(names))
}
