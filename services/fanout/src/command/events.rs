//! `fanfare events`: what became of an event on all nodes.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::Exit;
use super::client::{self, Client, Trouble};
use super::text::plain;
use crate::operator::events::{EventPaths, EventRecord, Memory, Notification, OnNode, Outcome, Slowest};

/// Asks the node of a configuration, which asks the others.
pub fn show(config: &Path, id: &str, json: bool) -> Exit {
    client::ask(config, async |client| print(&client, id, json).await)
}

async fn print(client: &Client, id: &str, json: bool) -> Result<Exit, Trouble> {
    let paths = client.event(id).await?;
    // Nothing can be done for a reader that has gone.
    if json {
        let line = serde_json::to_string(&paths).map_err(|error| Trouble::wrong(error.to_string()))?;
        let _ = writeln!(std::io::stdout(), "{line}");
    } else if !paths.events.is_empty() {
        let _ = write!(std::io::stdout(), "{}", described(&paths));
    }
    if !paths.missing.is_empty() {
        let nodes: Vec<String> = paths.missing.iter().map(|node| plain(node)).collect();
        let _ = writeln!(std::io::stderr(), "without nodes that do not answer: {}", nodes.join(", "));
    }
    if paths.events.is_empty() {
        return Err(Trouble::wrong(unknown(&paths)));
    }
    Ok(Exit::Done)
}

fn unknown(paths: &EventPaths) -> String {
    let reach = |Memory { node, events, since }: &Memory| match since {
        Some(since) => format!("{} the newest {events}, since {since}", plain(node)),
        None => format!("{} none yet", plain(node)),
    };
    let nodes: Vec<String> = paths.nodes.iter().map(reach).collect();
    format!(
        "no node remembers the event {}. They remember what they have read live: {}. An older one may be a dead letter \
         (`fanfare deadletters list`), or was never published",
        plain(&paths.id),
        nodes.join("; ")
    )
}

fn described(paths: &EventPaths) -> String {
    let mut out = String::new();
    for (number, event) in paths.events.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        describe(event, &mut out);
    }
    out
}

fn describe(event: &EventRecord, out: &mut String) {
    let EventRecord { head, nodes, sent, slowest } = event;
    for (name, value) in [
        ("id", Some(head.id.clone())),
        ("type", Some(head.event_type.clone())),
        ("source", Some(head.source.clone())),
        ("org", head.org.clone()),
        ("stored", Some(head.stored.clone())),
        ("place", Some(head.place.clone())),
        ("trace", head.trace_id.clone()),
        ("sent to", Some(counted(*sent, "connection"))),
        ("slowest", slowest.as_ref().map(took)),
    ] {
        if let Some(value) = value {
            let _ = writeln!(out, "{name:8} {}", plain(&value));
        }
    }
    for node in nodes {
        describe_node(node, out);
    }
}

fn describe_node(on_node: &OnNode, out: &mut String) {
    let outcome = match on_node.outcome {
        Outcome::New => "news",
        Outcome::Duplicate => "in the log before, dropped",
        Outcome::Stale => "older than what is known of its key, dropped",
        Outcome::DeadLetter => "a dead letter",
    };
    let _ = writeln!(out, "\n{}: {outcome}, read after {} ms", plain(&on_node.node), on_node.read_ms);
    if let Some(reason) = &on_node.reason {
        let _ = writeln!(out, "  {}", plain(reason));
    }
    for notification in &on_node.notifications {
        let _ = writeln!(out, "  route {}", plain(&reached(notification)));
    }
    for not in &on_node.not_taken {
        let _ = writeln!(out, "  not {}: {}", plain(&not.route), plain(&not.reason));
    }
    if on_node.more_not_taken > 0 {
        let _ = writeln!(out, "  not {} more", counted(on_node.more_not_taken as u64, "route"));
    }
    if on_node.outcome == Outcome::New && on_node.notifications.is_empty() && on_node.not_taken.is_empty() {
        let _ = writeln!(out, "  no route notifies anybody of its type");
    }
}

fn reached(notification: &Notification) -> String {
    let Notification { route, hub, target, groups, more_groups, throttled, sent, later, waiting, waits, slowest } =
        notification;
    let more = if *more_groups > 0 { format!(" and {more_groups} more") } else { String::new() };
    let mut text =
        format!("{route}: {target} on {hub} to {}{more}: {}", groups.join(", "), counted(*sent, "connection"));
    if *later > 0 {
        let _ = write!(text, ", {later} once they have caught up");
    }
    if *throttled {
        text.push_str(", held by a throttle or replaced there by a newer one");
    }
    if let (Some(id), true) = (waits, *waiting > 0) {
        let _ = write!(text, ", {waiting} have not taken it yet, such as {id}");
    }
    if let Some(slowest) = slowest {
        let _ = write!(text, ", slowest {}", took(slowest));
    }
    text
}

fn took(Slowest { connection, node, ms }: &Slowest) -> String {
    format!("{connection} on {node}, at most {ms} ms after it was stored")
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
