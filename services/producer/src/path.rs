//! Ids in paths.

use crate::Error;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// The ids in the path as `T`; an invalid id is a 400 with the reason.
pub struct PathIds<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathIds<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(ids)) => Ok(Self(ids)),
            Err(PathRejection::FailedToDeserializePathParams(refused)) => {
                let text = refused.body_text();
                let reason = text.strip_prefix("Invalid URL: ").unwrap_or(&text);
                Err(Error::BadRequest(format!("the path: {reason}")))
            }
            Err(other) => Err(Error::internal(other)),
        }
    }
}
