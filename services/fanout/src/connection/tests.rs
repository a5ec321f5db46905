use std::time::{Duration, Instant};

use fanfare_signalr::negotiate::Transport;
use fanfare_signalr::{Message, Value};

use super::*;
use crate::config::ConnectionSettings as Settings;

fn settings() -> Settings {
    Settings {
        handshake: Duration::from_secs(15),
        keepalive: Duration::from_secs(15),
        client_timeout: Duration::from_secs(30),
        message_bytes: 1024,
        detailed_errors: true,
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
        Self::over(Transport::WebSockets)
    }

    fn over(transport: Transport) -> Self {
        let (settings, now) = (settings(), Instant::now());
        Self { connection: Connection::new(transport, true, now), settings, now }
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
        Action::Send { hub_bytes, .. } => format!("send {}", String::from_utf8_lossy(hub_bytes)),
        Action::Opened { stateful: false, .. } => "opened".to_owned(),
        Action::Opened { stateful: true, .. } => "opened stateful".to_owned(),
        Action::Call(call) => {
            let arguments: Vec<_> = call.arguments.iter().map(Value::as_str).collect();
            format!("call {:?} {} {arguments:?}", call.id.as_deref(), call.target)
        }
        Action::Streamed(streamed) => format!("{streamed:?}"),
        Action::Acknowledged(newest) => format!("acknowledged {newest}"),
        Action::End(reason) => format!("end {}", reason.label()),
    }
}

#[test]
fn the_handshake_may_come_in_pieces_and_with_messages_behind_it() {
    let mut tab = Tab::new();
    assert_eq!(tab.send("{\"protocol\":\"json\","), [""; 0]);
    let rest = "\"version\":1}\u{1e}{\"type\":6}\u{1e}\
                {\"type\":1,\"invocationId\":\"0\",\"target\":\"Cursor\",\"arguments\":[]}\u{1e}";
    assert_eq!(tab.send(rest), ["send {}\u{1e}", "opened", "call Some(\"0\") Cursor []"]);
}

