//! The built-in hub methods: `Resume` and `Cursor`.

use fanfare_signalr::Value;

/// A method of every hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// `Resume(cursor)`: send again what this connection's groups received after the cursor.
    Resume,
    /// `Cursor()`: the current position, for a tab that has received nothing yet.
    Cursor,
}

/// Longest cursor that is looked at; a longer one was never issued.
const MAX_CURSOR_BYTES: usize = crate::seal::MAX_SEALED_BYTES;

impl Builtin {
    /// The method of this name, in any case.
    #[must_use]
    pub fn find(target: &str) -> Option<Self> {
        [Self::Resume, Self::Cursor].into_iter().find(|method| method.name().eq_ignore_ascii_case(target))
    }

    /// The documented name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Resume => "Resume",
            Self::Cursor => "Cursor",
        }
    }

    /// Checks the arguments, and returns the cursor if the method takes one.
    ///
    /// # Errors
    /// The text of the Completion.
    pub fn check(self, arguments: &[Value<'_>]) -> Result<Option<String>, String> {
        match (self, arguments) {
            (Self::Cursor, []) => Ok(None),
            (Self::Resume, [Value::String(cursor)]) if cursor.len() > MAX_CURSOR_BYTES => {
                Err(format!("Resume: the cursor is longer than {MAX_CURSOR_BYTES} characters."))
            }
            // A page without a cursor may call it too, and is answered that it may have missed something.
            (Self::Resume, [] | [Value::Null]) => Ok(None),
            (Self::Resume, [Value::String(cursor)]) if cursor.trim().is_empty() => Ok(None),
            (Self::Resume, [Value::String(cursor)]) => Ok(Some(cursor.clone().into_owned())),
            (Self::Resume, [_]) => Err("Resume: the cursor must be a string, or null without one.".to_owned()),
            (method, given) => {
                let (name, takes) = (method.name(), usize::from(method == Self::Resume));
                let given = given.len();
                Err(format!("Invocation provides {given} argument(s) but {name} expects {takes}."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_found_whatever_their_case() {
        assert_eq!(Builtin::find("CURSOR"), Some(Builtin::Cursor));
        assert_eq!(Builtin::find("resume"), Some(Builtin::Resume));
        assert_eq!(Builtin::find("Nope"), None);
    }

    #[test]
    fn wrong_calls_are_answered_with_their_fault() {
        assert_eq!(Builtin::Resume.check(&[Value::from("abc")]), Ok(Some("abc".to_owned())));
        assert_eq!(Builtin::Cursor.check(&[]), Ok(None));
        for none in [vec![], vec![Value::Null], vec![Value::from(" ")]] {
            assert_eq!(Builtin::Resume.check(&none), Ok(None), "no cursor");
        }
        let cases: [(Builtin, Vec<Value<'_>>, &str); 4] = [
            (Builtin::Resume, vec![Value::from("a"), Value::Null], "provides 2 argument(s) but Resume expects 1"),
            (Builtin::Resume, vec![Value::Int(1)], "must be a string"),
            (Builtin::Resume, vec![Value::from("x".repeat(600))], "longer than 512"),
            (Builtin::Cursor, vec![Value::Int(1)], "provides 1 argument(s) but Cursor expects 0"),
        ];
        for (method, arguments, text) in cases {
            let error = method.check(&arguments).expect_err(text);
            assert!(error.contains(text), "{error}");
        }
    }
}
