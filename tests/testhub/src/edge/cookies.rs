//! The cookies of every negotiation.

use http::{HeaderMap, HeaderValue, header};

/// Two persistent ones and one that has expired, which a client must not send back.
const COOKIES: [&str; 3] = [
    "testCookie=testValue; path=/",
    "testCookie2=testValue2; path=/",
    "expiredCookie=doesntmatter; path=/; expires=Thu, 01 Jan 2004 00:00:00 GMT",
];

/// A browser's requirements for a cookie that a page of another origin sends back.
const ACROSS_ORIGINS: &str = "; SameSite=None; Secure";

/// The protocol that a proxy reports for the client.
const SPOKEN: &str = "x-forwarded-proto";

/// Whether the client uses https, which ends at a proxy: this server has no TLS.
pub(super) fn is_secure(request: &HeaderMap) -> bool {
    request.get(SPOKEN).is_some_and(|scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"))
}

/// Sets them; over https so that pages of other origins keep them. Over http a browser would refuse `Secure` ones.
pub(super) fn set(headers: &mut HeaderMap, secure: bool) {
    for cookie in COOKIES {
        let cookie = if secure { format!("{cookie}{ACROSS_ORIGINS}") } else { cookie.to_owned() };
        if let Ok(value) = HeaderValue::try_from(cookie) {
            headers.append(header::SET_COOKIE, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_cross_origins_only_where_a_proxy_speaks_https() {
        let mut request = HeaderMap::new();
        for (scheme, secure) in [(None, false), (Some("http"), false), (Some("https"), true), (Some("HTTPS"), true)] {
            if let Some(scheme) = scheme {
                request.insert(SPOKEN, HeaderValue::from_static(scheme));
            }
            let mut answer = HeaderMap::new();
            set(&mut answer, is_secure(&request));
            let cookies: Vec<&str> =
                answer.get_all(header::SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok()).collect();
            assert_eq!(cookies.len(), COOKIES.len());
            let across = cookies.iter().all(|cookie| cookie.ends_with("; SameSite=None; Secure"));
            assert_eq!(across, secure, "{scheme:?}: {cookies:?}");
        }
    }
}
