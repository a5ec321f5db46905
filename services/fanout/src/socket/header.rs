//! Headers that may occur once: a proxy and this node could read two of them differently.

use http::{HeaderMap, HeaderName};
use thiserror::Error;

/// A header is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum BadHeader {
    /// It occurs more than once.
    #[error("the header {0} stands in the request more than once; once is right")]
    Twice(HeaderName),
    /// Its value is no text.
    #[error("the header {0} holds something other than visible ASCII")]
    NotAscii(HeaderName),
}

/// The value of a header that may stand in a request once.
///
/// # Errors
/// [`BadHeader`] if it occurs twice or is not text: to ignore it would be to serve another request than was made.
pub(super) fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, BadHeader> {
    let mut values = headers.get_all(&name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(BadHeader::Twice(name));
    }
    value.to_str().map(Some).map_err(|_| BadHeader::NotAscii(name))
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    #[test]
    fn a_header_is_given_at_most_once() {
        let mut headers = HeaderMap::new();
        assert_eq!(one(&headers, header::ORIGIN), Ok(None));
        headers.append(header::ORIGIN, HeaderValue::from_static("a"));
        assert_eq!(one(&headers, header::ORIGIN), Ok(Some("a")));
        headers.append(header::ORIGIN, HeaderValue::from_static("a"));
        let refused = one(&headers, header::ORIGIN).expect_err("twice");
        assert_eq!(refused.to_string(), "the header origin stands in the request more than once; once is right");
        let name = HeaderName::from_static("x-organization-id");
        headers.insert(&name, HeaderValue::from_bytes("acm\u{e9}".as_bytes()).expect("bytes"));
        assert_eq!(one(&headers, name.clone()), Err(BadHeader::NotAscii(name)));
    }
}
