//! What says that it is a NATS server of some version, for versions that nobody should install.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The address of a server that says a version, answers pings, and does nothing else.
///
/// # Panics
/// If there is no free port.
pub async fn pretend(version: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(greet(socket, version));
        }
    });
    address
}

async fn greet(socket: TcpStream, version: &str) {
    let (read, mut write) = socket.into_split();
    let info = format!(
        "INFO {{\"server_id\":\"x\",\"version\":\"{version}\",\"proto\":1,\"host\":\"127.0.0.1\",\"port\":1,\
         \"headers\":true,\"max_payload\":1048576,\"jetstream\":true}}\r\n"
    );
    let mut lines = BufReader::new(read).lines();
    let mut sent = write.write_all(info.as_bytes()).await;
    while let (Ok(()), Ok(Some(line))) = (&sent, lines.next_line().await) {
        if line.starts_with("PING") {
            sent = write.write_all(b"PONG\r\n").await;
        }
    }
}
