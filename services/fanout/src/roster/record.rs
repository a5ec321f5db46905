//! What a node says of its members in one room, as bytes of the nodes' own stream.
//!
//! JSON, so that an operator can read it. Fields that another version does not know are ignored.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use fanfare_event::Id;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::presence::{Member, Room, User};
use crate::vocabulary::name::GroupName;

/// The prefix of the keys of such records.
pub const PREFIX: &str = "presence/";

/// The most members of a record that is read.
const MOST: usize = 10_000;

/// Why a record cannot be used.
#[derive(Debug, Error)]
pub(super) enum Unreadable {
    /// It is none.
    #[error("it is no record of members: {0}")]
    Json(#[from] serde_json::Error),
    /// It holds more than any node writes.
    #[error("it holds {0} members, and at most {MOST} are read")]
    TooMany(usize),
}

#[derive(Debug, Serialize, Deserialize)]
struct Body {
    hub: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    org: Option<Id>,
    /// The unambiguous form of the group's name.
    group: String,
    members: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    realm: Option<String>,
    user: Id,
    since: i64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    about: BTreeMap<String, String>,
}

/// The name of the record of one page of a room.
pub(super) fn name(room: &Room, page: u32) -> String {
    format!("{PREFIX}{}/{page}", room.digest())
}

/// The body; empty, which withdraws the record, if nobody is on the page.
pub(super) fn encode<'m>(room: &Room, members: impl Iterator<Item = &'m Arc<Member>>) -> Bytes {
    let members: Vec<Entry> = members
        .map(|member| Entry {
            realm: member.user.realm.as_deref().map(str::to_owned),
            user: member.user.id.clone(),
            since: member.since,
            about: member.about.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect(),
        })
        .collect();
    if members.is_empty() {
        return Bytes::new();
    }
    let body = Body { hub: room.hub.to_string(), org: room.org.clone(), group: room.group.key().to_owned(), members };
    // Only texts and numbers: this cannot fail.
    serde_json::to_vec(&body).map(Bytes::from).unwrap_or_default()
}

/// Reads a body.
pub(super) fn decode(body: &[u8]) -> Result<(Room, Vec<Arc<Member>>), Unreadable> {
    let Body { hub, org, group, members } = serde_json::from_slice(body)?;
    if members.len() > MOST {
        return Err(Unreadable::TooMany(members.len()));
    }
    let room = Room { hub: hub.into(), org, group: GroupName::told(&group) };
    let members = members.into_iter().map(|Entry { realm, user, since, about }| {
        let about = about.into_iter().map(|(name, text)| (name.into(), text.into())).collect();
        Arc::new(Member { user: User { realm: realm.map(Into::into), id: user }, since, about })
    });
    Ok((room, members.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::name::GroupTemplate;

    #[test]
    fn members_decode_as_they_were_encoded() {
        let group = GroupTemplate::parse("list:{id}").expect("a template").name(&["a/\"b\" ü"]).expect("a name");
        let room = Room { hub: "/hub".into(), org: Some(Id::parse("acme").expect("an id")), group };
        let member = |user: &str, about: &[(&str, &str)]| {
            let about = about.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
            let user = User { realm: Some("r".into()), id: Id::parse(user).expect("an id") };
            Arc::new(Member { user, since: 5, about })
        };
        let members = [member("alice", &[("name", "Alice \u{1f600}")]), member("urn:x y", &[])];
        let body = encode(&room, members.iter());
        assert_eq!(decode(&body).expect("readable"), (room.clone(), members.to_vec()));
        assert!(encode(&room, std::iter::empty()).is_empty(), "nobody is a removal");
        assert!(!name(&room, 3).contains(char::is_control));
        assert!(decode(b"{}").is_err());
    }
}
