use std::time::{Duration, Instant};

use super::*;

fn settings() -> Settings {
    Settings {
        handshake: Duration::from_secs(15),
        keepalive: Duration::from_secs(15),
        client_timeout: Duration::from_secs(30),
        message_bytes: 1024,
        invocations_per_minute: 3,
    }
}

struct Tab {
    connection: Connection,
    settings: Settings,
    now: Instant,
}

impl Tab {
    fn new() -> Self {
        let (settings, now) = (settings(), Instant::now());
        Self { connection: Connection::new(true, &settings, now), settings, now }
    }

    fn open() -> Self {
        let mut tab = Self::new();
        let actions = tab.send("{\"protocol\":\"json\",\"version\":1}\u{1e}");
        assert_eq!(actions[0], "send {}\u{1e}");
        assert_eq!(actions[1], "opened");
        tab
    }

    fn send(&mut self, text: &str) -> Vec<String> {
        self.send_bytes(text.as_bytes())
    }

    fn send_bytes(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut actions = Vec::new();
        self.connection.receive(bytes, &self.settings, self.now, &mut actions);
        actions.iter().map(show).collect()
    }

    fn after(&mut self, seconds: u64) -> Vec<String> {
        self.now += Duration::from_secs(seconds);
        let mut actions = Vec::new();
        self.connection.tick(&self.settings, self.now, &mut actions);
        actions.iter().map(show).collect()
    }
}

fn show(action: &Action) -> String {
    match action {
        Action::Send(bytes) => format!("send {}", String::from_utf8_lossy(bytes)),
        Action::Opened(_) => "opened".to_owned(),
        Action::Invoke(call) => format!("invoke {:?} {:?}", call.id, call.method),
        Action::End(reason) => format!("end {}", reason.label()),
    }
}

#[test]
fn the_handshake_may_come_in_pieces_and_with_messages_behind_it() {
    let mut tab = Tab::new();
    assert_eq!(tab.send("{\"protocol\":\"json\","), [""; 0]);
    let rest = "\"version\":1}\u{1e}{\"type\":6}\u{1e}\
                {\"type\":1,\"invocationId\":\"0\",\"target\":\"Cursor\",\"arguments\":[]}\u{1e}";
    assert_eq!(tab.send(rest), ["send {}\u{1e}", "opened", "invoke Some(\"0\") Cursor"]);
}

#[test]
fn a_message_reads_the_same_byte_by_byte() {
    let mut tab = Tab::open();
    let text = "{\"type\":1,\"invocationId\":\"1\",\"target\":\"resume\",\"arguments\":[\"c\"]}\u{1e}";
    let actions: Vec<_> = text.bytes().flat_map(|byte| tab.send_bytes(&[byte])).collect();
    assert_eq!(actions, ["invoke Some(\"1\") Resume(\"c\")"]);
}

#[test]
fn a_wrong_handshake_is_answered_with_an_error_and_ends() {
    for (request, text) in [
        ("{\"protocol\":\"xml\",\"version\":1}\u{1e}", "The protocol 'xml' is not supported."),
        ("{\"protocol\":\"json\",\"version\":9}\u{1e}", "does not support version 9"),
        ("rubbish\u{1e}", "error"),
    ] {
        let actions = Tab::new().send(request);
        assert!(actions[0].starts_with("send {\"error\":") && actions[0].contains(text), "{actions:?}");
        assert_eq!(actions[1..], ["end handshake_refused"]);
    }
}

#[test]
fn a_client_without_a_handshake_is_ended() {
    let mut tab = Tab::new();
    assert_eq!(tab.after(14), [""; 0]);
    let actions = tab.after(1);
    assert!(actions[0].contains("Handshake was canceled."));
    assert_eq!(actions[1..], ["end handshake_timeout"]);
}

