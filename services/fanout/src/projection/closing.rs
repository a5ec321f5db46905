//! Connections that an operator closes, as an event that every node reads.

use fanfare_event::{Event, Id, Value};

use crate::vocabulary::Identity;

/// Which connections are closed: those that match all of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// One connection, by its public id.
    pub connection: Option<String>,
    /// Those of a user.
    pub user: Option<Id>,
    /// Those of a session.
    pub session: Option<Id>,
    /// Those of a realm.
    pub realm: Option<String>,
}

impl Closing {
    /// The type of the event. Only nodes publish it.
    pub const EVENT: &str = "system.ConnectionsClosed";

    /// What an event closes; none if it is another event, or names nothing.
    #[must_use]
    pub fn of(event: &Event) -> Option<Self> {
        if event.record.event_type().name().as_str() != Self::EVENT {
            return None;
        }
        let text = |field| event.record.get(field).and_then(Value::as_str);
        let id = |field| text(field).map(Id::parse).transpose().ok();
        let closing = Self {
            connection: text("connection").map(str::to_owned),
            user: id("user")?,
            session: id("session")?,
            realm: text("realm").map(str::to_owned),
        };
        let names_somebody = closing.connection.is_some() || closing.user.is_some() || closing.session.is_some();
        names_somebody.then_some(closing)
    }

    /// Whether a connection of this identity matches, as far as the identity tells.
    #[must_use]
    pub fn concerns(&self, who: Option<&Identity>) -> bool {
        let claims = who.map(|who| who.claims());
        let is = |wanted: Option<&Id>, has: Option<&Id>| wanted.is_none() || wanted == has;
        is(self.user.as_ref(), claims.map(|claims| &claims.user))
            && is(self.session.as_ref(), claims.and_then(|claims| claims.session.as_ref()))
            && self
                .realm
                .as_deref()
                .is_none_or(|realm| claims.and_then(|claims| claims.realm.as_deref()) == Some(realm))
    }
}
