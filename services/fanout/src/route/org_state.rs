//! `close_org` and `open_org`: an event closes an org to a hub, or opens it again.

use std::sync::Arc;

use fanfare_event::{Event, Id};

use super::effect::Effect;
use super::isolation::ORG;
use super::scope::{Phase, Scope};
use super::source::Context;
use super::text::Text;
use super::verify::{self, Unroutable};
use crate::document::section::Section;

/// The most characters of a reason: it is sent in a Close message and in a 403.
const MAX_REASON: usize = 256;

/// The reason if an event gives none.
const NO_REASON: &str = "Your organization has no access at the moment.";

/// What an event does to its org.
#[derive(Debug, Clone)]
pub(super) enum OrgRule {
    /// Closes it, for this reason.
    Close(Text),
    /// Opens it again.
    Open,
}

impl OrgRule {
    /// What one event does.
    pub(super) fn of(&self, event: &Event) -> Result<Effect, Unroutable> {
        let bad = |reason: String| Unroutable::BadId { field: ORG.to_owned(), reason };
        let org = verify::org(event).ok_or_else(|| bad("it is null".to_owned()))?;
        let org = Id::parse(org).map_err(|error| bad(error.to_string()))?;
        let closed = match self {
            Self::Open => None,
            Self::Close(reason) => Some(cut(&reason.render(Context::of(event)))),
        };
        Ok(Effect::Org { org, closed })
    }

    pub(super) fn explain(&self) -> &'static str {
        match self {
            Self::Close(_) => "closes the org",
            Self::Open => "opens the org",
        }
    }

    /// Reads `close_org = { reason = "The licence has expired." }` or `open_org = true`.
    ///
    /// This must outlive the window, so its event is a state.
    pub(super) fn compile(scope: &Scope<'_>, section: &Section<'_>) -> Option<Self> {
        let (key, rule) = if section.value("close_org").is_some() {
            let close = section.section("close_org")?.allow(&["reason"]);
            let reason = close.required("reason")?;
            if reason.value.trim().is_empty() {
                let help = "for instance reason = \"Your licence has expired.\"";
                scope.document.fault(reason.at, "the reason is blank", Some(help.to_owned()));
            }
            ("close_org", Self::Close(scope.text(reason, Phase::Routing)?))
        } else {
            if !section.boolean("open_org")? {
                section.fault("open_org", "`open_org` can only be true", Some("leave the key out".to_owned()));
            }
            ("open_org", Self::Open)
        };
        let schema = scope.schema;
        if schema.index_of(ORG).is_none() {
            let message = format!("{} says no org, so `{key}` has none", schema.event_type);
            let help = "give its schema a field `org`, or the alias `org` to the field that holds it";
            section.fault(key, message, Some(help.to_owned()));
        }
        if !schema.is_stateful() {
            let message = format!("{} has no key, and what it says would be forgotten", schema.event_type);
            let help = "its schema needs \"fanfare.key\": the field of the org is enough";
            section.fault(key, message, Some(help.to_owned()));
        }
        Some(rule)
    }
}

/// A reason in one piece, never blank.
fn cut(reason: &str) -> Arc<str> {
    let plain: String = reason.trim().chars().filter(|c| !c.is_control()).take(MAX_REASON).collect();
    if plain.is_empty() { NO_REASON.into() } else { plain.into() }
}
