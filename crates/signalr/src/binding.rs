//! Calls that are well-formed but do not fit the method they name.

use std::borrow::Cow;

use thiserror::Error;

use crate::{Message, Outcome, Value, invocation_error};

/// Why the arguments of a call do not fit its method. The caller is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BindingError {
    /// The call has no array of arguments.
    #[error("Reading array length for 'arguments' failed.")]
    NoArguments,
    /// The call has too few or too many arguments.
    #[error("Invocation provides {provided} argument(s) but target expects {expected}.")]
    ArgumentCount {
        /// The number in the call.
        provided: usize,
        /// The number of the method's parameters.
        expected: usize,
    },
    /// An argument has another type than the method's parameter.
    #[error(
        "Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."
    )]
    ArgumentType,
}

/// Checks the number of arguments and returns them one by one.
///
/// # Errors
/// [`BindingError::ArgumentCount`] if the call does not have exactly `N` arguments.
pub fn expect_arguments<'m, 'a, const N: usize>(
    arguments: &'m [Value<'a>],
) -> Result<&'m [Value<'a>; N], BindingError> {
    arguments.try_into().map_err(|_| BindingError::ArgumentCount { provided: arguments.len(), expected: N })
}

/// A call that was decoded except for its arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct BindingFailure<'a> {
    /// The call's id if it wants an answer.
    pub invocation_id: Option<Cow<'a, str>>,
    /// The called method.
    pub target: Cow<'a, str>,
    /// What is wrong with the arguments.
    pub error: BindingError,
}

impl<'a> BindingFailure<'a> {
    /// The answer to the caller; none if it did not ask for one.
    ///
    /// With `detailed` the answer has the reason, otherwise only that the call failed.
    #[must_use]
    pub fn into_completion(self, detailed: bool) -> Option<Message<'a>> {
        let error = if detailed {
            invocation_error::failed_with(&self.target, "InvalidDataException", &self.error.to_string())
        } else {
            invocation_error::failed(&self.target)
        };
        self.invocation_id
            .map(|invocation_id| Message::Completion { invocation_id, outcome: Outcome::Error(Cow::Owned(error)) })
    }

    /// Copies borrowed data.
    #[must_use]
    pub fn into_owned(self) -> BindingFailure<'static> {
        BindingFailure {
            invocation_id: self.invocation_id.map(|id| Cow::Owned(id.into_owned())),
            target: Cow::Owned(self.target.into_owned()),
            error: self.error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_call_that_wants_an_answer_gets_one() {
        let failure = BindingFailure {
            invocation_id: None,
            target: Cow::Borrowed("Echo"),
            error: BindingError::ArgumentCount { provided: 3, expected: 2 },
        };
        assert_eq!(failure.clone().into_completion(true), None);

        let answered = BindingFailure { invocation_id: Some(Cow::Borrowed("7")), ..failure };
        let Some(Message::Completion { invocation_id, outcome: Outcome::Error(brief) }) =
            answered.clone().into_completion(false)
        else {
            panic!("no completion");
        };
        assert_eq!(invocation_id, "7");
        assert_eq!(brief, "Failed to invoke 'Echo' due to an error on the server.");

        let Some(Message::Completion { outcome: Outcome::Error(detailed), .. }) = answered.into_completion(true) else {
            panic!("no completion");
        };
        assert_eq!(
            detailed,
            "Failed to invoke 'Echo' due to an error on the server. \
             InvalidDataException: Invocation provides 3 argument(s) but target expects 2."
        );
    }

    #[test]
    fn arguments_are_counted() {
        let arguments = [Value::from(1), Value::from("a")];
        assert_eq!(expect_arguments::<2>(&arguments), Ok(&arguments));
        assert_eq!(expect_arguments::<1>(&arguments), Err(BindingError::ArgumentCount { provided: 2, expected: 1 }));
    }
}
