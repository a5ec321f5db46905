//! `fanfare connections`: lists the open connections of all nodes, and closes some.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use super::Exit;
use super::client::{self, Client, Trouble};
use super::text::{cut, plain, table};
use crate::operator::connections::{Connection, Filter, MOST_IN_PAGE, MOST_MEASURED};

/// How many characters of a connection's groups the table shows.
const GROUPS: usize = 80;

/// How much of any other value does.
const VALUE: usize = 40;

/// The subcommand.
#[derive(Debug, Clone)]
pub enum Action {
    /// Print open connections.
    List {
        /// Which.
        filter: Filter,
        /// How many at most.
        limit: usize,
        /// As JSON, one a line.
        json: bool,
        /// Whether to measure how long clients take to answer.
        round_trips: bool,
    },
    /// Close connections.
    Close(Close),
}

/// Which connections are closed.
#[derive(Debug, Clone)]
pub struct Close {
    /// One of this id.
    pub id: Option<String>,
    /// All of a user; or, with a session, that user's session.
    pub user: Option<String>,
    /// All of a session.
    pub session: Option<String>,
    /// The realm of user and session.
    pub realm: Option<String>,
}

/// Asks the node of a configuration, which asks the others.
pub fn run(config: &Path, action: &Action) -> Exit {
    client::ask(config, async |client| match action {
        Action::List { filter, limit, json, round_trips } => {
            let (connections, missing) = list(&client, filter, *limit).await?;
            let measured = if *round_trips { Some(measure(&client, &connections).await?) } else { None };
            print(&connections, *json, measured.as_ref())?;
            say_missing(missing);
            Ok(Exit::Done)
        }
        Action::Close(close) => self::close(&client, close).await,
    })
}

type Measured = BTreeMap<String, f64>;

async fn list(client: &Client, filter: &Filter, limit: usize) -> Result<(Vec<Connection>, Vec<String>), Trouble> {
    let (mut connections, mut missing, mut next) = (Vec::new(), Vec::new(), None);
    loop {
        let most = (limit - connections.len()).min(MOST_IN_PAGE);
        let page = client.connections(filter, next.as_deref(), most).await?;
        connections.extend(page.connections);
        missing.extend(page.missing);
        next = page.next;
        if next.is_none() || connections.len() >= limit {
            break;
        }
    }
    if next.is_some() {
        // Nothing can be done for a reader that has gone.
        let _ = writeln!(std::io::stderr(), "the first {limit} by id; --limit shows more");
    }
    Ok((connections, missing))
}

/// How long clients take to answer a ping: only one with a WebSocket can be pinged.
async fn measure(client: &Client, connections: &[Connection]) -> Result<Measured, Trouble> {
    let sockets = connections.iter().filter(|connection| connection.transport == "WebSockets");
    let ids: Vec<&str> = sockets.map(|connection| &*connection.id).collect();
    let mut measured = Measured::new();
    for some in ids.chunks(MOST_MEASURED) {
        measured.extend(client.round_trips(some).await?.round_trips);
    }
    Ok(measured)
}

fn say_missing(mut missing: Vec<String>) {
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        let nodes: Vec<String> = missing.iter().map(|node| plain(node)).collect();
        let _ = writeln!(std::io::stderr(), "without those of nodes that do not answer: {}", nodes.join(", "));
    }
}

fn print(connections: &[Connection], json: bool, measured: Option<&Measured>) -> Result<(), Trouble> {
    let mut out = std::io::stdout().lock();
    if json {
        for connection in connections {
            let line = as_json(connection, measured).map_err(|error| Trouble::wrong(error.to_string()))?;
            let _ = writeln!(out, "{line}");
        }
        return Ok(());
    }
    if connections.is_empty() {
        let _ = writeln!(out, "no connections");
        return Ok(());
    }
    let heads = ["ID", "HUB", "USER", "ORG", "SESSION", "TRANSPORT", "CLIENT", "SINCE", "NODE", "GROUPS"];
    let mut heads = heads.map(str::to_owned).to_vec();
    if measured.is_some() {
        heads.insert(7, "ROUND TRIP".to_owned());
    }
    let rows = connections.iter().map(|connection| row(connection, measured));
    let rows: Vec<_> = std::iter::once(heads).chain(rows).collect();
    let _ = write!(out, "{}", table(&rows));
    Ok(())
}

fn as_json(connection: &Connection, measured: Option<&Measured>) -> serde_json::Result<String> {
    let mut value = serde_json::to_value(connection)?;
    if let Some(took) = measured.and_then(|measured| measured.get(&connection.id)) {
        value["round_trip_ms"] = (*took).into();
    }
    serde_json::to_string(&value)
}

fn row(connection: &Connection, measured: Option<&Measured>) -> Vec<String> {
    let maybe = |value: &Option<String>| cut(&plain(value.as_deref().unwrap_or("-")), VALUE);
    let mut row = vec![
        connection.id.clone(),
        cut(&plain(&connection.hub), VALUE),
        maybe(&connection.user),
        maybe(&connection.org),
        maybe(&connection.session),
        connection.transport.clone(),
        maybe(&connection.client),
        connection.since.clone(),
        plain(&connection.node),
        cut(&plain(&connection.groups.join(" ")), GROUPS),
    ];
    if let Some(measured) = measured {
        row.insert(7, measured.get(&connection.id).map_or_else(|| "-".to_owned(), |took| format!("{took} ms")));
    }
    row
}

async fn close(client: &Client, close: &Close) -> Result<Exit, Trouble> {
    let Close { id, user, session, realm } = close;
    let realm = realm.iter().map(|realm| ("realm", realm.as_str()));
    let closing = match (id, session, user) {
        (Some(id), _, _) => client.close(["connections", id], &[]).await?,
        (None, Some(session), user) => {
            let whose = user.iter().map(|user| ("user", user.as_str()));
            client.close(["sessions", session], &realm.chain(whose).collect::<Vec<_>>()).await?
        }
        (None, None, Some(user)) => client.close(["users", user], &realm.collect::<Vec<_>>()).await?,
        (None, None, None) => return Err(Trouble::wrong("name a connection, --user or --session")),
    };
    let _ = writeln!(std::io::stdout(), "{}", closing.id);
    Ok(Exit::Done)
}
