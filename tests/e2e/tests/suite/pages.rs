//! Requests of pages: headers of their own, and sessions in cookies.

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::transport::{Transport, Wire};
use fanfare_e2e_tests::{HUB, NewEvent, Node, Request, Settings, Token};
use serde_json::json;

const APP: &str = "https://app.example.com";

/// The headers that a page may send, by the answer to its preflight.
async fn allowed(node: &Node, origin: &str, headers: &str) -> Option<String> {
    let request = Request::new("OPTIONS", format!("{HUB}/negotiate"))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", headers);
    let answer = request.send(node.address()).await.expect("an answer");
    answer.header("access-control-allow-origin")?;
    Some(answer.header("access-control-allow-headers").unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_star_allows_pages_any_header() {
    let origins = format!("[cors]\norigins = [\"{APP}\"]\n");
    let node = Node::start_with(Settings::default().section(&format!("{origins}headers = [\"*\"]"))).await;
    let headers = allowed(&node, APP, "authorization,x-of-their-own,x-another").await.expect("a listed origin");
    for header in ["authorization", "x-of-their-own", "x-another"] {
        assert!(headers.split(',').any(|known| known.trim() == header), "{header} of {headers}");
    }
    assert!(!headers.contains('*'), "with credentials a star is no header: {headers}");
    assert_eq!(allowed(&node, "https://evil.example", "authorization").await, None);
    let negotiate = Connect::new(HUB, Token::user("alice", "acme").sign()).header("origin", APP);
    let answer = negotiate.header("x-of-their-own", "1").negotiate(node.address()).await.expect("an answer");
    assert_eq!(answer.expect(200).header("access-control-allow-origin"), Some(APP));

    let usual = Node::start_with(Settings::default().section(&origins)).await;
    let headers = allowed(&usual, APP, "x-of-their-own").await.expect("a listed origin");
    assert!(headers.contains("traceparent") && !headers.contains("x-of-their-own"), "{headers}");
}

#[tokio::test]
async fn a_session_in_a_cookie_connects_over_every_transport() {
    let hubs = format!("[hub.\"{HUB}\"]\ncookie = \"session\"\n");
    let node = Node::start_with(Settings { hubs, ..Settings::default() }).await;
    let cookie = format!("theme=dark; session={}", Token::user("alice", "acme").sign());
    let own = format!("http://{}", node.address());
    let page = |origin: &str| Connect::without_token(HUB).header("cookie", &cookie).header("origin", origin);
    for transport in Transport::ALL {
        let connected = Wire::connect(&page(&own), transport, node.address()).await.expect("an answer");
        let mut tab = connected.unwrap_or_else(|refused| panic!("{transport:?}: {}", refused.status));
        let answer = tab.try_invoke("Cursor", json!([])).await.expect("an answer");
        assert!(answer.is_ok(), "{transport:?}: {answer:?}");
        let title = format!("over {transport:?}");
        node.publish(&[NewEvent::alert("acme", &title)]).await;
        assert_eq!(tab.title().await, title);
        // The cookie of a foreign page is nobody's session, also for a connection that is open.
        let foreign = page("https://evil.example");
        let refused = match transport {
            Transport::WebSocket => foreign.open(node.address(), None).await.expect("an answer").expect_err("refused"),
            _ => foreign.request("POST", tab.connection_token()).send(node.address()).await.expect("an answer"),
        };
        assert_eq!(refused.status, 403, "{transport:?}");
    }
}
