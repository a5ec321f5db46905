//! What a client says of its program and version, in a short form for operators.

use http::HeaderMap;

/// The longest short form, in bytes.
pub(super) const LONGEST: usize = 32;

/// The products of a browser's `User-Agent` that say which it is, the most telling first.
const BROWSERS: [&str; 5] = ["Edg/", "OPR/", "Firefox/", "Chrome/", "Safari/"];

/// The short form of what a request's headers say. SignalR clients name themselves by `X-SignalR-User-Agent`, and under
/// Node.js by `User-Agent`.
pub(super) fn of(headers: &HeaderMap) -> Option<Box<str>> {
    let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let agent = text("x-signalr-user-agent").or_else(|| text("user-agent"))?;
    Some(of_signalr(&agent).unwrap_or_else(|| short(product(&agent))))
        .filter(|client| !client.is_empty())
        .map(String::into_boxed_str)
}

/// `Microsoft SignalR/10.0 (10.0.11; Linux; Browser; 1.0)` as `SignalR 10.0.11 Browser`.
fn of_signalr(agent: &str) -> Option<String> {
    let (_, inside) = agent.strip_prefix("Microsoft SignalR/")?.split_once('(')?;
    let mut parts = inside.trim_end().trim_end_matches(')').split(';').map(str::trim);
    // The hash of the commit that .NET puts behind a version says nothing to operators.
    let version = parts.next().and_then(|version| version.split('+').next()).unwrap_or_default();
    Some(short(&format!("SignalR {version} {}", parts.nth(1).unwrap_or_default())))
}

/// The one product that says which browser it is, or the whole of another program's name.
fn product(agent: &str) -> &str {
    let named = |name: &&str| agent.split_ascii_whitespace().find(|product| product.starts_with(*name));
    if agent.starts_with("Mozilla/") { BROWSERS.iter().find_map(named).unwrap_or(agent) } else { agent }
}

/// Printable and short, whatever a client sends.
fn short(text: &str) -> String {
    let printable = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
    printable.take(LONGEST).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&'static str, &[u8])]) -> Option<String> {
        let value = |bytes: &[u8]| http::HeaderValue::from_bytes(bytes).expect("a value");
        let headers = pairs.iter().map(|(name, bytes)| (http::HeaderName::from_static(name), value(bytes))).collect();
        of(&headers).map(String::from)
    }

    #[test]
    fn a_client_is_known_by_its_version_and_where_it_runs() {
        for (agent, short) in [
            (
                "Microsoft SignalR/10.0 (10.0.11; Unknown OS; Browser; Unknown Runtime Version)",
                "SignalR 10.0.11 Browser",
            ),
            ("Microsoft SignalR/8.0 (8.0.7; Linux; NodeJS; 22.1.0)", "SignalR 8.0.7 NodeJS"),
            ("Microsoft SignalR/9.0 (9.0.0+d3ae8e9a4b; Unix 6.1; .NET; .NET 9.0.0)", "SignalR 9.0.0 .NET"),
            ("Microsoft SignalR/8.0 (8.0.0; ; Java; 17; Debian)", "SignalR 8.0.0 Java"),
            ("Microsoft SignalR/8.0", "Microsoft SignalR/8.0"),
            ("of-our-own/2", "of-our-own/2"),
        ] {
            assert_eq!(told(&[("x-signalr-user-agent", agent.as_bytes())]).as_deref(), Some(short));
        }
    }

    #[test]
    fn without_a_signalr_client_it_is_the_program() {
        for (agent, short) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
                "Chrome/131.0.0.0",
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", "Firefox/133.0"),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36 Edg/131.0.2",
                "Edg/131.0.2",
            ),
            ("Python/3.12 websockets/13.1", "Python/3.12 websockets/13.1"),
            ("Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; v22.1.0)", "SignalR 10.0.11 NodeJS"),
        ] {
            assert_eq!(told(&[("user-agent", agent.as_bytes())]).as_deref(), Some(short));
        }
        let both: [(&str, &[u8]); 2] =
            [("user-agent", b"curl/8"), ("x-signalr-user-agent", b"Microsoft SignalR/8.0 (8.0.7; x; Browser)")];
        assert_eq!(told(&both).as_deref(), Some("SignalR 8.0.7 Browser"));
        assert_eq!(told(&[]), None);
    }

    #[test]
    fn whatever_it_sends_is_short_and_printable() {
        assert_eq!(told(&[("user-agent", &[b'x'; 5000])]).map(|client| client.len()), Some(LONGEST));
        assert_eq!(told(&[("user-agent", b"a\xff\xe2\x80\xae\tb")]).as_deref(), Some("ab"));
        assert_eq!(told(&[("user-agent", b" \t ")]), None);
        let long = format!("Microsoft SignalR/1 ({}; a; {})", "1".repeat(500), "b".repeat(500));
        assert_eq!(told(&[("x-signalr-user-agent", long.as_bytes())]).map(|client| client.len()), Some(LONGEST));
    }
}
