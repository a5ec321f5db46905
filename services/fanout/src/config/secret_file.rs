//! Secrets of other systems, such as passwords, each in a file of its own.

use super::node::Secret;
use super::paths::Paths;
use crate::document::Located;
use crate::document::section::Section;

/// Reads a file with one secret in visible ASCII; white space around it is ignored.
pub(super) fn read(section: &Section<'_>, key: &str, file: Located<&str>, paths: &Paths) -> Option<Secret> {
    let path = paths.resolve(file.value);
    let what = key.strip_suffix("_file").unwrap_or("secret");
    let message = match std::fs::read(&path) {
        Ok(bytes) => match bytes.trim_ascii() {
            secret if !secret.is_empty() && secret.iter().all(u8::is_ascii_graphic) => return Some(Secret::of(secret)),
            _ => format!("`{key}` holds no {what}: {}", path.display()),
        },
        Err(error) => format!("`{key}` cannot be read: {}: {error}", path.display()),
    };
    section.document().fault(file.at, message, None);
    None
}
