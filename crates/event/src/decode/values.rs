//! Reads values from the bytes according to plans.

use std::sync::Arc;

use super::plan::{Plan, Plans, Raw, RecordPlan};
use super::reader::{BadBytes, Block, Reader};
use super::{MAX_DEPTH, free_form};
use crate::Value;
use crate::scalar::{decimal, duration};

/// Reads the values of one record. It recurses at most [`MAX_DEPTH`] levels, whatever the bytes are.
pub(super) struct Decoder<'a> {
    plans: &'a Plans,
    bytes: Reader<'a>,
    /// The number of values that may still be read.
    values_left: usize,
    /// The number of levels that it may still descend.
    levels_left: usize,
    /// The names of the fields around the fault, innermost first.
    failed: Vec<Arc<str>>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(plans: &'a Plans, bytes: &'a [u8], values: usize) -> Self {
        Self { plans, bytes: Reader::new(bytes), values_left: values, levels_left: MAX_DEPTH, failed: Vec::new() }
    }

    /// The number of remaining bytes.
    pub(super) fn left(&self) -> usize {
        self.bytes.left()
    }

    /// The path of the field at which reading failed.
    pub(super) fn failed_at(&self) -> String {
        let outermost_first: Vec<&str> = self.failed.iter().rev().map(|name| &**name).collect();
        outermost_first.join(".")
    }

    /// Subtracts a number of values from what may still be read.
    fn spend(&mut self, values: usize) -> Result<(), BadBytes> {
        self.values_left = self.values_left.checked_sub(values).ok_or(BadBytes::TooManyValues)?;
        Ok(())
    }

    /// Descends one level; the caller must ascend again.
    fn descend(&mut self) -> Result<(), BadBytes> {
        self.levels_left = self.levels_left.checked_sub(1).ok_or(BadBytes::TooDeep)?;
        Ok(())
    }

    /// Reads a record into the values of the newest version.
    pub(super) fn record(&mut self, plan: &'a RecordPlan) -> Result<Vec<Value>, BadBytes> {
        self.descend()?;
        self.spend(plan.template.len())?;
        let mut values = plan.template.clone();
        for step in &plan.steps {
            let read = match step.slot.and_then(|slot| values.get_mut(slot)) {
                Some(into) => self.value(&step.plan, into),
                None => self.past(&step.plan),
            };
            read.inspect_err(|_| self.failed.push(step.name.clone()))?;
        }
        self.levels_left += 1;
        Ok(values)
    }

    /// Reads a value into its place: passing it up through results would cost more than reading it.
    fn value(&mut self, plan: &'a Plan, into: &mut Value) -> Result<(), BadBytes> {
        *into = match plan {
            Plan::Null => Value::Null,
            Plan::Boolean => Value::Bool(self.bytes.boolean()?),
            Plan::Int => Value::Int(self.bytes.int()?.into()),
            Plan::Long => Value::Int(self.bytes.long()?),
            Plan::Float => Value::Float(shortest(self.bytes.float()?)),
            Plan::Double => Value::Float(self.bytes.double()?),
            Plan::String => Value::String(self.bytes.text()?.into()),
            Plan::Bytes => Value::Bytes(self.bytes.bytes()?.into()),
            Plan::Fixed(size) => Value::Bytes(self.bytes.fixed(*size)?.into()),
            Plan::Enum(symbols) => Value::String(self.symbol(symbols)?.clone()),
            Plan::Nullable { null_first, value } => match self.bytes.is_second()? == *null_first {
                true => return self.value(value, into),
                false => Value::Null,
            },
            Plan::Array { items, least } => Value::List(self.list(items, *least)?),
            Plan::Map(values) => Value::Record(self.map(values)?),
            Plan::Record(number) => {
                let record = self.plans.record(*number);
                let values = self.record(record)?;
                Value::Record(record.names.iter().cloned().zip(values).collect())
            }
            Plan::Union(plans) => {
                let branch = self.bytes.branch(plans.len())?;
                return self.value(&plans[branch], into);
            }
            other => self.meant(other)?,
        };
        Ok(())
    }

    /// Reads a value with a meaning beyond its bytes.
    fn meant(&mut self, plan: &Plan) -> Result<Value, BadBytes> {
        Ok(match plan {
            Plan::Decimal { scale, from } => Value::String(decimal::text(self.raw(*from)?, i64::from(*scale))?.into()),
            Plan::BigDecimal => {
                let mut inner = Reader::new(self.bytes.bytes()?);
                let unscaled = inner.bytes()?;
                Value::String(decimal::text(unscaled, inner.int()?.into())?.into())
            }
            Plan::Uuid(from) => {
                let bytes = self.raw(*from)?;
                let uuid = uuid::Uuid::from_slice(bytes).map_err(|_| BadBytes::NoUuid(bytes.len()))?;
                Value::String(uuid.hyphenated().to_string().into())
            }
            Plan::Duration(size) => {
                let bytes = self.bytes.fixed(*size)?;
                Value::String(duration::text(bytes).ok_or(BadBytes::NoDuration)?.into())
            }
            Plan::Time { int, from, into } => {
                let count = if *int { self.bytes.int()?.into() } else { self.bytes.long()? };
                Value::Int(from.convert(count, *into).ok_or(BadBytes::NoTime)?)
            }
            Plan::WholeAsFloat { int, single } => {
                let number = if *int { self.bytes.int()?.into() } else { self.bytes.long()? };
                Value::Float(if *single { f64::from(number as f32) } else { number as f64 })
            }
            Plan::Json => {
                let text = self.bytes.text()?;
                let (value, count) = free_form::read(text, self.values_left, self.levels_left)?;
                self.spend(count)?;
                value
            }
            Plan::Refused(reason) => return Err(BadBytes::Refused(reason.clone())),
            // All others are read directly.
            _ => Value::Null,
        })
    }

    fn raw(&mut self, from: Raw) -> Result<&'a [u8], BadBytes> {
        match from {
            Raw::Bytes => self.bytes.bytes(),
            Raw::Fixed(size) => self.bytes.fixed(size),
        }
    }

    fn symbol(&mut self, symbols: &'a [Option<Arc<str>>]) -> Result<&'a Arc<str>, BadBytes> {
        let position = self.bytes.symbol(symbols.len())?;
        symbols[position].as_ref().ok_or(BadBytes::UnknownSymbol(position))
    }

    fn list(&mut self, items: &'a Plan, least: usize) -> Result<Vec<Value>, BadBytes> {
        self.items(least, |decoder| {
            let mut item = Value::Null;
            decoder.value(items, &mut item)?;
            Ok(item)
        })
    }

    fn map(&mut self, values: &'a Plan) -> Result<Vec<(Arc<str>, Value)>, BadBytes> {
        let mut entries = self.items(1, |decoder| {
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
    /// A block pays for its items before memory is reserved for them. So all the lists of a record together never get
    /// more memory than the bound on its values allows.
    /// room than the bound on its values allows.
    fn items<T>(
        &mut self,
        least: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, BadBytes>,
    ) -> Result<Vec<T>, BadBytes> {
        let mut items = Vec::new();
        self.each_block(least, |decoder, count| {
            items.reserve(count);
            for _ in 0..count {
                items.push(item(decoder)?);
            }
            Ok(())
        })?;
        Ok(items)
    }

    fn each_block(
        &mut self,
        least: usize,
        mut block: impl FnMut(&mut Self, usize) -> Result<(), BadBytes>,
    ) -> Result<(), BadBytes> {
        self.descend()?;
        while let Some(Block { items, left_after }) = self.bytes.block(least)? {
            self.spend(items)?;
            block(self, items)?;
            if left_after.is_some_and(|left| left != self.bytes.left()) {
                return Err(BadBytes::BlockSize);
            }
        }
        self.levels_left += 1;
        Ok(())
    }

    /// Skips a value that the newest version lacks; the value must still be valid.
    fn past(&mut self, plan: &'a Plan) -> Result<(), BadBytes> {
        match plan {
            Plan::Boolean => self.bytes.boolean().map(drop),
            Plan::Int => self.bytes.int().map(drop),
            Plan::Long => self.bytes.long().map(drop),
            Plan::Float => self.bytes.float().map(drop),
            Plan::Double => self.bytes.double().map(drop),
            Plan::String => self.bytes.text().map(drop),
            Plan::Bytes => self.bytes.bytes().map(drop),
            Plan::Fixed(size) => self.bytes.fixed(*size).map(drop),
            Plan::Enum(symbols) => self.symbol(symbols).map(drop),
            Plan::Nullable { null_first, value } => match self.bytes.is_second()? == *null_first {
                true => self.past(value),
                false => Ok(()),
            },
            Plan::Union(plans) => {
                let branch = self.bytes.branch(plans.len())?;
                self.past(&plans[branch])
            }
            Plan::Array { items, least } => {
                self.each_block(*least, |decoder, count| (0..count).try_for_each(|_| decoder.past(items)))
            }
            Plan::Map(values) => self.each_block(1, |decoder, count| {
                (0..count).try_for_each(|_| {
                    decoder.bytes.text()?;
                    decoder.past(values)
                })
            }),
            Plan::Record(number) => {
                self.descend()?;
                self.spend(1)?;
                for step in &self.plans.record(*number).steps {
                    self.past(&step.plan).inspect_err(|_| self.failed.push(step.name.clone()))?;
                }
                self.levels_left += 1;
                Ok(())
            }
            // A skipped value needs no plan.
            _ => Ok(()),
        }
    }
}

/// The number with the fewest digits that equals the 32-bit one: 0.1 instead of 0.10000000149011612.
fn shortest(number: f32) -> f64 {
    use std::fmt::Write as _;
    let mut digits = Digits { text: [0; 32], length: 0 };
    // The shortest form with an exponent has at most 16 characters.
    match write!(digits, "{number:e}") {
        Ok(()) => std::str::from_utf8(&digits.text[..digits.length]).ok().and_then(|text| text.parse().ok()),
        Err(_) => None,
    }
    .unwrap_or(f64::from(number))
}

/// Text without an allocation.
struct Digits {
    text: [u8; 32],
    length: usize,
}

impl std::fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.text.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
