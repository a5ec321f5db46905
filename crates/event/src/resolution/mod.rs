//! Schema resolution: records of one schema are read as another, by Avro's rules.
//!
//! The only implementation, for versions of an event type and for schemas from a schema registry. The result is a plan
//! for reading, or the field that prevents it.

mod leaf;

use std::collections::HashMap;
use std::sync::Arc;

use crate::decode::{Plan, Plans, RecordPlan, Step};
use crate::schema::{Fault, Fields, Layout, Layouts, MAX_CHAIN, Symbols};
use crate::{Field, Kind, Value};
use leaf::{Leaf, promote};

/// The largest number of pairs of records in one resolution.
const MAX_RECORDS: usize = 10_000;

/// How much of what a schema may write must be readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Everything: versions of one type. Every possible value has a place.
    Newer,
    /// The same, if the reader is the older version, in which a number may have been smaller.
    Older,
    /// Avro's rules: a value that has no place is refused when it occurs, not before.
    Foreign,
}

/// Plans how to read records of these layouts as an event with these fields.
pub(crate) fn resolve(written: &Layouts, fields: &[Field], rules: Rules) -> Result<Plans, Fault> {
    let mut resolver = Resolver { written, rules, known: HashMap::new(), plans: Vec::new(), depth: 0, met: 0 };
    resolver.plans.push(None);
    let event = resolver.record(&written.event().fields, Some(fields), "")?;
    resolver.plans[0] = Some(RecordPlan { names: Arc::default(), ..event });
    Ok(Plans::new(resolver.plans.into_iter().flatten().collect()))
}

struct Resolver<'w> {
    written: &'w Layouts,
    rules: Rules,
    /// The plans for pairs of a written record and its target fields.
    known: HashMap<(usize, Option<usize>), usize>,
    /// None while a plan is being made.
    plans: Vec<Option<RecordPlan>>,
    depth: usize,
    /// The number of pairs compared, including those that do not fit.
    met: usize,
}

/// The target of a value.
#[derive(Clone, Copy)]
struct Target<'r> {
    kind: &'r Kind,
    nullable: bool,
}

impl<'r> Target<'r> {
    /// The target of an item of a list or a map.
    fn of(kind: &'r Kind) -> Self {
        match kind {
            Kind::Nullable(kind) => Self { kind, nullable: true },
            kind => Self { kind, nullable: *kind == Kind::Null },
        }
    }
}

