//! How the record of one version becomes a record of the newest.

use std::sync::Arc;

use crate::{Field, Kind, Value};

/// How to read a record of one version into the layout of the newest.
#[derive(Debug)]
pub(crate) struct RecordPlan {
    /// The record as it is before anything is read: defaults for what the written version lacks.
    pub(super) template: Vec<Value>,
    /// What to do with each written field, in the order of the bytes.
    pub(super) steps: Vec<Step>,
}

/// What to do with a written field.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: Arc<str>,
    /// Where its value goes; nowhere if the newest version has dropped the field.
    pub(super) slot: Option<usize>,
    pub(super) plan: Plan,
}

/// How to read a value.
#[derive(Debug)]
pub(super) enum Plan {
    /// As the schema says.
    Plain,
    /// As one of the symbols of the version that wrote it. A symbol that a newer version has given up stays what it is.
    Enum(Arc<[Arc<str>]>),
    Array(Box<Plan>),
    Map(Box<Plan>),
    Nullable(Box<Plan>),
    Record {
        names: Arc<[Arc<str>]>,
        record: RecordPlan,
    },
}

impl RecordPlan {
    /// Plans the way from the fields of one version to those of the newest, which must be compatible.
    pub(crate) fn new(written: &[Field], newest: &[Field]) -> Self {
        let sources: Vec<Option<usize>> = newest.iter().map(|field| source(field, written)).collect();
        let template = newest.iter().zip(&sources).map(|(field, source)| match source {
            Some(_) => Value::Null,
            None => field.absent().unwrap_or(Value::Null),
        });
        let steps = written.iter().enumerate().map(|(index, field)| {
            let slot = sources.iter().position(|source| *source == Some(index));
            let kind = slot.map_or(&field.kind, |slot| &newest[slot].kind);
            let plan = Plan::new(&field.kind, kind);
            let plan = if field.nullable { Plan::Nullable(Box::new(plan)) } else { plan };
            Step { name: field.name.clone(), slot, plan }
        });
        Self { template: template.collect(), steps: steps.collect() }
    }
}

/// The written field that a field of the newest version is read from: by its name, then by its aliases.
fn source(field: &Field, written: &[Field]) -> Option<usize> {
    let by_name = |name: &str| written.iter().position(|other| &*other.name == name);
    by_name(&field.name).or_else(|| field.aliases.iter().find_map(|alias| by_name(alias)))
}

impl Plan {
    fn new(written: &Kind, newest: &Kind) -> Self {
        match (written, newest) {
            (Kind::Enum(symbols), _) => Self::Enum(symbols.clone()),
            (Kind::Array(written), Kind::Array(newest)) => Self::Array(Box::new(Self::new(written, newest))),
            (Kind::Map(written), Kind::Map(newest)) => Self::Map(Box::new(Self::new(written, newest))),
            (Kind::Nullable(written), Kind::Nullable(newest)) => Self::Nullable(Box::new(Self::new(written, newest))),
            (Kind::Record(written), Kind::Record(newest)) => Self::Record {
                names: newest.iter().map(|field| field.name.clone()).collect(),
                record: RecordPlan::new(written, newest),
            },
            // Compatible versions differ in nothing else.
            _ => Self::Plain,
        }
    }
}
