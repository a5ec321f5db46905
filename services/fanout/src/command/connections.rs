//! `fanfare connections`: lists the open connections of all nodes, and closes some.

use std::io::Write as _;
use std::path::Path;

use super::Exit;
use super::client::{self, Client, Trouble};
use super::text::{cut, plain, table};
use crate::operator::connections::{Connection, Filter, MOST_IN_PAGE};

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
        Action::List { filter, limit, json } => list(&client, filter, *limit, *json).await,
        Action::Close(close) => self::close(&client, close).await,
    })
}

async fn list(client: &Client, filter: &Filter, limit: usize, json: bool) -> Result<Exit, Trouble> {
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
    print(&connections, json)?;
    let mut err = std::io::stderr().lock();
    // Nothing can be done for a reader that has gone.
    if next.is_some() {
        let _ = writeln!(err, "the first {limit} by id; --limit shows more");
    }
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        let nodes: Vec<String> = missing.iter().map(|node| plain(node)).collect();
        let _ = writeln!(err, "without those of nodes that do not answer: {}", nodes.join(", "));
    }
    Ok(Exit::Done)
}

fn print(connections: &[Connection], json: bool) -> Result<(), Trouble> {
    let mut out = std::io::stdout().lock();
    if json {
        for connection in connections {
            let line = serde_json::to_string(connection).map_err(|error| Trouble::wrong(error.to_string()))?;
            let _ = writeln!(out, "{line}");
        }
        return Ok(());
    }
    if connections.is_empty() {
        let _ = writeln!(out, "no connections");
        return Ok(());
    }
    let heads = ["ID", "HUB", "USER", "ORG", "SESSION", "TRANSPORT", "SINCE", "NODE", "GROUPS"];
    let heads = heads.map(str::to_owned).to_vec();
    let rows: Vec<_> = std::iter::once(heads).chain(connections.iter().map(row)).collect();
    let _ = write!(out, "{}", table(&rows));
    Ok(())
}

fn row(connection: &Connection) -> Vec<String> {
    let maybe = |value: &Option<String>| cut(&plain(value.as_deref().unwrap_or("-")), VALUE);
    vec![
        connection.id.clone(),
        cut(&plain(&connection.hub), VALUE),
        maybe(&connection.user),
        maybe(&connection.org),
        maybe(&connection.session),
        connection.transport.clone(),
        connection.since.clone(),
        plain(&connection.node),
        cut(&plain(&connection.groups.join(" ")), GROUPS),
    ]
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