impl Resolver<'_> {
    fn record(
        &mut self,
        written: &[(Arc<str>, Layout)],
        fields: Option<&[Field]>,
        path: &str,
    ) -> Result<RecordPlan, Fault> {
        let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let newest = fields.unwrap_or_default();
        let sources: Vec<Option<usize>> = newest.iter().map(|field| source(field, written)).collect();
        let mut template = Vec::with_capacity(newest.len());
        for (field, source) in newest.iter().zip(&sources) {
            template.push(match source {
                Some(_) => Value::Null,
                None => self.absent(field).ok_or_else(|| {
                    Fault::of_field(within(&field.name), "it is missing there, and has no default here")
                })?,
            });
        }
        let mut steps = Vec::with_capacity(written.len());
        for (index, (name, layout)) in written.iter().enumerate() {
            let slot = sources.iter().position(|source| *source == Some(index));
            let field = slot.map(|slot| &newest[slot]);
            let target = field.map(|field| Target { kind: &field.kind, nullable: field.nullable });
            // The reader's name, for people who look for the fault.
            let path = within(field.map_or(name, |field| &field.name));
            steps.push(Step { name: name.clone(), slot, plan: self.value(layout, target, &path)? });
        }
        Ok(RecordPlan { names: newest.iter().map(|field| field.name.clone()).collect(), template, steps })
    }

    /// The value of a field that was not written.
    fn absent(&self, field: &Field) -> Option<Value> {
        match self.rules {
            Rules::Foreign => field.absent(),
            Rules::Newer | Rules::Older => field.default.clone(),
        }
    }

    fn nested(&mut self, number: usize, fields: Option<&Fields>, path: &str) -> Result<Plan, Fault> {
        let pair = (number, fields.map(Fields::identity));
        if let Some(known) = self.known.get(&pair) {
            return Ok(Plan::Record(*known));
        }
        self.met += 1;
        if self.met > MAX_RECORDS {
            return Err(Fault::of_field(path, format!("more than {MAX_RECORDS} records would have to be looked at")));
        }
        if self.depth >= MAX_CHAIN {
            return Err(Fault::of_field(path, format!("records lie more than {MAX_CHAIN} levels deep")));
        }
        let plan = self.plans.len();
        self.known.insert(pair, plan);
        self.plans.push(None);
        self.depth += 1;
        let written = self.written;
        let record = self.record(&written.record(number).fields, fields.map(|fields| &**fields), path);
        self.depth -= 1;
        match record {
            Ok(record) => self.plans[plan] = Some(record),
            Err(fault) => {
                // Plans found on the way may refer to unfinished ones.
                self.plans.truncate(plan);
                self.known.retain(|_, known| *known < plan);
                return Err(fault);
            }
        }
        Ok(Plan::Record(plan))
    }

    /// Plans how to read a value; a value without a target is skipped.
    fn value(&mut self, layout: &Layout, target: Option<Target<'_>>, path: &str) -> Result<Plan, Fault> {
        match layout {
            Layout::Nullable { null_first, value } => {
                let (null, other) = (self.one(&Layout::Null, target, path), self.one(value, target, path));
                match (null, other) {
                    (Ok(_), Ok(value)) => Ok(Plan::Nullable { null_first: *null_first, value: Box::new(value) }),
                    (null, other) => {
                        let in_order = if *null_first { [null, other] } else { [other, null] };
                        Ok(Plan::Union(self.branches(in_order)?))
                    }
                }
            }
            Layout::Union(variants) => {
                let plans: Vec<_> = variants.iter().map(|variant| self.one(variant, target, path)).collect();
                Ok(Plan::Union(self.branches(plans)?))
            }
            layout => self.one(layout, target, path),
        }
    }

    /// Plans the types of a union: all of them, or by Avro's rules at least one.
    fn branches(&self, plans: impl Into<Vec<Result<Plan, Fault>>>) -> Result<Box<[Plan]>, Fault> {
        let plans = plans.into();
        if self.rules == Rules::Foreign && plans.iter().any(Result::is_ok) {
            let refused = |fault: Fault| Plan::Refused(fault.reason.into());
            return Ok(plans.into_iter().map(|plan| plan.unwrap_or_else(refused)).collect());
        }
        plans.into_iter().collect()
    }

    /// Plans how to read a value that is not a union.
    fn one(&mut self, layout: &Layout, target: Option<Target<'_>>, path: &str) -> Result<Plan, Fault> {
        let Some(Target { kind, nullable }) = target else { return self.past(layout, path) };
        match (layout, kind) {
            (Layout::Null, _) if nullable => Ok(Plan::Null),
            (Layout::Null, Kind::Union(_)) => Err(not_null(path)),
            (Layout::Null, kind) if *kind != Kind::Null => Err(not_null(path)),
            (layout, Kind::Union(kinds)) => self.among(layout, kinds, path),
            (layout, kind) => self.of_kind(layout, kind, path),
        }
    }

    /// The first of several kinds that is the same, else the first that can hold the value.
    fn among(&mut self, layout: &Layout, kinds: &[Kind], path: &str) -> Result<Plan, Fault> {
        let same = kinds.iter().find(|kind| is_same(self.written, layout, kind));
        let rest: Vec<&Kind> = same.map_or_else(|| kinds.iter().collect(), |same| vec![same]);
        let mut first = None;
        for kind in rest {
            match self.of_kind(layout, kind, path) {
                Ok(plan) => return Ok(plan),
                Err(fault) => {
                    first.get_or_insert(fault);
                }
            }
        }
        Err(first.unwrap_or_else(|| Fault::of_field(path, "it is a union without a type here")))
    }

    fn of_kind(&mut self, layout: &Layout, kind: &Kind, path: &str) -> Result<Plan, Fault> {
        let inner = format!("{path}[]");
        match (layout, kind) {
            (Layout::Array(items), Kind::Array(kind)) => {
                let least = usize::from(!self.written.is_empty(items));
                Ok(Plan::Array { items: Box::new(self.value(items, Some(Target::of(kind)), &inner)?), least })
            }
            (Layout::Map(values), Kind::Map(kind)) => {
                Ok(Plan::Map(Box::new(self.value(values, Some(Target::of(kind)), &inner)?)))
            }
            (Layout::Record(number), Kind::Record(fields)) => self.nested(*number, Some(fields), path),
            (Layout::Enum { name, symbols }, Kind::Enum(known)) => self.symbols(name, symbols, known, path),
            (layout, kind) => {
                let (Some(from), Some(into)) = (Leaf::of_layout(layout), Leaf::of_kind(kind)) else {
                    return Err(self.other_type(layout, kind, path));
                };
                let grown = || match self.rules {
                    // It is never read this way, but a type must not change into an unrelated one.
                    Rules::Older => promote(into, from).map(|_| Plan::Refused("a number that has grown".into())),
                    _ => None,
                };
                promote(from, into).or_else(grown).ok_or_else(|| self.other_type(layout, kind, path))
            }
        }
    }

    fn symbols(&self, name: &str, written: &[Arc<str>], known: &Symbols, path: &str) -> Result<Plan, Fault> {
        if !known.is_called(name) {
            let reason = format!("the enum is called `{name}` there; the name must be the same, or an alias here");
            return Err(Fault::of_field(path, reason));
        }
        let symbols: Arc<[Option<Arc<str>>]> = written
            .iter()
            .map(|symbol| known.iter().find(|known| *known == symbol).or_else(|| known.default()).cloned())
            .collect();
        let missing: Vec<&str> =
            written.iter().zip(&*symbols).filter(|(_, known)| known.is_none()).map(|(symbol, _)| &**symbol).collect();
        if missing.is_empty() || (self.rules == Rules::Foreign && missing.len() < written.len()) {
            return Ok(Plan::Enum(symbols));
        }
        let reason = format!("the symbols {} are missing here, and the enum has no default", missing.join(", "));
        Err(Fault::of_field(path, reason))
    }

    /// Plans how to skip a value: it must only be valid.
    fn past(&mut self, layout: &Layout, path: &str) -> Result<Plan, Fault> {
        let inner = format!("{path}[]");
        Ok(match layout {
            Layout::Array(items) => {
                let least = usize::from(!self.written.is_empty(items));
                Plan::Array { items: Box::new(self.value(items, None, &inner)?), least }
            }
            Layout::Map(values) => Plan::Map(Box::new(self.value(values, None, &inner)?)),
            Layout::Record(number) => self.nested(*number, None, path)?,
            Layout::Enum { symbols, .. } => Plan::Enum(symbols.iter().cloned().map(Some).collect()),
            Layout::Logical(_, layout) => self.past(layout, path)?,
            Layout::Nullable { null_first, value } => {
                Plan::Nullable { null_first: *null_first, value: Box::new(self.value(value, None, path)?) }
            }
            Layout::Union(variants) => {
                let plans: Result<Vec<_>, _> = variants.iter().map(|variant| self.value(variant, None, path)).collect();
                Plan::Union(plans?.into())
            }
            Layout::Null => Plan::Null,
            Layout::Boolean => Plan::Boolean,
            Layout::Int => Plan::Int,
            Layout::Long => Plan::Long,
            Layout::Float => Plan::Float,
            Layout::Double => Plan::Double,
            Layout::String => Plan::String,
            Layout::Bytes => Plan::Bytes,
            Layout::Fixed(size) => Plan::Fixed(*size),
        })
    }

    fn other_type(&self, layout: &Layout, kind: &Kind, path: &str) -> Fault {
        let there = leaf::name_of(layout);
        Fault::of_field(path, format!("its type is {there} there, and {} here", leaf::name(kind)))
    }
}

/// The written field for a field of the reader: by its name, then by its aliases.
fn source(field: &Field, written: &[(Arc<str>, Layout)]) -> Option<usize> {
    let by_name = |name: &Arc<str>| written.iter().position(|(other, _)| other == name);
    by_name(&field.name).or_else(|| field.aliases.iter().find_map(by_name))
}

fn not_null(path: &str) -> Fault {
    Fault::of_field(path, "it may be null there, but not here")
}

/// Whether a type of a union is the written one, and not only one that can hold its values.
fn is_same(written: &Layouts, layout: &Layout, kind: &Kind) -> bool {
    match (layout, kind) {
        (Layout::Array(_), Kind::Array(_)) | (Layout::Map(_), Kind::Map(_)) => true,
        (Layout::Record(number), Kind::Record(fields)) => fields.is_called(&written.record(*number).name),
        (Layout::Enum { name, .. }, Kind::Enum(known)) => known.is_called(name),
        (layout, kind) => Leaf::of_layout(layout).zip(Leaf::of_kind(kind)).is_some_and(|(from, into)| from == into),
    }
}