#[test]
fn silence_is_filled_with_pings_and_ended_after_the_clients_first() {
    let mut tab = Tab::open();
    assert_eq!(tab.after(15), ["send {\"type\":6}\u{1e}"]);
    // A client that never pings is not held to pinging.
    assert_eq!(tab.after(60), ["send {\"type\":6}\u{1e}"]);
    tab.send("{\"type\":6}\u{1e}");
    let actions = tab.after(30);
    assert!(actions[0].contains("\"allowReconnect\":true"), "{actions:?}");
    assert_eq!(actions[1..], ["end client_timeout"]);
}

#[test]
fn calls_that_fail_are_completed_and_the_connection_stays() {
    let mut tab = Tab::open();
    let unknown = "{\"type\":1,\"invocationId\":\"7\",\"target\":\"Nope\",\"arguments\":[]}\u{1e}";
    assert_eq!(
        tab.send(unknown),
        ["send {\"type\":3,\"invocationId\":\"7\",\"error\":\"Unknown hub method 'Nope'\"}\u{1e}"]
    );
    let stream = "{\"type\":4,\"invocationId\":\"8\",\"target\":\"Nope\",\"arguments\":[]}\u{1e}";
    assert!(tab.send(stream)[0].contains("\"invocationId\":\"8\",\"error\":\"Unknown hub method"));
    let silent = "{\"type\":1,\"target\":\"Nope\",\"arguments\":[]}\u{1e}";
    assert_eq!(tab.send(silent), [""; 0], "without an id nothing is answered");
    let one_too_many = tab.send("{\"type\":1,\"invocationId\":\"9\",\"target\":\"Cursor\",\"arguments\":[]}\u{1e}\
                                 {\"type\":1,\"invocationId\":\"10\",\"target\":\"Cursor\",\"arguments\":[]}\u{1e}");
    assert_eq!(one_too_many[0], "invoke Some(\"9\") Cursor");
    assert!(one_too_many[1].contains("Too many calls"), "{one_too_many:?}");
}

#[test]
fn what_is_not_of_the_protocol_closes_with_an_error_and_without_return() {
    let too_long = format!("{{\"type\":6,\"x\":\"{}\"}}\u{1e}", "y".repeat(2000));
    for (sent, label) in [
        ("nonsense\u{1e}", "end invalid_message"),
        ("{\"type\":1,\"target\":\"x\"}\u{1e}", "end invalid_message"),
        (too_long.as_str(), "end message_too_large"),
        (&"z".repeat(2000), "end message_too_large"),
    ] {
        let mut tab = Tab::open();
        let actions = tab.send(sent);
        assert!(actions[0].contains("{\"type\":7,\"error\":\"Connection closed with an error."));
        assert!(!actions[0].contains("allowReconnect\":true"));
        assert_eq!(actions[1..], [label]);
        assert_eq!(tab.send("{\"type\":6}\u{1e}"), [""; 0], "nothing after the end");
    }
}

#[test]
fn a_clients_close_ends_quietly() {
    assert_eq!(Tab::open().send("{\"type\":7}\u{1e}"), ["end client_closed"]);
}

#[test]
fn the_server_closes_each_reason_by_its_row() {
    for (reason, sent) in [
        (CloseReason::Draining, Some("{\"type\":7,\"allowReconnect\":true}\u{1e}")),
        (CloseReason::LoggedOut, Some("{\"type\":7}\u{1e}")),
        (CloseReason::TokenExpired, Some("{\"type\":7,\"allowReconnect\":true}\u{1e}")),
        (CloseReason::SlowConsumer, None),
    ] {
        let mut tab = Tab::open();
        let mut actions = Vec::new();
        tab.connection.close(reason.clone(), &mut actions);
        tab.connection.close(reason.clone(), &mut actions);
        let mut expected: Vec<_> = sent.map(|text| format!("send {text}")).into_iter().collect();
        expected.push(format!("end {}", reason.label()));
        assert_eq!(actions.iter().map(show).collect::<Vec<_>>(), expected);
    }
}
