//! `POST {hub}/negotiate`.

use serde_json::Value;

use crate::wire::{ask, node};

const NONE: &str = "\r\ncontent-length: 0";
const TRANSPORTS: &str = concat!(
    r#""availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]},"#,
    r#"{"transport":"ServerSentEvents","transferFormats":["Text"]},"#,
    r#"{"transport":"LongPolling","transferFormats":["Text","Binary"]}]"#,
);

#[tokio::test]
async fn every_version_gets_its_own_form_and_nothing_that_it_did_not_ask_for() {
    let node = node("").await;
    let negotiate = async |query: &str| {
        let answer = ask(node.address(), &format!("POST /open/negotiate{query} HTTP/1.1{NONE}"), "").await;
        assert_eq!(answer.status, "HTTP/1.1 200 OK", "{query}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{query}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{query}");
        let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
        let mut text = answer.text();
        for (key, stand_in) in [("connectionToken", "TOKEN"), ("connectionId", "ID")] {
            if let Some(value) = body[key].as_str() {
                let url_safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                assert!(value.len() >= 22 && value.chars().all(url_safe), "{key} goes into URLs unescaped: {value}");
                text = text.replace(value, stand_in);
            }
        }
        text
    };
    let version_1 = format!(r#"{{"negotiateVersion":1,"connectionId":"ID","connectionToken":"TOKEN",{TRANSPORTS}}}"#);
    let version_0 = format!(r#"{{"negotiateVersion":0,"connectionId":"ID",{TRANSPORTS}}}"#);
    let stateful = version_1.replace("]}]}", "]}],\"useStatefulReconnect\":true}");
    for (query, expected) in [
        ("?negotiateVersion=1", version_1.as_str()),
        ("?negotiateVersion=2", &version_1),
        ("?NEGOTIATEVERSION=1&x=y", &version_1),
        ("?negotiateVersion=1&useStatefulReconnect=true", &stateful),
        ("?negotiateVersion=1&UseStatefulReconnect=True", &stateful),
        ("?negotiateVersion=1&useStatefulReconnect=false", &version_1),
        ("", &version_0),
        ("?negotiateVersion=0&useStatefulReconnect=true", &version_0),
        ("?negotiateVersion=x", r#"{"error":"The client requested a non-integer protocol version."}"#),
    ] {
        assert_eq!(negotiate(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn refusals_have_the_status_reason_and_text_that_clients_show() {
    let node = node("").await;
    let to = node.address();
    let unauthorized = ask(to, &format!("POST /hubs/notifications/negotiate HTTP/1.1{NONE}"), "").await;
    unauthorized.is("401 Unauthorized", "");
    assert_eq!(unauthorized.header("content-length"), Some("0"));
    assert_eq!(unauthorized.header("www-authenticate"), Some("Bearer"));
    let wrong = ask(to, "GET /open/negotiate HTTP/1.1", "").await;
    wrong.is("405 Method Not Allowed", "");
    assert_eq!(wrong.header("allow"), Some("POST"));
    let any_case = ask(to, &format!("POST /OPEN/Negotiate HTTP/1.1{NONE}"), "").await;
    assert_eq!(any_case.status, "HTTP/1.1 200 OK");
    let unknown = ask(to, &format!("POST /hubs/other/negotiate HTTP/1.1{NONE}"), "").await;
    assert_eq!(unknown.status, "HTTP/1.1 404 Not Found");
}
