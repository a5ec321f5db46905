//! Another token for an open connection.
//!
//! The connection keeps the identity with which it was opened (rule 9.2): user, realm, session, org and named org.
//! Logouts and roles are checked again, in the shard's own turn, so that neither falls between the question and the
//! answer.

use super::request::NotRefreshed;
use super::{Core, Key};
use crate::connection::ConnectionId;
use crate::groups::is_allowed;
use crate::operator::connections::What;
use crate::rule::{Rule, kept};
use crate::vocabulary::Identity;

impl Core {
    /// The connection of a hub that has not ended.
    fn open_of(&self, id: ConnectionId, hub: &str) -> Option<Key> {
        let key = self.find(id)?;
        self.connections.get(key).filter(|tab| tab.ending.is_none() && &*tab.hub.path == hub).map(|_| key)
    }

    /// Whether a connection of this id is open on a hub.
    #[must_use]
    pub fn holds(&self, id: ConnectionId, hub: &str) -> bool {
        self.open_of(id, hub).is_some()
    }

    /// Lets a connection go on with another token: role groups are left and joined as by an event. Gives back when the
    /// token expires that counts now, in seconds since the epoch; none on a connection of nobody in particular.
    ///
    /// Of two refreshes that cross on their way the newer token stays, whichever comes last.
    ///
    /// # Errors
    /// [`NotRefreshed`] with the reason; the connection is as it was.
    pub fn refresh(
        &mut self,
        id: ConnectionId,
        hub: &str,
        identity: Option<Identity>,
    ) -> Result<Option<i64>, NotRefreshed> {
        self.look_after_joining();
        let key = self.open_of(id, hub).ok_or(NotRefreshed::Unknown)?;
        let tab = self.connections.get_mut(key).ok_or(NotRefreshed::Unknown)?;
        let (own, new) = match (&tab.identity, identity) {
            (Some(own), Some(new)) => (own, new),
            (None, None) => return Ok(None),
            _ => return Err(NotRefreshed::OtherCaller),
        };
        if !own.is_same(&new) {
            return Err(NotRefreshed::OtherCaller);
        }
        let groups = &self.context.groups;
        let (ends, refused, roles) = groups.read(|known| {
            let [ends, refused] = [own, &new].map(|who| known.refuses(who.claims()));
            (ends, refused, known.roles_of(new.claims()))
        });
        // A logout has ended it, and its client hears so in a moment: a newer token does not save it.
        if ends && kept(Rule::EndedNotRefreshed) {
            return Err(NotRefreshed::Unknown);
        }
        if refused {
            return Err(NotRefreshed::LoggedOut);
        }
        if new.is_older_than(own) {
            return Ok(Some(own.claims().expires_at));
        }
        if !is_allowed(&tab.hub, &new, &roles) {
            return Err(NotRefreshed::Forbidden);
        }
        let expires = new.claims().expires_at;
        tab.identity = Some(new);
        tab.is_refreshed = true;
        self.note_moment(key, What::TokenRefreshed, 0);
        self.regroup(key);
        Ok(Some(expires))
    }
}
