//! Publishing over HTTP, to a server that answers as configured.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare_outbox::{HttpPublisher, HttpPublisherError, PublishError, Publisher};
use support::event;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The reaction to each request.
#[derive(Clone, Copy)]
enum Answer {
    Status(&'static str, &'static str),
    HangUp,
    Silence,
}

/// One request: its head in lower case, and its body.
type Request = (String, Vec<u8>);

struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    connections: Arc<Mutex<usize>>,
}

impl Server {
    async fn answering(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            requests: Arc::default(),
            connections: Arc::default(),
        };
        let (requests, connections) = (Arc::clone(&server.requests), Arc::clone(&server.connections));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *connections.lock().unwrap() += 1;
                tokio::spawn(serve(stream, answer, Arc::clone(&requests)));
            }
        });
        server
    }

    fn publisher(&self) -> HttpPublisher {
        HttpPublisher::new(&self.address, || Ok("canary-token".to_owned())).unwrap()
    }

    fn request(&self) -> Request {
        self.requests.lock().unwrap()[0].clone()
    }
}

async fn serve(mut stream: TcpStream, answer: Answer, requests: Arc<Mutex<Vec<Request>>>) {
    while let Some(request) = read(&mut stream).await {
        requests.lock().unwrap().push(request);
        match answer {
            Answer::HangUp => return,
            Answer::Silence => std::future::pending().await,
            Answer::Status(status, body) => {
                let response = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                stream.write_all(response.as_bytes()).await.unwrap();
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    while bytes.len() < end + length {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    Some((head, bytes[end..].to_vec()))
}

#[tokio::test]
async fn an_event_is_sent_as_a_cloud_event_in_binary_mode() {
    let server = Server::answering(Answer::Status("202 Accepted", "{\"id\":\"7\"}")).await;
    let mut sent = event("acme", 7);
    sent.attributes.subject = Some("a b".into());
    sent.attributes.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
    server.publisher().publish(&sent).await.unwrap();
    let (head, body) = server.request();
    assert!(head.starts_with("post /events http/1.1\r\n"), "{head}");
    for line in [
        "content-type: application/avro",
        "authorization: bearer canary-token",
        "ce-specversion: 1.0",
        "ce-id: 7",
        "ce-source: /services/test",
        "ce-type: license.flagtoggled",
        "ce-time: 2026-01-02t03:04:05.678z",
        "ce-org: acme",
        "ce-subject: a%20b",
        "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ] {
        assert!(head.lines().any(|found| found == line), "{line} is not in {head}");
    }
    assert_eq!(body, sent.body);
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Server::answering(Answer::Status("202 Accepted", "{}")).await;
    let publisher = server.publisher();
    for number in 0..10 {
        publisher.publish(&event("acme", number)).await.unwrap();
    }
    assert_eq!(*server.connections.lock().unwrap(), 1);
}

#[tokio::test]
async fn each_answer_has_its_meaning() {
    let cases = [
        ("202 Accepted", "published"),
        ("200 OK", "unreachable"),
        ("201 Created", "unreachable"),
        ("400 Bad Request", "rejected"),
        ("413 Payload Too Large", "rejected"),
        ("401 Unauthorized", "retry"),
        ("403 Forbidden", "retry"),
        ("404 Not Found", "retry"),
        ("302 Found", "retry"),
        ("500 Internal Server Error", "retry"),
        ("504 Gateway Timeout", "retry"),
        ("429 Too Many Requests", "unreachable"),
        ("502 Bad Gateway", "unreachable"),
        ("503 Service Unavailable", "unreachable"),
    ];
    for (status, meaning) in cases {
        let server = Server::answering(Answer::Status(status, "{\"error\":\"because\"}")).await;
        let (found, reason) = match server.publisher().publish(&event("acme", 1)).await {
            Ok(()) => ("published", String::from("because")),
            Err(PublishError::Rejected(reason)) => ("rejected", reason),
            Err(PublishError::Retry(reason)) => ("retry", reason),
            Err(PublishError::Unreachable(reason)) => ("unreachable", reason),
        };
        assert_eq!(found, meaning, "{status}");
        assert!(reason.contains("because"), "{status}: {reason}");
        assert!(!reason.contains("canary"), "{reason}");
        assert_eq!(reason.contains("expected 202"), status.starts_with('2') && meaning != "published", "{reason}");
    }
}

#[tokio::test]
async fn a_long_refusal_is_cut() {
    let long: &'static str = Box::leak("ä".repeat(100_000).into_boxed_str());
    let server = Server::answering(Answer::Status("400 Bad Request", long)).await;
    let Err(PublishError::Rejected(reason)) = server.publisher().publish(&event("acme", 1)).await else { panic!() };
    assert!(reason.len() < 1200, "{}", reason.len());
}

#[tokio::test]
async fn a_lost_answer_is_tried_again() {
    let server = Server::answering(Answer::HangUp).await;
    let outcome = server.publisher().publish(&event("acme", 1)).await;
    assert!(matches!(outcome, Err(PublishError::Retry(_))), "{outcome:?}");
}

#[tokio::test]
async fn nobody_listening_is_an_outage() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let publisher = HttpPublisher::new(&address, || Ok("canary-token".to_owned())).unwrap();
    let outcome = publisher.publish(&event("acme", 1)).await;
    assert!(matches!(outcome, Err(PublishError::Unreachable(_))), "{outcome:?}");
}

#[tokio::test]
async fn no_token_is_an_outage_and_nothing_is_sent() {
    let server = Server::answering(Answer::Status("202 Accepted", "{}")).await;
    let publisher = HttpPublisher::new(&server.address, || Err("the key is gone".to_owned())).unwrap();
    let outcome = publisher.publish(&event("acme", 1)).await;
    assert_eq!(outcome, Err(PublishError::Unreachable("no token: the key is gone".into())));
    assert!(server.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let server = Server::answering(Answer::Silence).await;
    let publisher = server.publisher().timeout(Duration::from_millis(200));
    let outcome = publisher.publish(&event("acme", 1)).await;
    assert!(matches!(outcome, Err(PublishError::Retry(_))), "{outcome:?}");
}

#[test]
fn bad_addresses_are_refused() {
    for address in ["", "localhost:8080", "ftp://localhost", "http://localhost?x=1", "http://"] {
        let publisher = HttpPublisher::new(address, || Ok(String::new()));
        assert!(matches!(publisher.err(), Some(HttpPublisherError::BadAddress { .. })), "{address:?}");
    }
    assert!(HttpPublisher::new("https://events.example/", || Ok(String::new())).is_ok());
}
