//! The questions and answers of `/connections`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The most connections of one page.
pub const MOST_IN_PAGE: usize = 200;

/// The most connections whose round trips are measured at a time.
pub const MOST_MEASURED: usize = 100;

/// The most groups that are named of one connection.
pub const MOST_GROUPS: usize = 200;

/// Which connections are asked for: those that match all of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Its id.
    pub id: Option<String>,
    /// The user's id.
    pub user: Option<String>,
    /// An org whose events the connection may hear.
    pub org: Option<String>,
    /// A group that it is in, as it reads.
    pub group: Option<String>,
    /// The path of its hub.
    pub hub: Option<String>,
    /// The session's id.
    pub session: Option<String>,
    /// The user's realm.
    pub realm: Option<String>,
}

impl Filter {
    /// The keys of a query.
    pub const KEYS: [&str; 7] = ["id", "user", "org", "group", "hub", "session", "realm"];

    /// The place of a key's value; none if there is no such key.
    pub fn value_mut(&mut self, key: &str) -> Option<&mut Option<String>> {
        Some(match key {
            "id" => &mut self.id,
            "user" => &mut self.user,
            "org" => &mut self.org,
            "group" => &mut self.group,
            "hub" => &mut self.hub,
            "session" => &mut self.session,
            "realm" => &mut self.realm,
            _ => return None,
        })
    }

    /// Keys and values that are set.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let values = [&self.id, &self.user, &self.org, &self.group, &self.hub, &self.session, &self.realm];
        Self::KEYS.into_iter().zip(values).filter_map(|(key, value)| Some((key, value.as_deref()?)))
    }
}

/// One open connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its public id.
    pub id: String,
    /// The path of its hub.
    pub hub: String,
    /// Its user; none on a public hub.
    pub user: Option<String>,
    /// The org of its token.
    pub org: Option<String>,
    /// An org that its user named in addition.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub named_org: Option<String>,
    /// The realm of its user, where there are several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub realm: Option<String>,
    /// Its session.
    pub session: Option<String>,
    /// How its bytes travel.
    pub transport: String,
    /// Program and version of its client, in short, as it says itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client: Option<String>,
    /// The groups that it is in, as they read.
    pub groups: Vec<String>,
    /// How many more groups it is in.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub more_groups: usize,
    /// When it was opened, as RFC 3339 writes it.
    pub since: String,
    /// The node that has it.
    pub node: String,
    /// What it has been through; told of one that is asked for by its id.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub timeline: Vec<Moment>,
}

/// A moment of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When, as RFC 3339 writes it.
    pub at: String,
    /// What happened.
    pub what: What,
    /// How many notifications it is about, or moments that are left out.
    #[serde(skip_serializing_if = "is_none", default)]
    pub count: u32,
}

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It was opened.
    Opened,
    /// It has shaken hands, and its token allows it.
    Admitted,
    /// It caught up by a resume.
    Resumed,
    /// It caught up by asking where it is.
    Asked,
    /// It caught up by saying nothing.
    Quiet,
    /// It was sent so many notifications from the log.
    Replayed,
    /// It had fallen behind, and reads on from the log.
    Behind,
    /// It has lost its socket, and waits for another.
    SocketLost,
    /// It goes on with another socket.
    SocketReplaced,
    /// It goes on with another token.
    TokenRefreshed,
    /// So many moments are forgotten here.
    LeftOut,
    /// Something that only a newer version knows.
    #[serde(other)]
    Other,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

/// The connections of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodesPage {
    /// The node.
    pub node: String,
    /// Its connections, by id.
    pub connections: Vec<Connection>,
    /// Whether it has more after the last.
    pub more: bool,
}

/// The connections of all nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The connections, by id.
    pub connections: Vec<Connection>,
    /// The key of the next page; none at the end.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
    /// The nodes that did not answer: their connections are missing here.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub missing: Vec<String>,
}

/// How long the clients of one node took to answer a ping, in milliseconds, by the ids of their connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodesRoundTrips {
    /// The node.
    pub node: String,
    /// Those that have answered.
    pub round_trips: BTreeMap<String, f64>,
}

/// The same of all nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundTrips {
    /// Those that have answered: a ping can be sent over a WebSocket only.
    pub round_trips: BTreeMap<String, f64>,
    /// The nodes that did not answer.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub missing: Vec<String>,
}

/// That connections are being closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// The id of the event in the log.
    pub id: String,
}
