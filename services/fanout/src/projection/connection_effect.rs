//! The effects of an event on open connections, besides its notification.

use fanfare_broker::Position;
use fanfare_event::Id;

use super::{Access, ClosedOrg, Closing, RoleChange};
use crate::route::InRealm;
use crate::vocabulary::Identity;

/// An effect that open connections must feel beyond the notification itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionEffect {
    /// Tokens of this user, or of this session, issued up to `at` (seconds) are worthless.
    LoggedOut {
        /// In which realms.
        realm: InRealm,
        /// Which connections.
        user: Id,
        /// Which session; without one all of them.
        session: Option<Id>,
        /// The time of the logout in seconds.
        at: i64,
    },
    /// A user's roles in an org have changed.
    Roles(RoleChange),
    /// A user has access to a group, and is in it without a call.
    Granted(Access),
    /// A user has lost access to a group.
    Withdrawn(Access),
    /// An operator closes connections.
    Closed(Closing),
    /// An org is closed to a hub.
    OrgClosed(ClosedOrg),
    /// The stream is a new one, read from here on: everything after it is live for every connection.
    Renewed(Position),
    /// This node has learnt something that it delivers to nobody: a lost part of the stream, or the state of a new one.
    /// Clients reconnect with their cursors, are checked against the current state, and their resume says that
    /// something is missing.
    Gap,
}

impl ConnectionEffect {
    /// Whether it ends connections.
    #[must_use]
    pub fn is_logout(&self) -> bool {
        matches!(self, Self::LoggedOut { .. })
    }

    /// Whether it ends the connections of this identity.
    #[must_use]
    pub fn ends(&self, who: &Identity) -> bool {
        let Self::LoggedOut { realm, user, session, at } = self else { return false };
        let claims = who.claims();
        if claims.user != *user || !realm.includes(claims.realm.as_deref()) {
            return false;
        }
        match session {
            // Of this user: another may have a session of the same name (rule 1.5).
            Some(session) => claims.session.as_ref() == Some(session),
            None => claims.issued_at <= *at,
        }
    }
}
