//! Links in notifications: https or relative ones only, whatever an event contains.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::source::Context;
use super::text::{Part, Text};

/// All that could end a piece of a path or query, or begin another.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest link that is sent, in bytes.
const MAX_LINK: usize = 2048;

/// The link for one event, or nothing where a value is missing or the link is not safe to follow.
pub(super) fn render(text: &Text, context: Context<'_>) -> Option<String> {
    let mut link = String::new();
    let mut value = String::new();
    for part in &text.0 {
        match part {
            Part::Text(text) => link.push_str(text),
            Part::Value(source) => {
                value.clear();
                if !source.render(context, &mut value) {
                    return None;
                }
                // A value at the start is a link of its own; after other text it is one piece of a path or query.
                if link.is_empty() { link.push_str(&value) } else { encode(&value, &mut link)? }
            }
        }
    }
    is_safe(&link).then_some(link)
}

/// Percent-encodes a value; `.` and `..` would change the path and are no pieces of one.
fn encode(value: &str, link: &mut String) -> Option<()> {
    if matches!(value, "." | "..") {
        return None;
    }
    link.extend(utf8_percent_encode(value, RESERVED));
    Some(())
}

/// Whether a page may follow the link: an https URL, or a path on the page's own origin.
pub(super) fn is_safe(link: &str) -> bool {
    // Browsers drop tabs and line feeds, trim spaces and take `\` for `/`: none of them may be there at all.
    if link.is_empty()
        || link.len() > MAX_LINK
        || link.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\')
    {
        return false;
    }
    if let Some(host) = link.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://")).map(|_| &link[8..]) {
        return !host.is_empty() && !host.starts_with(['/', '?', '#', ':', '@']);
    }
    let path = link.split(['/', '?', '#']).next().unwrap_or_default();
    !link.starts_with("//") && !path.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_relative_links_are_safe() {
        for link in [
            "https://acme.example/a?b=c",
            "HTTPS://acme.example",
            "/exports/1",
            "exports/1",
            "?a=b:c",
            "#x",
            "./a",
            "/a:b",
        ] {
            assert!(is_safe(link), "{link}");
        }
        for link in [
            "",
            "http://acme.example",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            " javascript:alert(1)",
            "java\tscript:alert(1)",
            "\u{1}javascript:alert(1)",
            "data:text/html,x",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https:evil.example",
            "https://",
            "https:///evil.example",
            "mailto:a@b.example",
        ] {
            assert!(!is_safe(link), "{link:?}");
        }
        assert!(!is_safe(&format!("/{}", "x".repeat(MAX_LINK))));
    }
}
