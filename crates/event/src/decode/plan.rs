//! How the record of one schema becomes a record of the newest version.

use std::sync::Arc;

use crate::{Unit, Value};

/// How to read the records of one schema into the layout of the newest version. The first is the event.
#[derive(Debug)]
pub(crate) struct Plans(Vec<RecordPlan>);

/// How to read one record.
#[derive(Debug)]
pub(crate) struct RecordPlan {
    /// The names of what it becomes; empty for the event, whose schema has them.
    pub(crate) names: Arc<[Arc<str>]>,
    /// The record as it is before anything is read: defaults for what the written version lacks.
    pub(crate) template: Vec<Value>,
    /// What to do with each written field, in the order of the bytes.
    pub(crate) steps: Vec<Step>,
}

/// What to do with a written field.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: Arc<str>,
    /// Where its value goes; nowhere if the newest version does not have the field.
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
    /// A whole number that becomes a float, of 32 bits or of 64.
    WholeAsFloat {
        int: bool,
        single: bool,
    },
    String,
    Bytes,
    Fixed(usize),
    /// One of the symbols of the schema that wrote it, as the reader calls it; none where the reader has neither it nor
    /// a default.
    Enum(Arc<[Option<Arc<str>>]>),
    Decimal {
        scale: u32,
        from: Raw,
    },
    BigDecimal,
    Uuid(Raw),
    Duration(usize),
    /// A time that is counted in another unit.
    Time {
        int: bool,
        from: Unit,
        into: Unit,
    },
    Json,
    Array {
        items: Box<Plan>,
        /// How many bytes an item takes at least.
        least: usize,
    },
    Map(Box<Plan>),
    Nullable {
        null_first: bool,
        value: Box<Plan>,
    },
    Union(Box<[Plan]>),
    /// The record of this number.
    Record(usize),
    /// What the newest version cannot hold, and what that is.
    Refused(Box<str>),
}

/// Bytes of any length, or of one.
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
