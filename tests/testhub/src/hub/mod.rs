//! The hubs and how they handle a call.

mod arguments;
mod methods;

use async_trait::async_trait;
use fanfare_fanout::method::Signature;
use fanfare_fanout::method::handler::{Arguments, Caller, Gone, Handler};
use fanfare_signalr::{BindingError, Outcome, invocation_error};

use methods::TestMethod;

/// Why a call fails.
#[derive(Debug)]
enum Failure {
    /// The arguments do not fit.
    Binding(BindingError),
    /// The method failed like .NET code: with an exception's name and text.
    Thrown(&'static str, String),
    /// The connection ended meanwhile; there is no reader for the answer.
    Gone,
}

impl From<BindingError> for Failure {
    fn from(error: BindingError) -> Self {
        Self::Binding(error)
    }
}

impl From<Gone> for Failure {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl Failure {
    /// The text of the Completion, with the details that a development server sends.
    fn text(self, target: &str) -> String {
        match self {
            Self::Binding(error) => invocation_error::failed_with(target, "InvalidDataException", &error.to_string()),
            Self::Thrown(kind, text) => invocation_error::unexpected_with(target, kind, &text),
            Self::Gone => invocation_error::unexpected(target),
        }
    }
}

/// The hub of most tests.
#[derive(Debug)]
pub(crate) struct TestHub;

#[async_trait(?Send)]
impl Handler for TestHub {
    fn signature(&self, target: &str) -> Option<Signature> {
        TestMethod::find(target).map(TestMethod::signature)
    }

    async fn call(&self, caller: &dyn Caller, arguments: Arguments) -> Result<Outcome<'static>, String> {
        let Arguments { target, values, uploads } = arguments;
        let method = TestMethod::find(&target).ok_or_else(|| invocation_error::unknown_method(&target))?;
        method.run(caller, values, uploads).await.map_err(|failure| failure.text(&target))
    }
}

/// The hub that requires a token: it has only `Echo`.
#[derive(Debug)]
pub(crate) struct AuthorizedHub;

#[async_trait(?Send)]
impl Handler for AuthorizedHub {
    fn signature(&self, target: &str) -> Option<Signature> {
        TestMethod::find(target).filter(|method| *method == TestMethod::Echo).map(TestMethod::signature)
    }

    async fn call(&self, caller: &dyn Caller, arguments: Arguments) -> Result<Outcome<'static>, String> {
        TestHub.call(caller, arguments).await
    }
}
