//! `fanfare deadletters list`.

use std::io::Write as _;

use fanfare_event::Timestamp;

use crate::command::Exit;
use crate::command::client::{Client, Trouble};
use crate::command::text::{cut, plain, table};
use crate::pipeline::letters::Summary;

/// How many characters of a reason the table shows.
const REASON: usize = 100;

/// How many characters of a topic the table shows.
const TOPIC: usize = 48;

pub(super) async fn run(client: &Client, limit: usize, json: bool) -> Result<Exit, Trouble> {
    let letters = client.newest(limit).await?.letters;
    let mut out = std::io::stdout().lock();
    if json {
        for letter in &letters {
            let line = serde_json::to_string(letter).map_err(|error| Trouble::wrong(error.to_string()))?;
            // Nothing can be done for a reader that has gone.
            let _ = writeln!(out, "{line}");
        }
        return Ok(Exit::Done);
    }
    if letters.is_empty() {
        let _ = writeln!(out, "no dead letters");
        return Ok(Exit::Done);
    }
    let heads = ["ID", "TIME", "TOPIC", "ORG", "SIZE", "REASON"].map(str::to_owned).to_vec();
    let rows: Vec<_> = std::iter::once(heads).chain(letters.iter().map(row)).collect();
    let _ = write!(out, "{}", table(&rows));
    if letters.len() == limit {
        let _ = writeln!(out, "the newest {limit}; --limit shows more");
    }
    Ok(Exit::Done)
}

fn row(letter: &Summary) -> Vec<String> {
    vec![
        letter.id.to_string(),
        Timestamp(letter.time).to_rfc3339(),
        cut(&plain(&letter.topic), TOPIC),
        plain(letter.org.as_deref().unwrap_or("-")),
        letter.size.to_string(),
        cut(&plain(&letter.reason), REASON),
    ]
}
