//! Keys that others call otherwise: ASP.NET's options, and what stands in other servers' files.

use super::faults::told;
use super::*;

const RATE: &str = r#"rate = { per = "user", calls = 100, seconds = 60 }"#;

#[test]
fn a_word_of_aspnet_or_of_other_servers_is_told_what_it_is_here() {
    let method =
        "[hub.\"/hubs/a\".method.JoinList]\narguments = [\"listId\"]\nallow = true\njoin = \"list:{listId}\"\n";
    let presence = format!(
        "{method}[hub.\"/hubs/a\".presence.\"list:{{list}}\"]\nsnapshot = {{ target = \"there\", arguments = [] }}\n"
    );
    let settings = [
        ("KeepAliveInterval = 15", "keepalive_seconds"),
        ("ClientTimeoutInterval = 30", "client_timeout_seconds"),
        ("HandshakeTimeout = 15", "handshake_seconds"),
        ("MaximumReceiveMessageSize = 32768", "message_bytes"),
        ("EnableDetailedErrors = true", "detailed_errors"),
        ("EnableDetailedError = true", "detailed_errors"),
    ];
    let of_hub = [
        ("groups = []", "join"),
        ("roles = []", "require_roles"),
        ("claims = {}", "require_claims"),
        ("limit = 5", RATE),
    ];
    let of_method = [
        ("args = []", "arguments"),
        ("error = \"no\"", "refusal"),
        ("heartbeat = true", "touch"),
        ("roles = [\"admin\"]", "allow = { roles = [\"admin\"] }"),
        ("throttle = 10", RATE),
        ("limits = 10", RATE),
    ];
    let of_presence =
        [("leave = {}", "left"), ("page_size = 5", "page_members"), ("timeout_seconds = 45", "inactive_after_seconds")];
    let (top, hub) = LEAST.split_once("[hub.").expect("a hub");
    let cases = [
        (format!("{top}[limits]\n@\n[hub.{hub}"), &settings[..]),
        (format!("{LEAST}@\n"), &settings[..]),
        (format!("{LEAST}@\n"), &of_hub[..]),
        (format!("{LEAST}{method}@\n"), &of_method[..]),
        (format!("{LEAST}{presence}@\n"), &of_presence[..]),
    ];
    for (text, words) in cases {
        sound(&text.replace('@', ""));
        for (line, here) in words {
            let told = told(&text.replace('@', line));
            let name = line.split(' ').next().unwrap_or_default();
            let expected = format!("has no key `{name}` (did you mean `{here}`?)");
            assert!(told.iter().any(|fault| fault.contains(&expected)), "{line}: {told:?}");
        }
    }
}
