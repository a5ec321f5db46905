//! Raw connections over WebSockets: a separate loop, because the node's speaks the hub protocol.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use fanfare_fanout::websocket::{CloseCode, FrameReader, Opcode, Received, close_frame, frame_header, pong_frame};
use http::request::Parts;
use http::{StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The longest accepted message.
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

/// Answers the opening handshake; a task serves the socket.
pub(super) fn open(mut parts: Parts, accept: &str) -> Response {
    let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    tokio::spawn(async move {
        let served = match upgrade.await {
            Ok(upgraded) => serve(TokioIo::new(upgraded)).await,
            Err(error) => Err(std::io::Error::other(error)),
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a raw WebSocket ended early");
        }
    });
    let headers = [(header::CONNECTION, "Upgrade"), (header::UPGRADE, "websocket")];
    (StatusCode::SWITCHING_PROTOCOLS, headers, [(header::SEC_WEBSOCKET_ACCEPT, accept)], Body::empty()).into_response()
}

async fn serve(mut socket: TokioIo<Upgraded>) -> std::io::Result<()> {
    let (mut reader, mut buffer, mut message) = (FrameReader::default(), vec![0; 16 * 1024], Vec::new());
    loop {
        let count = socket.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        let mut rest = &mut buffer[..count];
        while !rest.is_empty() {
            let (used, received) = reader.read(rest).map_err(std::io::Error::other)?;
            match received {
                Some(Received::Data { bytes, end }) => {
                    message.extend_from_slice(bytes);
                    if message.len() > MAX_MESSAGE_BYTES {
                        return Err(std::io::Error::other("the message is too long"));
                    }
                    if end {
                        socket.write_all(&frame(&std::mem::take(&mut message))).await?;
                    }
                }
                Some(Received::Ping(payload)) => socket.write_all(&pong_frame(&payload)).await?,
                Some(Received::Close(_)) => {
                    socket.write_all(&close_frame(CloseCode::Normal)).await?;
                    return socket.shutdown().await;
                }
                Some(Received::Pong(_)) => {}
                None if used == 0 => break,
                None => {}
            }
            rest = &mut rest[used..];
        }
    }
}

/// The message unchanged. Whether its frame was text or binary is not known here; valid text stays text.
fn frame(message: &[u8]) -> Vec<u8> {
    let opcode = if std::str::from_utf8(message).is_ok() { Opcode::Text } else { Opcode::Binary };
    let mut frame = Vec::with_capacity(message.len() + 10);
    frame_header(opcode, message.len(), &mut frame);
    frame.extend_from_slice(message);
    frame
}
