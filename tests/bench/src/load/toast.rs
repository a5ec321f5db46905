//! The events of the benchmark: what is published, and what every tab must then get.
//!
//! Most become toasts; those of the dashboards of an example become updates ([`super::update`]).

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use fanfare_event::TypedEvent as _;
use fanfare_event::vocabulary::auth::UserLoggedOut;
use fanfare_event::vocabulary::system::{Alert, Severity};
use fanfare_event::{Attributes, Id, Registry, Timestamp, TypeName};
use serde::Deserialize;
use time::OffsetDateTime;

use super::update::{self, DashboardUpdate, Update};

const TITLE: &str = "Benchmark";
const SEVERITY: &str = "info";
const SOURCE: &str = "/bench";

/// The expected toast of an event.
#[derive(Debug, Clone)]
pub(crate) struct Toast {
    message: String,
    at: String,
}

/// The notification of an event.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    Toast(Toast),
    Update(Update),
}

impl Shown {
    /// Checks that a hub message, without its end, is exactly this notification; returns its cursor, if it has one.
    pub(crate) fn check<'m>(&self, message: &'m [u8]) -> Result<Option<&'m str>> {
        match self {
            Self::Toast(toast) => toast.check(message).map(Some),
            Self::Update(update) => update.check(message).map(|()| None),
        }
    }

    /// Text that no other notification contains.
    pub(crate) fn mark(&self) -> &str {
        match self {
            Self::Toast(toast) => &toast.message,
            Self::Update(update) => update.mark(),
        }
    }
}

/// An event without a notification, ready to be published.
#[derive(Debug)]
pub(crate) struct Plain {
    /// CloudEvents attributes as headers.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// An event, ready to be published.
#[derive(Debug)]
pub(crate) struct Publication {
    /// CloudEvents attributes as headers.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Its notification.
    pub(crate) shown: Shown,
}

/// Creates events, each with its own id.
#[derive(Debug)]
pub(crate) struct Events {
    registry: Registry,
    event_type: TypeName,
    org: Id,
    /// Whether they are updates of dashboards.
    are_updates: bool,
    /// The length of a toast's text.
    pub(crate) message_bytes: usize,
}

/// The number of the next event. Shared by the process: clients of several nodes may publish to one broker, which would
/// take the same id for the same event.
static MADE: AtomicU64 = AtomicU64::new(1);

/// The orgs without a tab.
const OTHER_ORGS: u64 = 5_000;

/// The usual text of a toast.
const USUAL_MESSAGE_BYTES: usize = 64;

impl Events {
    pub(crate) fn of_org(org: &str) -> Result<Self> {
        let (registry, event_type) = (Registry::builtin(), TypeName::parse("system.Alert")?);
        let message_bytes = USUAL_MESSAGE_BYTES;
        Ok(Self { registry, event_type, org: Id::parse(org)?, are_updates: false, message_bytes })
    }

    /// Updates of dashboards, whose event is in a folder of schemas.
    pub(crate) fn updates_of_org(org: &str, schemas: &Path) -> Result<Self> {
        let registry = Registry::builtin().with_folder(schemas)?;
        let event_type = TypeName::parse(DashboardUpdate::TYPE)?;
        Ok(Self { registry, event_type, are_updates: true, ..Self::of_org(org)? })
    }

    /// A new event for a user, or for the whole org.
    pub(crate) fn make(&mut self, user: Option<&Id>) -> Result<Publication> {
        let org = self.org.clone();
        self.make_in(&org, user)
    }

    /// A new event for one of many orgs without a tab.
    pub(crate) fn make_elsewhere(&mut self) -> Result<Publication> {
        let org = Id::parse(&format!("other-{}", MADE.load(Ordering::Relaxed) % OTHER_ORGS))?;
        self.make_in(&org, None)
    }

    /// The logout of a user everywhere.
    pub(crate) fn log_out(&self, user: &Id) -> Result<Plain> {
        let attributes = self.attributes(TypeName::parse("auth.UserLoggedOut")?, &self.org)?;
        let (user, org, reason) = (user.clone(), self.org.clone(), "benchmark".to_owned());
        let body = UserLoggedOut { user, org, session: None, reason, revision: None };
        let encoded = self.registry.encode(attributes, &body).context("the event does not fit its schema")?;
        Ok(Plain { headers: encoded.attributes.to_headers(), body: encoded.body })
    }

