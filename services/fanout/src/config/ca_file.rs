//! `ca_file`: certificate authorities to trust in addition to those of the machine.

use super::paths::Paths;
use crate::document::section::Section;
use crate::tls;

/// Reads the key `ca_file` of a section: certificates in PEM. None if it is not there, or cannot be used, which is a fault.
pub(super) fn read(section: &Section<'_>, paths: &Paths) -> Option<Vec<u8>> {
    let file = section.string("ca_file")?;
    let path = paths.resolve(file.value);
    let message = match std::fs::read(&path) {
        Ok(pem) if tls::authorities(&pem).is_some() => return Some(pem),
        Ok(_) => format!("`ca_file` holds no certificates in PEM: {}", path.display()),
        Err(error) => format!("`ca_file` cannot be read: {}: {error}", path.display()),
    };
    section.document().fault(file.at, message, None);
    None
}
