//! Reads the `arguments` of `send` into expressions.

use std::borrow::Cow;

use fanfare_signalr::Value as Wire;
use toml::de::DeValue;

use super::builtin;
use super::expression::{Entry, Expression};
use super::scope::{Phase, Scope};
use super::source::Source;
use crate::document::Located;
use crate::document::section::{Node, entries, integer};

/// One argument: texts are templates, everything else is used as it is written.
pub(super) fn compile(scope: &Scope<'_>, node: Node<'_>) -> Option<Expression> {
    let at = node.span().start;
    match node.get_ref() {
        DeValue::String(text) => template(scope, Located { value: text, at }),
        DeValue::Boolean(value) => Some(Expression::Constant(Wire::Bool(*value))),
        DeValue::Integer(_) => match integer(node) {
            Some(value) => Some(Expression::Constant(Wire::Int(value))),
            None => {
                scope.document.fault(at, "an integer of more than 64 bits", None);
                None
            }
        },
        DeValue::Float(float) => match float.as_str().replace('_', "").parse::<f64>() {
            Ok(value) if value.is_finite() => Some(Expression::Constant(Wire::Float(value))),
            _ => {
                scope.document.fault(at, "JSON has no such number", None);
                None
            }
        },
        DeValue::Datetime(time) => Some(constant(time.to_string())),
        DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| compile(scope, item)).collect();
            Some(Expression::List(items.into_iter().collect::<Option<_>>()?))
        }
        DeValue::Table(table) => {
            let entries: Vec<_> = entries(table).into_iter().map(|(key, node)| entry(scope, key, node)).collect();
            Some(Expression::Object(entries.into_iter().collect::<Option<_>>()?))
        }
    }
}

/// `"key?"` is omitted if its value is null; `"key??"` is omitted if the event does not contain the value, and null if
/// the event has null.
fn entry(scope: &Scope<'_>, key: Located<&str>, node: Node<'_>) -> Option<Entry> {
    let value = compile(scope, node)?;
    if let Some(name) = key.value.strip_suffix("??") {
        return match &value {
            Expression::Value(Source::Field(field)) if field.may_be_unsaid() => Some(Entry::unless_unsaid(name, value)),
            _ => {
                let message = format!("`{}` is never left out, since every event says what its value is", key.value);
                let help = "a `??` needs one field of a record that may be null, or one key of a map";
                scope.document.fault(key.at, message, Some(help.to_owned()));
                None
            }
        };
    }
    match key.value.strip_suffix('?') {
        None => Some(Entry::new(key.value, value)),
        Some(name) if matches!(&value, Expression::Value(source) if source.nullable()) => {
            Some(Entry::optional(name, value))
        }
        Some(_) => {
            let message = format!("`{}` is never left out, since its value is never null", key.value);
            scope.document.fault(key.at, message, Some("a `?` needs one field that may be null".to_owned()));
            None
        }
    }
}

/// A template: one value alone keeps its type, anything else is text.
pub(super) fn template(scope: &Scope<'_>, template: Located<&str>) -> Option<Expression> {
    if template.value == "{$event}" {
        return Some(Expression::Object(builtin::event_entries(scope, |_| true).into()));
    }
    let text = scope.text(template, Phase::Sending)?;
    if let Some(source) = text.single() {
        return Some(Expression::Value(source.clone()));
    }
    Some(match text.literal() {
        Some(literal) => constant(literal.to_owned()),
        None => Expression::Text(text),
    })
}

fn constant(text: String) -> Expression {
    Expression::Constant(Wire::String(Cow::Owned(text)))
}