    /// The attributes of the next event.
    fn attributes(&self, event_type: TypeName, org: &Id) -> Result<Attributes> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let millis = i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000)?;
        Ok(Attributes {
            id: format!("event-{number}"),
            source: SOURCE.to_owned(),
            event_type,
            time: Timestamp(millis),
            subject: None,
            org: Some(org.clone()),
            data_version: None,
            traceparent: None,
        })
    }

    fn make_in(&mut self, org: &Id, user: Option<&Id>) -> Result<Publication> {
        let attributes = self.attributes(self.event_type.clone(), org)?;
        if self.are_updates {
            let (event, update) = update::make(org, &attributes.id);
            let encoded = self.registry.encode(attributes, &event).context("the event does not fit its schema")?;
            return Ok(Publication {
                headers: encoded.attributes.to_headers(),
                body: encoded.body,
                shown: Shown::Update(update),
            });
        }
        let mut message = attributes.id.replace("event-", "Event ") + " ";
        message.extend(std::iter::repeat_n('.', self.message_bytes.saturating_sub(message.len())));
        let toast = Toast { message: message.clone(), at: attributes.time.to_rfc3339() };
        let alert = Alert {
            org: Some(org.clone()),
            user: user.cloned(),
            severity: Severity::Info,
            title: TITLE.to_owned(),
            message,
            raised_by: "bench".to_owned(),
            link: None,
        };
        let encoded = self.registry.encode(attributes, &alert).context("the event does not fit its schema")?;
        Ok(Publication { headers: encoded.attributes.to_headers(), body: encoded.body, shown: Shown::Toast(toast) })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invocation<'a> {
    r#type: u8,
    target: &'a str,
    #[serde(borrow)]
    arguments: [Fields<'a>; 1],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    id: &'a str,
    cursor: &'a str,
    severity: &'a str,
    title: &'a str,
    message: &'a str,
    at: &'a str,
}

impl Toast {
    /// Checks that a hub message, without its end, is exactly this toast; returns its cursor.
    fn check<'m>(&self, message: &'m [u8]) -> Result<&'m str> {
        let text = || String::from_utf8_lossy(message).into_owned();
        let invocation: Invocation<'_> = serde_json::from_slice(message).with_context(text)?;
        let [shown] = invocation.arguments;
        ensure!(invocation.r#type == 1 && invocation.target == "toast", "not a toast: {}", text());
        ensure!(!shown.id.is_empty() && !shown.cursor.is_empty(), "no id or no cursor: {}", text());
        let right = shown.severity == SEVERITY && shown.title == TITLE;
        ensure!(
            right && shown.message == self.message && is_same_time(shown.at, &self.at),
            "not the next toast ({:?}): {}",
            self.message,
            text()
        );
        Ok(shown.cursor)
    }
}

/// Whether two texts are the same time: one may omit a fraction of zero.
fn is_same_time(one: &str, other: &str) -> bool {
    one == other
        || matches!((Timestamp::parse_rfc3339(one), Timestamp::parse_rfc3339(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Toast {
        pub(in crate::load) fn new(message: &str, at: &str) -> Self {
            Self { message: message.to_owned(), at: at.to_owned() }
        }

        /// The message with this toast.
        pub(in crate::load) fn shown(&self) -> Vec<u8> {
            let Self { message, at } = self;
            let shown = format!(
                "{{\"type\":1,\"target\":\"toast\",\"arguments\":[{{\"id\":\"i\",\"cursor\":\"c\",\"severity\":\"info\",\
                 \"title\":\"Benchmark\",\"message\":\"{message}\",\"at\":\"{at}\"}}]}}"
            );
            shown.into_bytes()
        }
    }

    #[test]
    fn a_toast_is_checked_to_the_last_field() {
        let toast = Toast::new("Event 7", "2026-01-02T03:04:05.678Z");
        toast.check(&toast.shown()).expect("the toast");
        let text = String::from_utf8(toast.shown()).expect("text");
        let changed =
            [("Event 7", "Event 8"), ("info", "error"), ("\"i\"", "\"\""), ("05.6", "05.7"), ("toast", "logout")];
        for (part, other) in changed {
            assert!(toast.check(text.replace(part, other).as_bytes()).is_err(), "{other}");
        }
        let more = text.replace("\"at\"", "\"x\":1,\"at\"");
        for wrong in [more.as_bytes(), b"{\"type\":6}", b""] {
            assert!(toast.check(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn a_full_second_may_be_shown_without_its_fraction() {
        let toast = Toast::new("Event 7", "2026-01-02T03:04:05.000Z");
        let text = String::from_utf8(toast.shown()).expect("text");
        assert!(toast.check(text.replace(".000Z", "Z").as_bytes()).is_ok());
    }

    #[test]
    fn events_differ_and_have_the_length_asked_for() {
        let mut events = Events::of_org("acme").expect("an org");
        let one = events.make(None).expect("fits");
        let other = events.make(None).expect("fits");
        assert!(one.shown.mark() != other.shown.mark() && one.headers != other.headers);
        assert_eq!(one.shown.mark().len(), USUAL_MESSAGE_BYTES);
    }
}
