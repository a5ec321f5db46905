//! The questions and answers of `/connections`.

use serde::{Deserialize, Serialize};

/// The most connections of one page.
pub const MOST_IN_PAGE: usize = 200;

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
    /// The groups that it is in, as they read.
    pub groups: Vec<String>,
    /// How many more groups it is in.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub more_groups: usize,
    /// When it was opened, as RFC 3339 writes it.
    pub since: String,
    /// The node that has it.
    pub node: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &usize) -> bool {
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

/// That connections are being closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// The id of the event in the log.
    pub id: String,
}
