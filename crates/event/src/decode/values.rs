//! Values from the bytes, as a plan says.

use std::sync::Arc;

use super::plan::{Plan, RecordPlan};
use super::reader::{BadBytes, Block, Reader};
use crate::Value;

/// Reads the values of one record. How deep it recurses is for the schema to say, never for the bytes.
pub(super) struct Decoder<'a> {
    bytes: Reader<'a>,
    /// How many values may still be read.
    values_left: usize,
    /// The names of the fields that enclose the fault, the innermost first.
    failed: Vec<Arc<str>>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8], values: usize) -> Self {
        Self { bytes: Reader::new(bytes), values_left: values, failed: Vec::new() }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.left()
    }

    /// The path of the field at which reading failed.
    pub(super) fn failed_at(&self) -> String {
        let outermost_first: Vec<&str> = self.failed.iter().rev().map(|name| &**name).collect();
        outermost_first.join(".")
    }

    /// Takes a number of values off what may still be read.
    fn spend(&mut self, values: usize) -> Result<(), BadBytes> {
        self.values_left = self.values_left.checked_sub(values).ok_or(BadBytes::TooManyValues)?;
        Ok(())
    }

    /// Reads a record as the values of the newest version.
    pub(super) fn record(&mut self, plan: &RecordPlan) -> Result<Vec<Value>, BadBytes> {
        self.spend(plan.template.len())?;
        let mut values = plan.template.clone();
        for step in &plan.steps {
            // What the newest version has dropped is read too: a body is right as a whole or not at all.
            let mut dropped = Value::Null;
            let into = step.slot.and_then(|slot| values.get_mut(slot)).unwrap_or(&mut dropped);
            self.value(&step.plan, into).inspect_err(|_| self.failed.push(step.name.clone()))?;
        }
        Ok(values)
    }

    /// Reads a value to where it belongs: to hand it up through results costs more than to read it.
    fn value(&mut self, plan: &Plan, into: &mut Value) -> Result<(), BadBytes> {
        *into = match plan {
            Plan::Boolean => Value::Bool(self.bytes.boolean()?),
            Plan::Int => Value::Int(self.bytes.int()?.into()),
            Plan::Long => Value::Int(self.bytes.long()?),
            Plan::Float => Value::Float(self.bytes.float()?.into()),
            Plan::Double => Value::Float(self.bytes.double()?),
            Plan::String => Value::String(self.bytes.text()?.into()),
            Plan::Bytes => Value::Bytes(self.bytes.bytes()?.into()),
            Plan::Fixed(size) => Value::Bytes(self.bytes.fixed(*size)?.into()),
            Plan::Enum(symbols) => Value::String(symbols[self.bytes.symbol(symbols.len())?].clone()),
            Plan::Nullable { null_first, value } => match self.bytes.is_second()? == *null_first {
                true => return self.value(value, into),
                false => Value::Null,
            },
            Plan::Array(items) => Value::List(self.list(items)?),
            Plan::Map(values) => Value::Record(self.map(values)?),
            Plan::Record { names, record } => {
                let values = self.record(record)?;
                Value::Record(names.iter().cloned().zip(values).collect())
            }
        };
        Ok(())
    }

    fn list(&mut self, items: &Plan) -> Result<Vec<Value>, BadBytes> {
        self.items(|decoder| {
            let mut item = Value::Null;
            decoder.value(items, &mut item)?;
            Ok(item)
        })
    }

    fn map(&mut self, values: &Plan) -> Result<Vec<(Arc<str>, Value)>, BadBytes> {
        let mut entries = self.items(|decoder| {
            let key = decoder.bytes.text()?.into();
            let mut value = Value::Null;
            decoder.value(values, &mut value)?;
            Ok((key, value))
        })?;
        entries.sort_unstable_by(|(left, _): &(Arc<str>, Value), (right, _)| left.cmp(right));
        match entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            true => Err(BadBytes::TwoOfAKey),
            false => Ok(entries),
        }
    }

    /// Reads the items of all blocks of a list or a map.
    ///
    /// A block pays for its items before there is room for them, so all the lists of a record together never get more
    /// room than the bound on its values allows.
    fn items<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, BadBytes>) -> Result<Vec<T>, BadBytes> {
        let mut items = Vec::new();
        while let Some(Block { items: count, left_after }) = self.bytes.block()? {
            self.spend(count)?;
            items.reserve(count);
            for _ in 0..count {
                items.push(item(self)?);
            }
            if left_after.is_some_and(|left| left != self.bytes.left()) {
                return Err(BadBytes::BlockSize);
            }
        }
        Ok(items)
    }
}
