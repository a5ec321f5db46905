//! A token from a cookie, which browsers send with requests of any site.

use http::request::Parts;
use http::{HeaderName, header};

/// Headers that no page of another site can set, or only with a permission that it must ask for first.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// The cookie of this name in a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// No such cookie.
    None,
    /// The token.
    One(&'a str),
    /// Several that differ: one of them may have been planted by another host of the domain.
    Several,
}

/// The cookie of this name.
pub(super) fn find<'a>(parts: &'a Parts, name: &str) -> Found<'a> {
    let lines = parts.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| unquoted(value.trim()));
    match values.next() {
        None => Found::None,
        Some(first) if values.all(|other| other == first) => Found::One(first),
        Some(_) => Found::Several,
    }
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// Whether a request is one that a page of another site cannot cause (CSRF).
///
/// `own_origin` says that the origin which the request names, if it does, is this node's or a listed one. Browsers name
/// the origin of every WebSocket, POST and request to another site; they name none in a page's GET to its own site,
/// which then says so itself, or carries a header that a foreign page may not set. A WebSocket without an origin is
/// therefore opened by no page at all: its key is a header that no script may set.
pub(super) fn is_deliberate(parts: &Parts, own_origin: bool) -> bool {
    match parts.headers.get(header::ORIGIN).map(http::HeaderValue::as_bytes) {
        // Any page can have this origin: one in a sandboxed frame has it.
        Some(b"null") => false,
        Some(_) => own_origin,
        None => match parts.headers.get(FETCH_SITE).map(http::HeaderValue::as_bytes) {
            Some(site) => site == b"same-origin",
            None => parts.headers.contains_key(REQUESTED_WITH) || parts.headers.contains_key(header::SEC_WEBSOCKET_KEY),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        for (line, found) in [
            ("session=abc", Found::One("abc")),
            ("a=1; session=\"a.b.c\"; z=2", Found::One("a.b.c")),
            ("session=a; session=a", Found::One("a")),
            ("session=a; session=b", Found::Several),
            ("xsession=a; Session=b; session", Found::None),
            ("", Found::None),
        ] {
            assert_eq!(find(&request(&[("cookie", line)]), "session"), found, "{line}");
        }
        assert_eq!(find(&request(&[("cookie", "session=a"), ("cookie", "session=b")]), "session"), Found::Several);
    }

    #[test]
    fn a_page_of_another_site_cannot_use_the_cookie() {
        for (headers, own_origin, deliberate) in [
            (&[("origin", "https://app.example.com")][..], true, true),
            (&[("origin", "https://evil.example"), ("x-requested-with", "XMLHttpRequest")], false, false),
            (&[("origin", "null")], true, false),
            (&[("sec-fetch-site", "same-origin")], true, true),
            (&[("sec-fetch-site", "same-site")], true, false),
            (&[("sec-fetch-site", "cross-site"), ("x-requested-with", "XMLHttpRequest")], true, false),
            (&[("sec-fetch-site", "none")], true, false),
            (&[("x-requested-with", "XMLHttpRequest")], true, true),
            (&[("sec-websocket-key", "x")], true, true),
            (&[("sec-websocket-key", "x"), ("origin", "https://evil.example")], false, false),
            (&[("sec-websocket-key", "x"), ("sec-fetch-site", "cross-site")], true, false),
            (&[], true, false),
        ] {
            assert_eq!(is_deliberate(&request(headers), own_origin), deliberate, "{headers:?}");
        }
    }
}
