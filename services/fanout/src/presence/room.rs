//! A room: the group of one hub and one org in which users are present.

use std::sync::Arc;

use fanfare_event::Id;

use crate::vocabulary::name::GroupName;

/// A group of a hub, as far as one org is concerned.
///
/// Users of two orgs may be in a group of one name; they hear nothing of each other, so each org has a room of its own
/// there (rule 1.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Room {
    /// The path of the hub.
    pub hub: Arc<str>,
    /// The org; none of users without one.
    pub org: Option<Id>,
    /// The group.
    pub group: GroupName,
}

impl Room {
    /// Identifies this room in the key of a record: the same on every node, and short however long the group's name is.
    #[must_use]
    pub(crate) fn digest(&self) -> String {
        let org = self.org.as_ref().map_or("", Id::as_str);
        // No part contains a control character of this kind, so the joined text is injective.
        let text = format!("{}\u{1c}{org}\u{1c}{}", self.hub, self.group.key());
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}
