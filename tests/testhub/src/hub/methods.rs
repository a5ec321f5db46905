//! The methods, with the behaviour that the clients' tests observe.

use fanfare_fanout::method::Signature;
use fanfare_fanout::method::handler::{Caller, Upload};
use fanfare_signalr::{BindingError, Outcome, Value};
use http::header;

use super::{Failure, arguments};

/// A method of the test hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TestMethod {
    Echo,
    GetCallerConnectionId,
    GetNumRedirects,
    ThrowException,
    InvokeWithString,
    SendCustomObject,
    Stream,
    InfiniteStream,
    StreamingConcat,
    EmptyStream,
    StreamThrowException,
    GetActiveTransportName,
    EchoComplexObject,
    SendComplexObject,
    GetContentTypeHeader,
    GetHeader,
    GetCookie,
}

const ONCE: Signature = Signature { streams: false, uploads: 0 };
const STREAM: Signature = Signature { streams: true, uploads: 0 };
const UPLOAD: Signature = Signature { streams: false, uploads: 1 };

const METHODS: [(&str, TestMethod, Signature); 17] = [
    ("Echo", TestMethod::Echo, ONCE),
    ("GetCallerConnectionId", TestMethod::GetCallerConnectionId, ONCE),
    ("GetNumRedirects", TestMethod::GetNumRedirects, ONCE),
    ("ThrowException", TestMethod::ThrowException, ONCE),
    ("InvokeWithString", TestMethod::InvokeWithString, ONCE),
    ("SendCustomObject", TestMethod::SendCustomObject, ONCE),
    ("Stream", TestMethod::Stream, STREAM),
    ("InfiniteStream", TestMethod::InfiniteStream, STREAM),
    ("StreamingConcat", TestMethod::StreamingConcat, UPLOAD),
    ("EmptyStream", TestMethod::EmptyStream, STREAM),
    ("StreamThrowException", TestMethod::StreamThrowException, STREAM),
    ("GetActiveTransportName", TestMethod::GetActiveTransportName, ONCE),
    ("EchoComplexObject", TestMethod::EchoComplexObject, ONCE),
    ("SendComplexObject", TestMethod::SendComplexObject, ONCE),
    ("GetContentTypeHeader", TestMethod::GetContentTypeHeader, ONCE),
    ("GetHeader", TestMethod::GetHeader, ONCE),
    ("GetCookie", TestMethod::GetCookie, ONCE),
];

impl TestMethod {
    /// The method of this name, in any case.
    pub(super) fn find(target: &str) -> Option<Self> {
        METHODS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(target)).map(|(_, method, _)| *method)
    }

    /// The form of its calls.
    pub(super) fn signature(self) -> Signature {
        METHODS.iter().find(|(_, method, _)| *method == self).map_or(ONCE, |(.., signature)| *signature)
    }

    /// Runs a call.
    pub(super) async fn run(
        self,
        caller: &dyn Caller,
        values: Vec<Value<'static>>,
        uploads: Vec<Upload>,
    ) -> Result<Outcome<'static>, Failure> {
        match self {
            Self::Echo => Ok(given(arguments::text(&values)?)),
            Self::ThrowException | Self::StreamThrowException => {
                let text = arguments::text(&values)?.unwrap_or_default();
                Err(Failure::Thrown("InvalidOperationException", text))
            }
            Self::InvokeWithString => {
                caller.push("Message", &[Value::from(arguments::text(&values)?)]).await?;
                Ok(Outcome::Value(Value::Null))
            }
            Self::SendCustomObject => {
                caller.push("CustomObject", &[arguments::object(values)?]).await?;
                Ok(Outcome::Value(Value::Null))
            }
            Self::EchoComplexObject => Ok(Outcome::Value(arguments::object(values)?)),
            Self::GetHeader => Ok(given(arguments::text(&values)?.and_then(|name| header_of(caller, &name)))),
            Self::GetCookie => Ok(given(arguments::text(&values)?.and_then(|name| cookie_of(caller, &name)))),
            Self::StreamingConcat => {
                arguments::none(&values)?;
                concatenate(uploads).await
            }
            other => {
                arguments::none(&values)?;
                other.run_without_arguments(caller).await
            }
        }
    }

    async fn run_without_arguments(self, caller: &dyn Caller) -> Result<Outcome<'static>, Failure> {
        match self {
            Self::GetCallerConnectionId => Ok(given(Some(caller.connection_id()))),
            Self::GetActiveTransportName => Ok(given(Some(caller.transport().to_owned()))),
            Self::GetContentTypeHeader => Ok(given(header_of(caller, header::CONTENT_TYPE.as_str()))),
            Self::GetNumRedirects => match redirects_of(caller) {
                Some(number) => Ok(Outcome::Value(Value::from(number))),
                None => Err(Failure::Thrown("ArgumentNullException", "The query has no numRedirects.".to_owned())),
            },
            Self::SendComplexObject => Ok(Outcome::Value(complex_object())),
            Self::Stream => {
                for item in ["a", "b", "c"] {
                    caller.item(Value::from(item)).await?;
                }
                Ok(Outcome::Void)
            }
            Self::InfiniteStream => {
                caller.cancelled().await;
                caller.push("StreamCanceled", &[]).await?;
                Ok(Outcome::Void)
            }
            _ => Ok(Outcome::Void),
        }
    }
}

fn given(text: Option<String>) -> Outcome<'static> {
    Outcome::Value(Value::from(text))
}

async fn concatenate(uploads: Vec<Upload>) -> Result<Outcome<'static>, Failure> {
    let mut whole = String::new();
    for mut upload in uploads {
        while let Some(item) = upload.next().await {
            match item {
                Ok(Value::String(text)) => whole.push_str(&text),
                Ok(_) => return Err(Failure::Binding(BindingError::ArgumentType)),
                Err(text) => return Err(Failure::Thrown("HubException", text)),
            }
        }
    }
    Ok(given(Some(whole)))
}

/// A value of each kind that one of the protocols cannot express.
fn complex_object() -> Value<'static> {
    const START_OF_2000: i64 = 946_684_800;
    Value::map([
        ("String", Value::from("hello world")),
        ("IntArray", Value::Array((1..=3).map(Value::Int).collect())),
        ("ByteArray", Value::binary(&[1_u8, 2, 3][..])),
        ("Guid", Value::from("00010203-0405-0607-0706-050403020100")),
        ("DateTime", Value::Timestamp { seconds: START_OF_2000, nanoseconds: 0 }),
    ])
}

fn header_of(caller: &dyn Caller, name: &str) -> Option<String> {
    let value = caller.request()?.headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn cookie_of(caller: &dyn Caller, name: &str) -> Option<String> {
    let cookies = header_of(caller, header::COOKIE.as_str())?;
    let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

fn redirects_of(caller: &dyn Caller) -> Option<i64> {
    let query = &caller.request()?.query;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key.eq_ignore_ascii_case("numRedirects"))?.1.parse().ok()
}
