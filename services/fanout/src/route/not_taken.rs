//! Why a route makes no notification of an event of its type; pure.

use fanfare_event::Event;

use super::audience::Audience;
use super::rule::Route;

/// Why a route does not take an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// It takes other versions.
    Version,
    /// This of its conditions does not hold.
    Condition(usize),
    /// The event names nobody whom the route sends to.
    Nobody,
}

impl Route {
    /// Whether the route takes this event, whatever its audience.
    pub fn takes(&self, event: &Event) -> bool {
        self.refusal(event).is_none()
    }

    /// Why it does not.
    pub(super) fn refusal(&self, event: &Event) -> Option<NotTaken> {
        let version = event.record.written_version();
        if !self.versions.is_empty() && !self.versions.contains(&version) {
            return Some(NotTaken::Version);
        }
        self.when.iter().position(|condition| !condition.holds(&event.record)).map(NotTaken::Condition)
    }

    /// The same for people.
    #[must_use]
    pub fn explain_refusal(&self, why: NotTaken) -> String {
        match why {
            NotTaken::Version => {
                let versions: Vec<String> = self.versions.iter().map(ToString::to_string).collect();
                format!("it takes version {} only", versions.join(", "))
            }
            NotTaken::Condition(number) => {
                let field = self.when.get(number).map(|condition| condition.field().name()).unwrap_or_default();
                format!("its condition on `{field}` does not hold")
            }
            NotTaken::Nobody => {
                let groups: Vec<&str> = self.audiences.iter().map(Audience::written).collect();
                format!("the event names nobody of {}", groups.join(", "))
            }
        }
    }
}
