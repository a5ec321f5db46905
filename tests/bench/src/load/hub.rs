//! The parts of the JSON hub protocol that a tab needs.

use anyhow::{Context, Result, bail, ensure};

/// The end of every hub message.
pub(crate) const RECORD_END: u8 = 0x1e;

/// The handshake request, in JSON.
pub(crate) const HANDSHAKE: &[u8] = b"{\"protocol\":\"json\",\"version\":1}\x1e";
/// The answer to it.
pub(crate) const HANDSHAKE_ANSWER: &[u8] = b"{}\x1e";
/// The ping message.
pub(crate) const PING: &[u8] = b"{\"type\":6}\x1e";

/// A message other than a toast.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told<'a> {
    Ping,
    /// A Close, with its reason.
    Close(&'a [u8]),
    /// The user's logout, which is sent only to tabs that are then closed.
    Logout,
    /// Anything else: a toast, or a fault.
    Other(&'a [u8]),
}

/// The messages of a frame.
pub(crate) fn messages(payload: &[u8]) -> impl Iterator<Item = Told<'_>> {
    let payload = payload.strip_suffix(&[RECORD_END]).unwrap_or(payload);
    payload.split(|byte| *byte == RECORD_END).map(|message| match message {
        b"{\"type\":6}" => Told::Ping,
        close if close.starts_with(b"{\"type\":7") => Told::Close(close),
        logout if logout.starts_with(b"{\"type\":1,\"target\":\"logout\"") => Told::Logout,
        other => Told::Other(other),
    })
}

/// The connection token in the answer to negotiate, which must offer WebSockets.
pub(crate) fn connection_token(body: &[u8]) -> Result<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).context("negotiate does not answer in JSON")?;
    let transports = answer["availableTransports"].as_array().map_or(&[][..], Vec::as_slice);
    ensure!(transports.iter().any(|offer| offer["transport"] == "WebSockets"), "no WebSockets on offer: {answer}");
    match answer["connectionToken"].as_str() {
        Some(token) if !token.is_empty() => Ok(token.to_owned()),
        _ => bail!("negotiate gives no connection token: {answer}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_in_one_frame_are_split() {
        let told: Vec<_> = messages(b"{\"type\":6}\x1e{\"type\":7}\x1e{}\x1e").collect();
        assert_eq!(told, [Told::Ping, Told::Close(b"{\"type\":7}"), Told::Other(b"{}")]);
    }

    #[test]
    fn negotiate_must_offer_what_is_used() {
        let answer = r#"{"connectionToken":"abc","availableTransports":[{"transport":"WebSockets"}]}"#;
        assert_eq!(connection_token(answer.as_bytes()).expect("sound"), "abc");
        for wrong in
            ["", "{}", r#"{"connectionToken":"abc"}"#, r#"{"availableTransports":[{"transport":"WebSockets"}]}"#]
        {
            assert!(connection_token(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
