//! `when`: the conditions under which a route takes an event.

use std::borrow::Cow;

use fanfare_event::{Input, Kind, Record, Symbols, Value};
use toml::de::DeValue;

use super::field::{FieldPath, article};
use super::scope::Scope;
use crate::document::section::{self, Node, Section};
use crate::document::{Located, suggest};

/// One entry of `when`; all of them must hold.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    field: FieldPath,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Present(bool),
    OneOf(Box<[Value]>),
    NoneOf(Box<[Value]>),
    Range { min: f64, max: f64 },
}

impl Condition {
    /// Whether the event passes.
    pub(super) fn holds(&self, record: &Record) -> bool {
        let value = self.field.read(record);
        match &self.test {
            Test::Present(present) => value.is_null() != *present,
            Test::OneOf(values) => values.contains(value),
            Test::NoneOf(values) => !values.contains(value),
            Test::Range { min, max } => {
                let number = value.as_f64().or_else(|| value.as_i64().map(|number| number as f64));
                // A decimal is text.
                let number = number.or_else(|| value.as_str()?.parse().ok());
                number.is_some_and(|number| *min <= number && number <= *max)
            }
        }
    }

    /// The field that is tested.
    pub(super) fn field(&self) -> &FieldPath {
        &self.field
    }
}

/// Reads `when = { severity = ["warning", "error"], user = { present = true } }`.
pub(super) fn compile(scope: &Scope<'_>, when: &Section<'_>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (key, node) in when.entries() {
        let Some(field) = scope.field(key) else { continue };
        let tests = match when.nested(node, &format!("the condition on `{}`", key.value)) {
            Some(operators) => operated(scope, &field, &operators),
            None => values(scope, &field, node).map(Test::OneOf).into_iter().collect(),
        };
        conditions.extend(tests.into_iter().map(|test| Condition { field: field.clone(), test }));
    }
    conditions
}

fn operated(scope: &Scope<'_>, field: &FieldPath, section: &Section<'_>) -> Vec<Test> {
    let section = section.clone().allow(&["present", "not", "min", "max"]);
    let mut tests = Vec::new();
    if let Some(present) = section.boolean("present") {
        if !field.nullable() {
            section.fault("present", format!("`{}` is always present", field.name()), None);
        }
        tests.push(Test::Present(present));
    }
    if let Some(node) = section.value("not") {
        tests.extend(values(scope, field, node).map(Test::NoneOf));
    }
    let bounds = ["min", "max"].map(|key| section.value(key).map(|node| bound(scope, field, key, node)));
    if let [Some(None), _] | [_, Some(None)] = bounds {
        return tests;
    }
    let [min, max] = bounds.map(Option::flatten);
    if min.is_some() || max.is_some() {
        let (min, max) = (min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY));
        if min > max {
            section.fault("max", "`max` is below `min`: no event would pass", None);
        }
        tests.push(Test::Range { min, max });
    }
    if section.entries().is_empty() {
        let help = "present, not, min or max".to_owned();
        scope.document.fault(section.at(), format!("{} says nothing", section.title()), Some(help));
    }
    tests
}

fn bound(scope: &Scope<'_>, field: &FieldPath, key: &str, node: Node<'_>) -> Option<f64> {
    let numeric = matches!(field.kind(), Kind::Int | Kind::Long | Kind::Float | Kind::Double | Kind::Decimal { .. });
    let number = number(node);
    if !numeric {
        let message = format!("`{}` is {} and has no `{key}`", field.name(), article(field.kind()));
        scope.document.fault(node.span().start, message, None);
    } else if number.is_none() {
        scope.document.fault(node.span().start, format!("`{key}` must be a number"), None);
    }
    number.filter(|_| numeric)
}

fn number(node: Node<'_>) -> Option<f64> {
    match node.get_ref() {
        DeValue::Float(float) => float.as_str().replace('_', "").parse().ok().filter(|float: &f64| !float.is_nan()),
        _ => section::integer(node).map(|integer| integer as f64),
    }
}

