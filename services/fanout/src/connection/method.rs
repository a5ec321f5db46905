//! The hub methods that Fanfare itself offers.

use fanfare_signalr::Value;

/// A call that a client may make on every hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubMethod {
    /// `Resume(cursor)`: send again what this connection's groups received after the cursor.
    Resume(String),
    /// `Cursor()`: the current position, for a tab that has received nothing yet.
    Cursor,
}

/// Longest cursor that is looked at; a longer one was never issued.
const MAX_CURSOR_BYTES: usize = crate::seal::MAX_SEALED_BYTES;

impl HubMethod {
    /// Finds the method and checks its arguments; the error is the text of the Completion.
    ///
    /// Names are matched without regard to case, as ASP.NET does and its own tests rely on.
    ///
    /// # Errors
    /// The text for the client, where the method is unknown or the arguments do not fit.
    pub fn parse(target: &str, arguments: &[Value<'_>]) -> Result<Self, String> {
        if target.eq_ignore_ascii_case("resume") {
            return match arguments {
                [Value::String(cursor)] if cursor.len() > MAX_CURSOR_BYTES => {
                    Err(format!("Resume: the cursor is longer than {MAX_CURSOR_BYTES} characters."))
                }
                [Value::String(cursor)] if !cursor.trim().is_empty() => {
                    Ok(Self::Resume(cursor.clone().into_owned()))
                }
                [_] => Err("Resume: the cursor must be a non-empty string.".to_owned()),
                given => Err(wrong_count("Resume", 1, given.len())),
            };
        }
        if target.eq_ignore_ascii_case("cursor") {
            return match arguments {
                [] => Ok(Self::Cursor),
                given => Err(wrong_count("Cursor", 0, given.len())),
            };
        }
        Err(fanfare_signalr::invocation_error::unknown_method(target))
    }
}

fn wrong_count(method: &str, takes: usize, given: usize) -> String {
    format!("Invocation provides {given} argument(s) but {method} expects {takes}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_found_whatever_their_case() {
        assert_eq!(HubMethod::parse("CURSOR", &[]), Ok(HubMethod::Cursor));
        let cursor = [Value::String("abc".into())];
        assert_eq!(HubMethod::parse("resume", &cursor), Ok(HubMethod::Resume("abc".to_owned())));
    }

    #[test]
    fn wrong_calls_say_what_is_wrong() {
        let cases: [(&str, Vec<Value<'_>>, &str); 6] = [
            ("Nope", vec![], "Unknown hub method 'Nope'"),
            ("Resume", vec![], "provides 0 argument(s) but Resume expects 1"),
            ("Resume", vec![Value::Null], "must be a non-empty string"),
            ("Resume", vec![Value::String(" ".into())], "must be a non-empty string"),
            ("Resume", vec![Value::String("x".repeat(600).into())], "longer than 512"),
            ("Cursor", vec![Value::Int(1)], "provides 1 argument(s) but Cursor expects 0"),
        ];
        for (target, arguments, text) in cases {
            let error = HubMethod::parse(target, &arguments).expect_err(target);
            assert!(error.contains(text), "{error}");
        }
    }
}
