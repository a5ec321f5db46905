//! CORS for any page: tests are served from another port. No production server may do this.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// A page's request for permission.
#[derive(Debug, Default)]
pub(super) struct Asked {
    origin: Option<HeaderValue>,
    method: Option<HeaderValue>,
    headers: Option<HeaderValue>,
}

impl Asked {
    /// Reads it from a request.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let get = |name: HeaderName| headers.get(name).cloned();
        Self {
            origin: get(header::ORIGIN),
            method: get(header::ACCESS_CONTROL_REQUEST_METHOD),
            headers: get(header::ACCESS_CONTROL_REQUEST_HEADERS),
        }
    }

    /// Allows all of it.
    pub(super) fn allow(self, headers: &mut HeaderMap) {
        let Some(origin) = self.origin else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
        for (name, value) in
            [(header::ACCESS_CONTROL_ALLOW_METHODS, self.method), (header::ACCESS_CONTROL_ALLOW_HEADERS, self.headers)]
        {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
    }
}