/// One value or a list of them, each of the field's type.
fn values(scope: &Scope<'_>, field: &FieldPath, node: Node<'_>) -> Option<Box<[Value]>> {
    let nodes: Vec<Node<'_>> = match node.get_ref().as_array() {
        Some(list) => list.iter().collect(),
        None => vec![node],
    };
    if nodes.is_empty() {
        let message = format!("the list for `{}` is empty", field.name());
        scope.document.fault(node.span().start, message, None);
        return None;
    }
    nodes.into_iter().map(|node| value(scope, field, node)).collect()
}

fn value(scope: &Scope<'_>, field: &FieldPath, node: Node<'_>) -> Option<Value> {
    if let (Kind::Enum(symbols), DeValue::String(text)) = (field.kind(), node.get_ref()) {
        let text = Located { value: &**text, at: node.span().start };
        return symbol(scope, field, symbols, text);
    }
    let found = literal(field.kind(), node);
    if found.is_none() {
        let (name, kind) = (field.name(), article(field.kind()));
        let help = match (field.kind(), field.nullable()) {
            (Kind::Bytes | Kind::Fixed(_) | Kind::Array(_) | Kind::Map(_) | Kind::Record(_) | Kind::Json, true) => {
                Some(format!("only {name} = {{ present = true }} can be asked of it"))
            }
            (Kind::Bytes | Kind::Fixed(_) | Kind::Array(_) | Kind::Map(_) | Kind::Record(_) | Kind::Json, false) => {
                Some("it cannot be compared".to_owned())
            }
            (Kind::Boolean | Kind::Int | Kind::Long | Kind::Float | Kind::Double | Kind::String | Kind::Enum(_), _) => {
                None
            }
            (kind, _) => Some(format!("{kind}")),
        };
        scope.document.fault(node.span().start, format!("`{name}` is {kind}: this value is not"), help);
    }
    found
}

/// A value of the file as one of a kind.
fn literal(kind: &Kind, node: Node<'_>) -> Option<Value> {
    let text = |node: Node<'_>| match node.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Integer(_) => section::integer(node).map(|number| number.to_string()),
        DeValue::Float(float) => Some(float.as_str().replace('_', "")),
        _ => None,
    };
    match (kind, node.get_ref()) {
        (Kind::Boolean, DeValue::Boolean(value)) => Some(Value::Bool(*value)),
        (Kind::Int | Kind::Long, DeValue::Integer(_)) => section::integer(node).map(Value::Int),
        (Kind::Float | Kind::Double, _) => number(node).map(Value::Float),
        (Kind::String, DeValue::String(text)) => Some(Value::String((&**text).into())),
        (Kind::Enum(symbols), DeValue::String(text)) => {
            symbols.iter().find(|symbol| ***symbol == **text).cloned().map(Value::String)
        }
        (Kind::Union(kinds), _) => kinds.iter().find_map(|kind| literal(kind, node)),
        (
            Kind::Decimal { scale: Some(_) }
            | Kind::Uuid
            | Kind::Duration
            | Kind::Timestamp(_)
            | Kind::LocalTimestamp(_)
            | Kind::Date
            | Kind::TimeOfDay(_),
            _,
        ) => kind.value_of(&Input::Text(Cow::Owned(text(node)?))),
        _ => None,
    }
}

fn symbol(scope: &Scope<'_>, field: &FieldPath, symbols: &Symbols, text: Located<&str>) -> Option<Value> {
    if let Some(symbol) = symbols.iter().find(|symbol| ***symbol == *text.value) {
        return Some(Value::String(symbol.clone()));
    }
    let message = format!("`{}` is never {:?}", field.name(), text.value);
    scope.document.fault(text.at, message, suggest::help(text.value, symbols.iter().map(AsRef::as_ref)));
    None
}
