//! Arguments as the methods take them.

use fanfare_signalr::{BindingError, Value, expect_arguments};

/// No argument.
pub(super) fn none(values: &[Value<'_>]) -> Result<(), BindingError> {
    expect_arguments::<0>(values).map(|_| ())
}

/// One text, which may be null like any .NET string.
pub(super) fn text(values: &[Value<'_>]) -> Result<Option<String>, BindingError> {
    match expect_arguments::<1>(values)? {
        [Value::Null] => Ok(None),
        [Value::String(text)] => Ok(Some(text.to_string())),
        _ => Err(BindingError::ArgumentType),
    }
}

/// One object, with its keys and values unchanged.
pub(super) fn object(mut values: Vec<Value<'static>>) -> Result<Value<'static>, BindingError> {
    expect_arguments::<1>(&values)?;
    match values.pop() {
        Some(object @ (Value::Map(_) | Value::Null)) => Ok(object),
        _ => Err(BindingError::ArgumentType),
    }
}
