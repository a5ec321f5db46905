//! Origins of pages: exact ones, or all subdomains of a domain.

use crate::document::Located;
use crate::document::section::Section;

/// The origin of a page that has none, such as a file's.
const NULL: &str = "null";

/// Origins that are allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OriginPatterns(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// One origin, in lower case.
    Exact(String),
    /// All subdomains: `https://` and `.example.com`, with a port if it has one.
    Subdomains { scheme: String, domain: String },
}

/// Why a text is no origin, and what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NotAnOrigin(&'static str);

const FORM: NotAnOrigin = NotAnOrigin(
    "scheme, host and port alone, for instance https://app.example.com, https://*.example.com or capacitor://localhost; \
     `*` is not possible, since pages send credentials",
);
const WIDE: NotAnOrigin =
    NotAnOrigin("a `*.` stands before a domain of at least two names, for instance https://*.example.com");

impl OriginPatterns {
    /// Takes origins as they are configured.
    ///
    /// # Errors
    /// The first text that is none.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, &'t str> {
        texts.into_iter().map(|text| Pattern::parse(text).map_err(|_| text)).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn read(section: &Section<'_>, key: &str) -> Self {
        let texts = section.strings(key).unwrap_or_default().into_iter();
        let pattern = |text: Located<&str>| match Pattern::parse(text.value) {
            Ok(pattern) => Some(pattern),
            Err(NotAnOrigin(help)) => {
                let message = format!("not an origin: {:?}", text.value);
                section.document().fault(text.at, message, Some(help.to_owned()));
                None
            }
        };
        Self(texts.filter_map(pattern).collect())
    }

    /// Whether an origin is among them, whatever the case of its letters.
    #[must_use]
    pub fn contains(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.0.iter().any(|pattern| pattern.matches(&origin))
    }

    /// Whether none is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, NotAnOrigin> {
        let text = text.to_ascii_lowercase();
        if text == NULL {
            return Ok(Self::Exact(text));
        }
        let (scheme, authority) = text.split_once("://").ok_or(FORM)?;
        let of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(of_scheme) {
            return Err(FORM);
        }
        let Some(domain) = authority.strip_prefix("*.") else {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
            return match !authority.is_empty() && authority.chars().all(plain) {
                true => Ok(Self::Exact(text.clone())),
                false if authority.starts_with('*') => Err(WIDE),
                false => Err(FORM),
            };
        };
        let host = domain.split_once(':').map_or(domain, |(host, _)| host);
        let port = domain.strip_prefix(host).unwrap_or_default();
        let labels: Vec<_> = host.split('.').collect();
        let is_label = |label: &&str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        // The last name of an address is a number, and a subdomain of an address is nothing.
        let is_name = labels.last().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_alphabetic()));
        let wide = labels.len() < 2 && host != "localhost";
        if wide || !is_name || !labels.iter().all(is_label) {
            return Err(WIDE);
        }
        if !port.is_empty() && port[1..].parse::<u16>().is_err() {
            return Err(FORM);
        }
        Ok(Self::Subdomains { scheme: format!("{scheme}://"), domain: format!(".{domain}") })
    }

    fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == origin,
            Self::Subdomains { scheme, domain } => {
                let name = origin.strip_prefix(&**scheme).and_then(|rest| rest.strip_suffix(&**domain));
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                name.is_some_and(|name| !name.is_empty() && !name.starts_with('.') && name.chars().all(plain))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(patterns: &[&str], origin: &str) -> bool {
        OriginPatterns::parse(patterns.iter().copied()).unwrap().contains(origin)
    }

    #[test]
    fn subdomains_of_a_pattern_are_allowed_and_nothing_that_looks_like_them() {
        let pattern = &["https://*.example.com"];
        for origin in ["https://a.example.com", "https://A.B.Example.com", "https://a-1.example.com"] {
            assert!(allowed(pattern, origin), "{origin}");
        }
        for origin in [
            "https://example.com",
            "https://.example.com",
            "http://a.example.com",
            "https://a.example.com:8443",
            "https://a.example.com.evil.org",
            "https://evilexample.com",
            "https://evil.org/.example.com",
            "https://evil.org#.example.com",
            "https://user@a.example.com",
            "null",
            "",
        ] {
            assert!(!allowed(pattern, origin), "{origin}");
        }
        assert!(allowed(&["https://*.example.com:8443"], "https://a.example.com:8443"));
        assert!(allowed(&["http://*.localhost"], "http://acme.localhost"));
    }

    #[test]
    fn app_shells_and_files_are_allowed_where_they_are_written_out() {
        for origin in ["capacitor://localhost", "app://0.0.0.1", "ionic://localhost", "tauri://localhost", NULL] {
            assert!(allowed(&[origin], origin));
            assert!(!allowed(&["https://app.example.com"], origin));
        }
    }

    #[test]
    fn what_matches_too_much_is_no_origin() {
        for text in ["https://*.com", "https://*", "https://*example.com", "https://*.1.2.3", "https://*.*.com"] {
            assert_eq!(Pattern::parse(text), Err(WIDE), "{text}");
        }
        for text in ["*", "", "a.example", "https://", "https://a.example/", "https://a.example/x", "://a", "1a://b"] {
            assert_eq!(Pattern::parse(text), Err(FORM), "{text}");
        }
    }
}