#[test]
fn a_message_reads_the_same_byte_by_byte() {
    let mut tab = Tab::open();
    let text = "{\"type\":1,\"invocationId\":\"1\",\"target\":\"resume\",\"arguments\":[\"c\"]}\u{1e}";
    let actions: Vec<_> = text.bytes().flat_map(|byte| tab.send_bytes(&[byte])).collect();
    assert_eq!(actions, ["call Some(\"1\") resume [Some(\"c\")]"]);
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
    // A proxy may have sent the requests of a connection here that another node opened: to its client those words
    // would be no message.
    for (transport, seconds) in [(Transport::ServerSentEvents, 5), (Transport::LongPolling, 15)] {
        let mut tab = Tab::over(transport);
        assert_eq!(tab.after(seconds - 1), [""; 0]);
        assert_eq!(tab.after(1), ["end handshake_timeout"]);
    }
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
fn streams_and_answers_are_handed_to_the_code_behind_a_hub_alone() {
    let mut tab = Tab::open();
    for (sent, said) in [
        ("{\"type\":2,\"invocationId\":\"u\",\"item\":1}", "Item { id: \"u\", item: Int(1) }"),
        ("{\"type\":3,\"invocationId\":\"u\"}", "Completed { id: \"u\", outcome: Void }"),
        ("{\"type\":5,\"invocationId\":\"7\"}", "Cancel(\"7\")"),
    ] {
        let expected: &[&str] = if cfg!(feature = "embed") { &[said] } else { &[] };
        assert_eq!(tab.send(&format!("{sent}\u{1e}")), expected);
    }
}

fn stateful() -> Tab {
    let mut tab = Tab::new();
    let actions = tab.send("{\"protocol\":\"json\",\"version\":2}\u{1e}");
    assert_eq!(actions[1], "opened stateful");
    tab
}

const CALL: &str = "{\"type\":1,\"target\":\"Cursor\",\"arguments\":[]}\u{1e}";

#[test]
fn a_lost_socket_is_replaced_and_messages_count_once() {
    let mut tab = stateful();
    assert_eq!(tab.send(CALL).len(), 1);
    for _ in 0..2 {
        assert!(tab.connection.lose_socket(tab.now), "kept, also after a second drop in a row");
        tab.connection.replace_socket(tab.now);
        let again = format!("{{\"type\":9,\"sequenceId\":1}}\u{1e}{CALL}");
        assert_eq!(tab.send(&again), [""; 0], "taken before");
    }
    assert_eq!(tab.send(CALL).len(), 1, "a new one");
    assert_eq!(tab.after(1), ["send {\"type\":8,\"sequenceId\":2}\u{1e}"]);
    assert_eq!(tab.send("{\"type\":8,\"sequenceId\":4}\u{1e}"), ["acknowledged 4"]);
}

#[test]
fn a_gap_in_the_sequence_ends_the_connection() {
    let mut tab = stateful();
    tab.connection.replace_socket(tab.now);
    let actions = tab.send("{\"type\":9,\"sequenceId\":5}\u{1e}");
    assert!(actions[0].contains("Sequence ID greater"), "{actions:?}");
    assert_eq!(actions[1], "end invalid_message");
}

#[test]
fn a_socket_that_never_sends_its_sequence_is_closed() {
    let mut tab = stateful();
    tab.connection.replace_socket(tab.now);
    assert_eq!(tab.after(4), [""; 0]);
    assert_eq!(tab.after(1), ["end client_gone"]);
}

#[test]
fn a_lost_socket_that_is_not_replaced_ends_the_connection() {
    let mut tab = stateful();
    assert!(tab.connection.lose_socket(tab.now));
    assert!(tab.connection.encode(&Message::Ping).is_some(), "what comes meanwhile is still encoded");
    assert_eq!(tab.after(29), [""; 0]);
    assert_eq!(tab.after(1), ["end client_gone"]);
    assert!(!tab.connection.is_stateful());
}

#[test]
fn a_client_that_does_not_count_has_nothing_to_resume() {
    let mut tab = Tab::open();
    assert!(!tab.connection.lose_socket(tab.now));
}

#[test]
fn long_polling_is_never_pinged() {
    let (settings, now) = (settings(), Instant::now());
    let connection = Connection::new(Transport::LongPolling, false, now);
    let mut tab = Tab { connection, settings, now };
    tab.send("{\"protocol\":\"json\",\"version\":1}\u{1e}");
    assert_eq!(tab.after(300), [""; 0]);
}

#[test]
fn bytes_need_a_transport_for_bytes() {
    let (settings, now) = (settings(), Instant::now());
    let connection = Connection::new(Transport::ServerSentEvents, false, now);
    let mut tab = Tab { connection, settings, now };
    let actions = tab.send("{\"protocol\":\"messagepack\",\"version\":1}\u{1e}");
    assert!(actions[0].contains("Cannot use the 'messagepack' protocol"), "{actions:?}");
    assert_eq!(actions[1], "end handshake_refused");
}

#[test]
fn protocol_errors_close_with_an_error_and_no_reconnect() {
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

/// A client could stop its shard with a few fragments, each of which cost all that had come before it.
#[test]
fn a_piece_of_a_message_costs_its_own_bytes_and_not_those_before_it() {
    // A tenth of a second is enough, and half a minute would be if each byte cost all before it.
    const PATIENCE: Duration = Duration::from_secs(8);
    let mut tab = Tab::open();
    tab.settings.message_bytes = 2 << 20;
    let message = format!("{{\"type\":6,\"unknown\":\"{}\"}}\u{1e}", "x".repeat(1 << 20));
    let (begun, mut actions, mut messages) = (Instant::now(), Vec::new(), 0);
    for (number, byte) in message.as_bytes().iter().enumerate() {
        messages += tab.connection.receive(std::slice::from_ref(byte), &tab.settings, tab.now, &mut actions);
        assert!(number % 4_096 != 0 || begun.elapsed() < PATIENCE, "{number} bytes took {:?}", begun.elapsed());
    }
    assert_eq!(messages, 1);
}
