//! A reader of the log that falls silent while its broker answers, as a client library's may after a fault of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Settings, Token};
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, skip};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// The text of a NATS message that is a stream's record, and not an answer: its acknowledgement subject.
const RECORD: &str = " $JS.ACK.";

/// A proxy to a NATS server that loses records while answers and heartbeats pass.
struct DeafLine {
    address: SocketAddr,
    is_deaf: Arc<AtomicBool>,
    lost: Arc<AtomicU64>,
}

impl DeafLine {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (is_deaf, lost) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let line = Self { address, is_deaf: Arc::clone(&is_deaf), lost: Arc::clone(&lost) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(server).await else { continue };
                let ((mut from_client, to_client), (from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
                tokio::spawn(pass(from_server, to_client, Arc::clone(&is_deaf), Arc::clone(&lost)));
            }
        });
        line
    }
}

/// Forwards the server's messages, except records while the line is deaf.
async fn pass(from: OwnedReadHalf, mut to: OwnedWriteHalf, is_deaf: Arc<AtomicBool>, lost: Arc<AtomicU64>) {
    let mut from = BufReader::new(from);
    loop {
        let mut message = Vec::new();
        if from.read_until(b'\n', &mut message).await.is_ok_and(|count| count == 0) {
            return;
        }
        let head = String::from_utf8_lossy(&message).into_owned();
        if head.starts_with("MSG ") || head.starts_with("HMSG ") {
            let size: usize = head.trim_end().rsplit(' ').next().and_then(|size| size.parse().ok()).expect("a size");
            let mut payload = vec![0; size + 2];
            from.read_exact(&mut payload).await.expect("a payload");
            message.extend(payload);
        }
        if head.contains(RECORD) && is_deaf.load(Ordering::SeqCst) {
            lost.fetch_add(1, Ordering::SeqCst);
        } else if to.write_all(&message).await.is_err() {
            return;
        }
    }
}

/// The client library does not notice: heartbeats arrive, and the server counts the record as delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_falls_silent_while_its_broker_answers_is_reopened_and_counted() {
    let server = match NatsServer::start(Version::Current).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("a reader that falls silent", &why),
        Err(error) => panic!("{error}"),
    };
    let line = DeafLine::to(server.address().parse().expect("an address")).await;
    let broker = format!("url = \"nats://{}\"\n", line.address);
    let node = Node::start_with(Settings::default().broker(&broker).secret(SECRET)).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    node.publish(&[NewEvent::alert("acme", "heard")]).await;
    assert_eq!(tab.expect("toast").await["title"], "heard");

    line.is_deaf.store(true, Ordering::SeqCst);
    node.publish(&[NewEvent::alert("acme", "lost on the way")]).await;
    until("a record that is lost", async || (line.lost.load(Ordering::SeqCst) > 0).then_some(())).await;
    until("a node that has noticed", async || {
        (node.metric("fanfare_reader_standstills_total", "").await >= 1.0).then_some(())
    })
    .await;
    line.is_deaf.store(false, Ordering::SeqCst);
    assert_eq!(tab.expect("toast").await["title"], "lost on the way");
    let line = "a reader of the log is stuck although the broker answers; it is reopened at its position";
    assert!(!node.lines(line).is_empty(), "its log says nothing");
}
