//! `fanfare deadletters replay`.

use std::io::Write as _;

use super::Replay;
use crate::command::Exit;
use crate::command::client::{Client, Trouble};
use crate::command::text::plain;
use crate::pipeline::letters::{Fate, LetterId, MOST_LISTED, MOST_REPLAYED, ReplayRequest, Summary};

/// How many letters are replayed at most: as many as a broker keeps.
const MOST: usize = 10_000;

pub(super) async fn run(client: &Client, replay: &Replay) -> Result<Exit, Trouble> {
    let ids = if replay.all { all(client, replay.reason.as_deref()).await? } else { replay.ids.clone() };
    let mut out = std::io::stdout().lock();
    if ids.is_empty() {
        // Nothing can be done for a reader that has gone.
        let _ = writeln!(out, "no dead letters");
        return Ok(Exit::Done);
    }
    let (mut taken, mut refused) = (0, 0);
    for ids in ids.chunks(MOST_REPLAYED) {
        let request = ReplayRequest { ids: ids.to_vec(), force: replay.force, dry_run: replay.dry_run };
        for outcome in client.replay(&request).await?.letters {
            let _ = writeln!(out, "{}  {}", outcome.id, told(&outcome.fate));
            match outcome.fate {
                Fate::Stored { .. } | Fate::WouldStore => taken += 1,
                Fate::Failed { reason } => {
                    let message = format!("{taken} letters were stored before the broker took no more: {reason}");
                    return Err(Trouble { exit: Exit::Unreachable, message });
                }
                _ => refused += 1,
            }
        }
    }
    let verb = if replay.dry_run { "would be stored" } else { "stored" };
    let _ = writeln!(out, "{taken} {verb}, {refused} refused");
    Ok(if refused == 0 { Exit::Done } else { Exit::Wrong })
}

/// All letters, or those with one kind of fault, in the order in which they were written.
async fn all(client: &Client, kind: Option<&str>) -> Result<Vec<LetterId>, Trouble> {
    let mut letters: Vec<Summary> = Vec::new();
    let mut before = None;
    // Read to the end before anything is published: a letter that is refused again must not come around again.
    while letters.len() < MOST {
        let page = client.page(before, MOST_LISTED).await?.letters;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        letters.extend(page);
    }
    letters.retain(|letter| kind.is_none_or(|kind| letter.kind == kind));
    letters.sort_by_key(|letter| (letter.time, letter.id));
    Ok(letters.into_iter().map(|letter| letter.id).collect())
}

fn told(fate: &Fate) -> String {
    match fate {
        Fate::Stored { at } => format!("stored as {at}"),
        Fate::WouldStore => "would be stored".to_owned(),
        Fate::Unusable { reason } => {
            format!("refused: it would be a dead letter again ({}); --force publishes it all the same", plain(reason))
        }
        Fate::Superseded => {
            "refused: something newer was stored under its key; --force puts this one over it".to_owned()
        }
        Fate::Unknown => "refused: there is no such dead letter".to_owned(),
        Fate::Cut { kept, size } => format!(
            "refused: its body was cut to {kept} of {size} bytes, and the record is no longer kept; ask its producer"
        ),
        Fate::Failed { reason } => format!("failed: {}", plain(reason)),
    }
}
