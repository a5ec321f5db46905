//! Another login while the broker is used.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare_test_servers::certificates::Certificates;
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{Signal, StartError, skip};

use super::super::{Login, Nats, Options, Tls};
use super::event;
use crate::broker::{Broker, Reader};
use crate::error::BrokerError;
use crate::position::Position;

const BOTH: &str = "authorization { users: [{ user: old, password: a }, { user: new, password: b },
    { user: mute, password: c, permissions: { publish: [\"nothing\"] } }] }";

const NEW: &str = "authorization { users: [{ user: new, password: b }] }";

fn login(user: &str, password: &str) -> Login {
    Login::Password { user: user.into(), password: password.into() }
}

async fn server(test: &str, more: impl Fn(&Path) -> String) -> Option<NatsServer> {
    match NatsServer::start_with(Version::Current, more).await {
        Ok(server) => Some(server),
        Err(StartError::Missing(why)) => {
            skip(test, &why);
            None
        }
        Err(failed) => panic!("{failed}"),
    }
}

/// Publishes one after the other until it is told to stop; none may fail. Gives how many there were.
fn publishing(nats: &Arc<Nats>) -> (Arc<AtomicBool>, tokio::task::JoinHandle<usize>) {
    let (nats, stop) = (Arc::clone(nats), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let task = tokio::spawn(async move {
        let mut count = 0;
        while !stopped.load(Ordering::Relaxed) {
            nats.publish(event(&count.to_string())).await.expect("published");
            count += 1;
        }
        count
    });
    (stop, task)
}

async fn ids(reader: &mut Box<dyn Reader>, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let batch = tokio::time::timeout(Duration::from_secs(20), reader.next()).await.expect("in time");
        ids.extend(batch.expect("a batch").into_iter().map(|record| record.message.id));
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_login_is_used_without_losing_an_event_and_a_wrong_one_is_not() {
    let test = "another_login_is_used_without_losing_an_event_and_a_wrong_one_is_not";
    let Some(server) = server(test, |_| BOTH.into()).await else { return };
    let options = Options {
        login: login("old", "a"),
        request_timeout: Duration::from_secs(1),
        ..Options::new([server.address()])
    };
    let nats = Arc::new(Nats::open(options).expect("opens"));
    let first = Position::start(nats.head().await.expect("a head").incarnation());
    let mut reader = nats.read(&first).await.expect("a reader");
    let (stop, published) = publishing(&nats);

    let said = nats.log_in(login("new", "guessed"), None).await.expect_err("wrong");
    assert!(said.contains("does not accept this login") && !said.contains("guessed"), "{said}");
    let said = nats.log_in(login("mute", "c"), None).await.expect_err("no rights");
    assert!(said.contains("too few rights") && said.contains("fanfare-events"), "{said}");
    nats.head().await.expect("the one before is used");

    nats.log_in(login("new", "b"), None).await.expect("accepted");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    stop.store(true, Ordering::Relaxed);
    let count = published.await.expect("none failed");

    // The server forgets the old user and closes its connections.
    server.configure(NEW);
    server.signal(Signal::HangUp);
    tokio::time::sleep(Duration::from_millis(300)).await;
    nats.publish(event("last")).await.expect("published");
    let read = ids(&mut reader, count + 1).await;
    let expected: Vec<String> = (0..count).map(|n| n.to_string()).chain(["last".to_owned()]).collect();
    assert_eq!(read, expected);
}

#[tokio::test]
async fn another_login_lets_in_who_was_not() {
    let Some(server) = server("another_login_lets_in_who_was_not", |_| NEW.into()).await else { return };
    let options = Options { login: login("old", "a"), ..Options::new([server.address()]) };
    let nats = Nats::open(options).expect("opens");
    assert!(matches!(nats.head().await, Err(BrokerError::Refused(_))));
    nats.log_in(login("new", "b"), None).await.expect("accepted");
    nats.publish(event("1")).await.expect("published");
    // The tries with the wrong one have ended, and change nothing.
    tokio::time::sleep(Duration::from_secs(3)).await;
    nats.publish(event("2")).await.expect("published");
    nats.close().await;
    nats.log_in(login("new", "b"), None).await.expect("accepted");
    assert!(matches!(nats.head().await, Err(BrokerError::Closed)), "a closed one stays so");
}

#[tokio::test]
async fn certificates_are_those_that_were_tried_whatever_the_files_hold_later() {
    let made = Mutex::new(None);
    let config = |folder: &Path| {
        let certificates = Certificates::write(folder);
        let ((certificate, key), ca) = (&certificates.server, &certificates.ca);
        let config = format!("tls {{ cert_file: {certificate:?}, key_file: {key:?}, ca_file: {ca:?}, verify: true }}");
        *made.lock().expect("not poisoned") = Some(certificates);
        config
    };
    let test = "certificates_are_those_that_were_tried_whatever_the_files_hold_later";
    let Some(mut server) = server(test, config).await else { return };
    let ours = made.into_inner().expect("not poisoned").expect("written");
    let tls = Tls { ca_file: Some(ours.ca.clone()), certificate: Some(ours.client.clone()) };
    let nats = Nats::open(Options { tls: Some(tls.clone()), ..Options::new([server.address()]) }).expect("opens");
    nats.publish(event("1")).await.expect("published");

    let sound = std::fs::read(&ours.client.0).expect("a file");
    std::fs::write(&ours.client.0, "-----BEGIN CERTIFICATE-----\nhalf").expect("written");
    let said = nats.log_in(Login::Nobody, Some(tls.clone())).await.expect_err("half a file");
    assert!(said.contains(&ours.client.0.display().to_string()), "{said}");
    let folder = tempfile::TempDir::new().expect("a folder");
    let others = Certificates::write(folder.path());
    let stranger = Tls { certificate: Some(others.client), ..tls.clone() };
    nats.log_in(Login::Nobody, Some(stranger)).await.expect_err("another authority's");

    // It connects again with what it had.
    server.kill();
    server.start_again().await.expect("starts again");
    let again = async {
        while nats.publish(event("2")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("connected again");
    std::fs::write(&ours.client.0, sound).expect("written");
    nats.log_in(Login::Nobody, Some(tls)).await.expect("accepted");
    nats.publish(event("3")).await.expect("published");
}
