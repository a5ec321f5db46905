//! The load client against a node with every possible fault.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use fanfare_event::{Id, Registry, Value};

use super::hub::{HANDSHAKE_ANSWER, RECORD_END};
use super::toast::{Events, Toast};
use super::{Audience, Gate, Load, Plan, Ticket};

const TABS: usize = 2;

/// The sockets of the tabs, and the toast that all of them must get.
type Deliver = fn(&mut [TcpStream], &Toast) -> std::io::Result<()>;

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => frame.push(short),
        _ => {
            frame.push(126);
            frame.extend(u16::try_from(payload.len()).expect("short").to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

fn toast_frame(toast: &Toast) -> Vec<u8> {
    let mut payload = toast.shown();
    payload.push(RECORD_END);
    frame(&payload)
}

/// Reads the head of a request.
fn head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let value = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.expect("the header")
}

/// Accepts one producer and the tabs, then answers every event and delivers it.
fn serve(listener: &TcpListener, deliver: Deliver) -> std::io::Result<()> {
    let (mut producer, _) = listener.accept()?;
    let mut tabs = Vec::new();
    for _ in 0..TABS {
        let (mut negotiation, _) = listener.accept()?;
        assert!(head(&mut negotiation).starts_with("POST /hub/negotiate?negotiateVersion=1 "));
        let answer = r#"{"connectionToken":"abc","availableTransports":[{"transport":"WebSockets"}]}"#;
        write!(negotiation, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len())?;
        let (mut tab, _) = listener.accept()?;
        assert!(head(&mut tab).starts_with("GET /hub?id=abc&access_token=token "));
        write!(tab, "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")?;
        let mut handshake = [0; 6 + super::hub::HANDSHAKE.len()];
        tab.read_exact(&mut handshake)?;
        tab.write_all(&frame(HANDSHAKE_ANSWER))?;
        tabs.push(tab);
    }
    loop {
        let head = head(&mut producer);
        if head.is_empty() {
            return Ok(());
        }
        let mut body = vec![0; header(&head, "content-length").parse().expect("a number")];
        producer.read_exact(&mut body)?;
        let record = Registry::builtin().decode(&body).expect("Avro");
        let Some(Value::String(message)) = record.get("message") else { panic!("no message") };
        deliver(&mut tabs, &Toast::new(message, header(&head, "ce-time")))?;
        producer.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}")?;
    }
}

/// Publishes two events to such a node; returns the result.
fn run(deliver: Deliver) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let node = std::thread::spawn(move || serve(&listener, deliver));
    let gate = Gate::Hub { address, host: address.to_string(), path: "/hub" };
    let ticket = Ticket { user: Some(Id::parse("alice")?), token: Rc::from("token") };
    let mut load =
        Load::of_node(&gate, address, Events::of_org("acme")?, &vec![ticket; TABS], &Rc::from("producer"), 1)?;
    load.connect_all(1)?;
    let plan = Plan { bursts: 2, burst: 1, audience: Audience::Everybody, pause: Duration::from_millis(1) };
    let outcome = load.run(&plan).and_then(|()| load.settle(Duration::from_millis(50)));
    let samples = load.finish();
    drop(load);
    // A node whose tabs are gone cannot write to them: that is no fault of the test.
    let _ = node.join().expect("no panic");
    outcome?;
    assert_eq!((samples.each.len(), samples.last.len(), samples.accepted.len()), (2 * TABS, 2, 2));
    Ok(())
}

fn fault(deliver: Deliver) -> String {
    format!("{:#}", run(deliver).expect_err("the fault is found"))
}

#[test]
fn what_is_right_is_taken_in_any_pieces() {
    run(|tabs, toast| tabs.iter_mut().try_for_each(|tab| tab.write_all(&toast_frame(toast)))).expect("all is well");
    run(|tabs, toast| {
        let ping = frame(b"{\"type\":6}\x1e");
        for tab in tabs {
            tab.set_nodelay(true)?;
            for piece in [&ping[..], &toast_frame(toast)].concat().chunks(50) {
                tab.write_all(piece)?;
            }
        }
        Ok(())
    })
    .expect("all is well");
}

#[test]
fn another_toast_than_the_one_published_is_found() {
    let said = fault(|tabs, _| tabs.iter_mut().try_for_each(|tab| tab.write_all(&toast_frame(&Toast::new("x", "y")))));
    assert!(said.contains("not the next toast"), "{said}");
}

#[test]
fn other_bytes_for_one_of_the_tabs_are_found() {
    let said = fault(|tabs, toast| {
        tabs[0].write_all(&toast_frame(toast))?;
        let mut changed = toast_frame(toast);
        let at = changed.len() - 10;
        changed[at] ^= 1;
        tabs[1].write_all(&changed)
    });
    assert!(said.contains("tab 1"), "{said}");
}

#[test]
fn a_toast_that_comes_twice_is_found() {
    let said = fault(|tabs, toast| {
        tabs.iter_mut().try_for_each(|tab| tab.write_all(&[toast_frame(toast), toast_frame(toast)].concat()))
    });
    assert!(said.contains("is not to be told anything") || said.contains("not the next toast"), "{said}");
}

#[test]
fn a_tab_that_is_cut_off_is_found() {
    let said = fault(|tabs, toast| {
        tabs[0].write_all(&toast_frame(toast))?;
        tabs[1].shutdown(std::net::Shutdown::Both)
    });
    assert!(said.contains("the server ended 1 tabs"), "{said}");
}
