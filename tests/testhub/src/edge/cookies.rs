//! The cookies of every negotiation.

use http::{HeaderMap, HeaderValue, header};

/// Two that stay and one that has expired, which a client must not send back.
const COOKIES: [&str; 3] = [
    "testCookie=testValue; path=/",
    "testCookie2=testValue2; path=/",
    "expiredCookie=doesntmatter; path=/; expires=Thu, 01 Jan 2004 00:00:00 GMT",
];

/// Sets them.
pub(super) fn set(headers: &mut HeaderMap) {
    for cookie in COOKIES {
        headers.append(header::SET_COOKIE, HeaderValue::from_static(cookie));
    }
}
