//! Pages of other origins.

use crate::wire::{Answer, ask, node};

const CORS: &str = "[cors]\norigins = [\"https://app.example.com\"]\n";
const ORIGIN: &str = "origin: https://app.example.com";

#[track_caller]
fn allowed(answer: &Answer) {
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"), "{answer:?}");
    assert!(answer.header("vary").is_some_and(|vary| vary.to_ascii_lowercase().contains("origin")), "{answer:?}");
}

#[tokio::test]
async fn a_preflight_needs_no_token_and_lists_what_clients_send() {
    let node = node(CORS).await;
    for method in ["GET", "POST", "DELETE"] {
        let head = format!(
            "OPTIONS /hubs/notifications HTTP/1.1\r\n{ORIGIN}\r\naccess-control-request-method: {method}\r\n\
             access-control-request-headers: authorization,x-requested-with,x-signalr-user-agent"
        );
        let answer = ask(node.address(), &head, "").await;
        assert_eq!(answer.status, "HTTP/1.1 200 OK");
        allowed(&answer);
        let headers = answer.header("access-control-allow-headers").unwrap_or_default().to_ascii_lowercase();
        for header in ["authorization", "content-type", "x-requested-with", "x-signalr-user-agent"] {
            assert!(headers.split(',').any(|one| one.trim() == header), "{header} in {headers}");
        }
        let methods = answer.header("access-control-allow-methods").unwrap_or_default();
        assert!(methods.split(',').any(|one| one.trim() == method), "{method} in {methods}");
    }
}

#[tokio::test]
async fn errors_too_may_be_read_by_the_page() {
    let node = node(CORS).await;
    let to = node.address();
    for (head, status) in [
        (format!("POST /hubs/notifications/negotiate HTTP/1.1\r\ncontent-length: 0\r\n{ORIGIN}"), "401 Unauthorized"),
        (format!("GET /open?id=x HTTP/1.1\r\n{ORIGIN}"), "404 Not Found"),
        (format!("POST /open/negotiate HTTP/1.1\r\ncontent-length: 0\r\n{ORIGIN}"), "200 OK"),
    ] {
        let answer = ask(to, &head, "").await;
        assert_eq!(answer.status, format!("HTTP/1.1 {status}"));
        allowed(&answer);
    }
}

#[tokio::test]
async fn other_origins_are_not_named() {
    let node = node(CORS).await;
    let head = "POST /open/negotiate HTTP/1.1\r\ncontent-length: 0\r\norigin: https://evil.example";
    let answer = ask(node.address(), head, "").await;
    assert_eq!(answer.header("access-control-allow-origin"), None, "{answer:?}");
}
