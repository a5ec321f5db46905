//! Values from the bytes, as a plan says.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::plan::{Plan, RecordPlan};
use crate::Value;

/// How far reading has come: how many values may still be read, and where it failed.
pub(super) struct Progress {
    left: Cell<usize>,
    /// The names of the fields that enclose the fault, the innermost first.
    failed: RefCell<Vec<Arc<str>>>,
}

impl Progress {
    pub(super) fn new(values: usize) -> Self {
        Self { left: Cell::new(values), failed: RefCell::new(Vec::new()) }
    }

    /// Takes a number of values off what may still be read.
    fn spend<E: Error>(&self, values: usize) -> Result<(), E> {
        match self.left.get().checked_sub(values) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(E::custom("the record holds too many values")),
        }
    }

    pub(super) fn failed_at(&self) -> String {
        let names = self.failed.borrow();
        let outermost_first: Vec<&str> = names.iter().rev().map(|name| &**name).collect();
        outermost_first.join(".")
    }
}

/// Reads a record as the values of the newest version.
pub(super) struct RecordSeed<'a> {
    pub(super) plan: &'a RecordPlan,
    pub(super) progress: &'a Progress,
}

impl<'de> DeserializeSeed<'de> for RecordSeed<'_> {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RecordSeed<'_> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        self.progress.spend(self.plan.template.len())?;
        let mut values = self.plan.template.clone();
        for step in &self.plan.steps {
            // The names come from the schema, in the order of the steps; there is nothing to learn from them.
            if map.next_key::<IgnoredAny>()?.is_none() {
                return Err(A::Error::custom("the schema has fewer fields than planned"));
            }
            let read = match step.slot {
                Some(slot) => map
                    .next_value_seed(ValueSeed { plan: &step.plan, progress: self.progress })
                    .map(|value| values[slot] = value),
                None => map.next_value::<IgnoredAny>().map(drop),
            };
            read.inspect_err(|_| self.progress.failed.borrow_mut().push(step.name.clone()))?;
        }
        Ok(values)
    }
}

/// Reads a value.
struct ValueSeed<'a> {
    plan: &'a Plan,
    progress: &'a Progress,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.plan {
            Plan::Record { names, record } => {
                let values = RecordSeed { plan: record, progress: self.progress }.deserialize(deserializer)?;
                Ok(Value::Record(names.iter().cloned().zip(values).collect()))
            }
            Plan::Nullable(_) => deserializer.deserialize_option(self),
            // Gives the position of the symbol instead of its text, which would have to be copied.
            Plan::Enum(_) => deserializer.deserialize_u64(self),
            Plan::Plain | Plan::Array(_) | Plan::Map(_) => deserializer.deserialize_any(self),
        }
    }
}

impl<'a> ValueSeed<'a> {
    /// The seed of what lies within a list, a map or a nullable.
    fn inner(&self) -> ValueSeed<'a> {
        let plan = match self.plan {
            Plan::Array(plan) | Plan::Map(plan) | Plan::Nullable(plan) => plan,
            plan => plan,
        };
        ValueSeed { plan, progress: self.progress }
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the schema")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i32<E>(self, value: i32) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: Error>(self, position: u64) -> Result<Value, E> {
        let Plan::Enum(symbols) = self.plan else {
            return Err(E::custom("an unsigned number where the schema has none"));
        };
        let symbol = usize::try_from(position).ok().and_then(|position| symbols.get(position));
        symbol
            .map(|symbol| Value::String(symbol.clone()))
            .ok_or_else(|| E::custom(format_args!("symbol {position} of an enum with {} symbols", symbols.len())))
    }

    fn visit_f32<E>(self, value: f32) -> Result<Value, E> {
        Ok(Value::Float(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.into()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(bytes.into()))
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.inner().deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.inner())? {
            self.progress.spend(1)?;
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        while let Some(key) = map.next_key::<&str>()? {
            self.progress.spend(1)?;
            let value = map.next_value_seed(self.inner())?;
            if entries.insert(key.into(), value).is_some() {
                return Err(A::Error::custom("a map holds a key twice"));
            }
        }
        Ok(Value::Record(entries.into_iter().collect()))
    }
}
