//! Files named by the settings.

use std::path::Path;

use super::PublisherError;

/// The text of a file.
pub(super) fn text(path: &Path) -> Result<String, PublisherError> {
    std::fs::read_to_string(path)
        .map_err(|error| PublisherError::File { path: path.to_owned(), reason: error.to_string() })
}

/// The secret in a file, without surrounding white space.
#[cfg(feature = "nats")]
pub(super) fn secret(path: &Path) -> Result<String, PublisherError> {
    let text = text(path)?;
    let secret = text.trim();
    if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(PublisherError::File { path: path.to_owned(), reason: "it holds no secret".to_owned() });
    }
    Ok(secret.to_owned())
}
