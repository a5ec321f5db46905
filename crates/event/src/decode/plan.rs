//! Plans the conversion of one schema's records into the newest version.

use std::sync::Arc;

use crate::{Unit, Value};

/// How to read the records of one schema in the layout of the newest version. The first is the event.
#[derive(Debug)]
pub(crate) struct Plans(Vec<RecordPlan>);

/// How to read one record.
#[derive(Debug)]
pub(crate) struct RecordPlan {
    /// The names of its target fields; empty for the event, whose schema has them.
    pub(crate) names: Arc<[Arc<str>]>,
    /// The record before anything is read: defaults for fields that the written version lacks.
    pub(crate) template: Vec<Value>,
    /// What to do with each written field, in the order of the bytes.
    pub(crate) steps: Vec<Step>,
}

/// What to do with a written field.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: Arc<str>,
    /// The target of its value; none if the newest version lacks the field.
    pub(crate) slot: Option<usize>,
    pub(crate) plan: Plan,
}

/// How to read a value.
#[derive(Debug)]
pub(crate) enum Plan {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    /// A whole number that becomes a float, of 32 or of 64 bits.
    WholeAsFloat {
        int: bool,
        single: bool,
    },
    String,
    Bytes,
    Fixed(usize),
    /// A symbol of the written schema, mapped to the reader's; none if the reader has neither it nor a default.
    Enum(Arc<[Option<Arc<str>>]>),
    Decimal {
        scale: u32,
        from: Raw,
    },
    BigDecimal,
    Uuid(Raw),
    Duration(usize),
    /// A time in another unit.
    Time {
        int: bool,
        from: Unit,
        into: Unit,
    },
    Json,
    Array {
        items: Box<Plan>,
        /// The smallest size of an item, in bytes.
        least: usize,
    },
    Map(Box<Plan>),
    Nullable {
        null_first: bool,
        value: Box<Plan>,
    },
    Union(Box<[Plan]>),
    /// The record with this number.
    Record(usize),
    /// A value that the newest version cannot hold, with its description.
    Refused(Box<str>),
}

/// Bytes of any length, or of a fixed one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Raw {
    Bytes,
    Fixed(usize),
}

impl Plans {
    pub(crate) fn new(records: Vec<RecordPlan>) -> Self {
        Self(records)
    }

    /// How to read the event.
    pub(super) fn event(&self) -> &RecordPlan {
        &self.0[0]
    }

    pub(super) fn record(&self, number: usize) -> &RecordPlan {
        &self.0[number]
    }
}
