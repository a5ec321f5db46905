//! `[cors]`: the origins whose pages may use the hubs, and the headers that they may send.

use http::HeaderName;

use super::origin::OriginPatterns;
use crate::document::section::Section;

pub(super) const KEYS: &[&str] = &["origins", "headers"];

/// What pages of other origins may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorsConfig {
    /// The origins.
    pub origins: OriginPatterns,
    /// The headers that their requests may carry in addition to the usual ones.
    pub headers: CorsHeaders,
}

/// Request headers that are allowed by setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsHeaders {
    /// Whatever a request carries.
    Any,
    /// These.
    Listed(Vec<HeaderName>),
}

impl Default for CorsHeaders {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

/// Reads `[cors]`.
pub(super) fn read(root: &Section<'_>) -> CorsConfig {
    let Some(section) = root.section("cors") else {
        return CorsConfig::default();
    };
    let section = section.allow(KEYS);
    CorsConfig { origins: OriginPatterns::read(&section, "origins"), headers: headers(&section) }
}

fn headers(section: &Section<'_>) -> CorsHeaders {
    let named = section.strings("headers").unwrap_or_default();
    if named.iter().any(|name| name.value == "*") {
        return CorsHeaders::Any;
    }
    let mut headers = Vec::new();
    for name in named {
        match name.value.parse() {
            Ok(header) => headers.push(header),
            Err(_) => {
                let help = "for instance \"x-tenant\", or \"*\" for whatever a request carries".to_owned();
                section.document().fault(name.at, format!("{:?} is not the name of a header", name.value), Some(help));
            }
        }
    }
    CorsHeaders::Listed(headers)
}
