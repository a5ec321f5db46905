//! `fanfare deadletters show`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_event::Timestamp;

use crate::command::Exit;
use crate::command::client::{Client, Trouble};
use crate::command::text::{hex, plain};
use crate::pipeline::letters::{LetterId, Shown};

pub(super) async fn run(client: &Client, id: LetterId, file: Option<&Path>) -> Result<Exit, Trouble> {
    let letter = client.show(id).await?;
    let body = STANDARD.decode(&letter.body);
    let body = body.map_err(|error| Trouble::wrong(format!("the node's answer holds no body: {error}")))?;
    // Nothing can be done for a reader that has gone.
    let _ = write!(std::io::stdout(), "{}", described(&letter, &body, file.is_none()));
    let Some(file) = file else { return Ok(Exit::Done) };
    std::fs::write(file, &body)
        .map_err(|error| Trouble::wrong(format!("the body cannot be written to {}: {error}", file.display())))?;
    if letter.complete {
        return Ok(Exit::Done);
    }
    let (kept, size) = (body.len(), letter.summary.size);
    let message =
        format!("{} holds {kept} of {size} bytes: the letter was cut and the record is no longer kept", file.display());
    Err(Trouble::wrong(message))
}

fn described(letter: &Shown, body: &[u8], with_body: bool) -> String {
    let Shown { summary, stream, key, message_id, headers, complete, now, .. } = letter;
    let size = match complete {
        true => format!("{} bytes", summary.size),
        false => format!("{} bytes, of which {} are left: the record is no longer kept", summary.size, body.len()),
    };
    let mut out = String::new();
    for (name, value) in [
        ("id", summary.id.to_string()),
        ("reason", summary.reason.clone()),
        ("written", Timestamp(summary.time).to_rfc3339()),
        ("topic", summary.topic.clone()),
        ("org", summary.org.clone().unwrap_or_else(|| "-".to_owned())),
        ("stream", stream.clone()),
        ("key", key.clone().unwrap_or_else(|| "-".to_owned())),
        ("message", message_id.clone()),
        ("size", size),
        ("now", now.fault.as_ref().map_or_else(|| "could be used".to_owned(), |fault| format!("unusable: {fault}"))),
    ] {
        let _ = writeln!(out, "{name:8} {}", plain(&value));
    }
    out.push_str("\nheaders\n");
    for (name, value) in headers {
        let _ = writeln!(out, "  {}: {}", plain(name), plain(value));
    }
    if with_body {
        let data = now.data.as_ref().and_then(|data| serde_json::to_string_pretty(data).ok());
        let shown = match data {
            // JSON escapes what a terminal would interpret.
            Some(json) => format!("{json}\n"),
            None => hex(body),
        };
        let _ = write!(out, "\nbody\n{shown}");
    }
    out
}
