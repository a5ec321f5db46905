//! Checks that a record's address (subject, topic, key) matches its event; pure.
//!
//! Brokers give rights by subject and topic. An event that says more than its address would take rights that nobody
//! gave, and state under another key than its own would be forgotten or overwritten.

use fanfare_broker::{Message, Stream};
use fanfare_event::TypeName;
use thiserror::Error;

use super::decode::org_name;

/// The difference between a record's address and its event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Mismatch {
    /// Another type, or a type of another service.
    #[error("the subject or topic is for `{said}`, but the event is a `{is}`")]
    Type {
        /// What the address names; `?` for the event if it names only a service.
        said: String,
        /// The type of the event.
        is: TypeName,
    },
    /// An org that the address does not name.
    #[error("the subject names no org, the event {}", org_name(Some(.0.as_str())))]
    Org(String),
    /// State that was not sent to the stream of state, by its key.
    #[error(
        "`{event_type}` sets state by the key `{key}`, but was sent as an event without one: it must go to the stream of \
         state, under its key"
    )]
    NotAsState {
        /// The type of the event.
        event_type: TypeName,
        /// The key.
        key: String,
    },
    /// An event without a key, sent to the stream of state.
    #[error("`{0}` sets no state, but was sent to the stream of state: it must go to that of events")]
    NotState(TypeName),
    /// State under another key than its own.
    #[error("the subject or key names the state `{said}`, the event is about `{is}`")]
    StateKey {
        /// The key in the address.
        said: String,
        /// The key of the event.
        is: String,
    },
    /// An event of no org with a key that might be one.
    #[error("the record's key is `{said}`; of an event without an org it must be the user, which is {is}, or the type")]
    OrderKey {
        /// The key.
        said: String,
        /// The user, in words.
        is: String,
    },
}

/// Where an event belongs by its own content.
#[derive(Debug)]
pub(super) struct Named<'e> {
    pub(super) org: Option<&'e str>,
    pub(super) user: Option<&'e str>,
    /// The key of its state.
    pub(super) key: Option<String>,
}

/// Compares the address of a message with its event.
pub(super) fn check(message: &Message, event_type: &TypeName, named: &Named<'_>) -> Result<(), Mismatch> {
    let said = message.topic.as_str();
    let is_of_service = said.strip_suffix(".?").is_some_and(|service| service == event_type.service());
    if said != event_type.as_str() && !is_of_service {
        return Err(Mismatch::Type { said: said.to_owned(), is: event_type.clone() });
    }
    match (message.stream, &named.key) {
        (Stream::State, Some(key)) => check_state(message, key, named.org),
        (Stream::State, None) => Err(Mismatch::NotState(event_type.clone())),
        (Stream::Events, Some(key)) => Err(Mismatch::NotAsState { event_type: event_type.clone(), key: key.clone() }),
        (Stream::Events, None) => check_event(message, event_type, named),
    }
}

fn check_state(message: &Message, key: &str, org: Option<&str>) -> Result<(), Mismatch> {
    let said = message.key.as_deref().unwrap_or_default();
    if said != key {
        return Err(Mismatch::StateKey { said: said.to_owned(), is: key.to_owned() });
    }
    check_org(message, org)
}

fn check_event(message: &Message, event_type: &TypeName, named: &Named<'_>) -> Result<(), Mismatch> {
    let Some(key) = message.key.as_deref() else { return check_org(message, named.org) };
    // The broker keeps its order by a key of its own, which is no address: the event says its org. Where it says none,
    // an org may have been meant.
    let is_own = key == event_type.as_str() || key == message.topic || Some(key) == named.user;
    if named.org.is_some() || is_own {
        return Ok(());
    }
    let is = named.user.map_or_else(|| "none".to_owned(), |user| format!("`{user}`"));
    Err(Mismatch::OrderKey { said: key.to_owned(), is })
}

/// That an address with an org names the event's was compared before, together with its header and body.
fn check_org(message: &Message, org: Option<&str>) -> Result<(), Mismatch> {
    match (&message.org, org) {
        (None, Some(org)) => Err(Mismatch::Org(org.to_owned())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use fanfare_broker::{Record, Stream};

    use crate::pipeline::{Unusable, Written, decode};
    use crate::scene::Scene;

    const FLAG: &str = r#"{"org":"acme","flag":"beta","enabled":true}"#;

    /// The outcome for a flag's record after a change.
    fn flag(change: impl FnOnce(&mut Record)) -> Result<(), String> {
        let mut scene = Scene::demo();
        let mut record = scene.event("license.FlagToggled", FLAG);
        change(&mut record);
        let decoded = decode(&scene.registry, &record, &Written::Own);
        decoded.map(|_| ()).map_err(|fault: Unusable| {
            assert_eq!(fault.label(), "address");
            fault.to_string()
        })
    }

    #[test]
    fn the_address_of_an_event_agrees_with_the_event() {
        assert_eq!(flag(|_| {}), Ok(()));
        let of = |topic: &'static str| flag(move |record| record.message.topic = topic.to_owned());
        for other in ["auth.UserLoggedOut", "auth.FlagToggled", "license.FlagRemoved", "auth.?", "license", ""] {
            let reason = of(other).expect_err("another type");
            assert!(reason.contains(&format!("`{other}`")) && reason.contains("license.FlagToggled"), "{reason}");
        }
        assert_eq!(of("license.?"), Ok(()), "a topic of Kafka names a service alone");
    }

    #[test]
    fn state_goes_under_its_own_key() {
        for other in ["gamma", "", "beta/x"] {
            let reason = flag(|record| record.message.key = Some(other.to_owned())).expect_err("another key");
            assert!(reason.contains(&format!("`{other}`")) && reason.contains("`beta`"), "{reason}");
        }
        let reason = flag(|record| record.message.org = None).expect_err("no org");
        assert!(reason.contains("names no org") && reason.contains("`acme`"), "{reason}");
    }

    #[test]
    fn a_keyed_event_without_its_key_is_reported() {
        let reason = flag(|record| {
            record.message.stream = Stream::Events;
            record.message.key = None;
        });
        let reason = reason.expect_err("it would be forgotten at the next start");
        assert!(reason.contains("`beta`") && reason.contains("stream of state"), "{reason}");
        let mut scene = Scene::demo();
        let mut alert = scene.event("system.Alert", r#"{"org":"acme","title":"t","message":"m"}"#);
        (alert.message.stream, alert.message.key) = (Stream::State, Some("x".to_owned()));
        let fault = decode(&scene.registry, &alert, &Written::Own).expect_err("no state");
        assert!(fault.to_string().contains("sets no state"), "{fault}");
    }
}
