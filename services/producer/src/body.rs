//! JSON bodies, parsed strictly.

use crate::Error;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

/// The largest body, in bytes.
pub const LIMIT: usize = 64 * 1024;

/// A JSON body of the type `T`. Anything that does not fit is a 400 that names the field.
///
/// The content type is not checked: these services accept only JSON, and as browsers add no credential by themselves
/// (there are no cookies), a form from another site can do nothing.
pub struct StrictJson<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for StrictJson<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let bytes = bytes(request, state).await?;
        parse(&bytes).map(Self)
    }
}

/// Like [`StrictJson`], but an empty body is the default of `T`.
pub struct StrictJsonOrEmpty<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for StrictJsonOrEmpty<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let bytes = bytes(request, state).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(T::default()));
        }
        parse(&bytes).map(Self)
    }
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge,
        _ => Error::BadRequest("the body could not be read".into()),
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.inner();
        Error::BadRequest(if path == "." {
            format!("the body is not what this path takes: {reason}")
        } else {
            format!("field \"{path}\": {reason}")
        })
    })?;
    json.end().map_err(|error| Error::BadRequest(format!("after the JSON of the body: {error}")))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Switch {
        #[allow(dead_code)]
        enabled: bool,
    }

    fn refusal(body: &str) -> String {
        parse::<Switch>(body.as_bytes()).expect_err("refused").to_string()
    }

    #[test]
    fn every_refusal_names_the_field() {
        for body in [
            r#"{"enabled":"yes"}"#,
            r#"{"enabled":1}"#,
            r#"{"enabled":null}"#,
            r#"{}"#,
            r#"{"enabled":true,"enabled":false}"#,
        ] {
            assert!(refusal(body).contains("enabled"), "{body}: {}", refusal(body));
        }
        let unknown = refusal(r#"{"enabled":true,"colour":"red"}"#);
        assert!(unknown.contains("colour") && unknown.contains("enabled"), "{unknown}");
    }

    #[test]
    fn what_is_not_one_json_value_is_refused() {
        for body in ["", "{", "[]", r#"{"enabled":true} {}"#, "\u{feff}{}"] {
            assert!(parse::<Switch>(body.as_bytes()).is_err(), "{body:?}");
        }
    }
}
