//! How the record of one version becomes a record of the newest.

use std::sync::Arc;

use crate::schema::Layout;
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
    Boolean,
    Int,
    Long,
    Float,
    Double,
    String,
    Bytes,
    Fixed(usize),
    /// One of the symbols of the version that wrote it. A symbol that a newer version has given up stays what it is.
    Enum(Arc<[Arc<str>]>),
    Array(Box<Plan>),
    Map(Box<Plan>),
    Nullable {
        null_first: bool,
        value: Box<Plan>,
    },
    Record {
        names: Arc<[Arc<str>]>,
        record: RecordPlan,
    },
}

impl RecordPlan {
    /// Plans the way from the bytes of one version to the fields of the newest, which must be compatible.
    pub(crate) fn new(written: &[(Arc<str>, Layout)], newest: &[Field]) -> Self {
        let sources: Vec<Option<usize>> = newest.iter().map(|field| source(field, written)).collect();
        let template = newest.iter().zip(&sources).map(|(field, source)| match source {
            Some(_) => Value::Null,
            None => field.absent().unwrap_or(Value::Null),
        });
        let steps = written.iter().enumerate().map(|(index, (name, layout))| {
            let slot = sources.iter().position(|source| *source == Some(index));
            let plan = Plan::new(layout, slot.map(|slot| &newest[slot].kind));
            Step { name: name.clone(), slot, plan }
        });
        Self { template: template.collect(), steps: steps.collect() }
    }
}

/// The written field that a field of the newest version is read from: by its name, then by its aliases.
fn source(field: &Field, written: &[(Arc<str>, Layout)]) -> Option<usize> {
    let by_name = |name: &Arc<str>| written.iter().position(|(other, _)| other == name);
    by_name(&field.name).or_else(|| field.aliases.iter().find_map(by_name))
}

impl Plan {
    /// Plans for a value of this kind in the newest version, or for one that it has dropped.
    fn new(written: &Layout, newest: Option<&Kind>) -> Self {
        match written {
            Layout::Boolean => Self::Boolean,
            Layout::Int => Self::Int,
            Layout::Long => Self::Long,
            Layout::Float => Self::Float,
            Layout::Double => Self::Double,
            Layout::String => Self::String,
            Layout::Bytes => Self::Bytes,
            Layout::Fixed(size) => Self::Fixed(*size),
            Layout::Enum(symbols) => Self::Enum(symbols.clone()),
            Layout::Array(items) => Self::Array(Box::new(Self::new(items, newest.and_then(within)))),
            Layout::Map(values) => Self::Map(Box::new(Self::new(values, newest.and_then(within)))),
            Layout::Nullable { null_first, value } => {
                // A field has no kind of its own for that.
                let newest = match newest {
                    Some(Kind::Nullable(kind)) => Some(&**kind),
                    kind => kind,
                };
                Self::Nullable { null_first: *null_first, value: Box::new(Self::new(value, newest)) }
            }
            Layout::Record(written) => {
                let newest: &[Field] = match newest {
                    Some(Kind::Record(fields)) => fields,
                    _ => &[],
                };
                let names = newest.iter().map(|field| field.name.clone()).collect();
                Self::Record { names, record: RecordPlan::new(written, newest) }
            }
        }
    }
}

/// What a list or a map holds.
fn within(kind: &Kind) -> Option<&Kind> {
    match kind {
        Kind::Array(kind) | Kind::Map(kind) => Some(kind),
        _ => None,
    }
}
