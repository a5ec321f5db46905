//! `throttle` and `conflate`: which notifications may be replaced by newer ones.

use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

use fanfare_event::Event;

use super::audience::Audience;
use super::rule::Retain;
use super::scope::{Phase, Scope};
use super::source::{Context, Source};
use super::text::Text;
use crate::document::section::Section;
use crate::vocabulary::name::GroupName;

/// The most notifications of a key in a second.
const MOST: u64 = 1_000;

/// Effects after which no notification may be sent.
const EFFECTS: [&str; 6] = ["logout", "roles", "grant", "withdraw", "close_org", "open_org"];

/// At most so many notifications per second of an audience and key, of which the newest comes last.
#[derive(Debug, Clone)]
pub(super) struct Throttle {
    key: Text,
    interval: Duration,
    /// Whether each event has one group: then the group is part of the key.
    is_single: bool,
}

/// Which notifications take turns, and how far apart they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The same for those that stand for each other.
    pub slot: u64,
    /// The least time between two of them.
    pub interval: Duration,
}

impl Throttle {
    /// Reads `throttle = { key = "{deployment_id}", per_second = 10 }`.
    pub(super) fn compile(
        scope: &Scope<'_>,
        section: &Section<'_>,
        retain: Retain,
        audiences: &[Audience],
    ) -> Option<Self> {
        section.value("throttle")?;
        let throttle = section.section("throttle")?.allow(&["key", "per_second"]);
        if section.value("conflate").is_some() {
            let help = "a throttle conflates by its key";
            section.fault("conflate", "`conflate` and `throttle` exclude each other", Some(help.to_owned()));
        }
        if let Some(effect) = EFFECTS.into_iter().find(|key| section.value(key).is_some()) {
            let message = format!("what is said beside `{effect}` cannot wait");
            section.fault("throttle", message, Some("leave one of them out".to_owned()));
        }
        if retain == Retain::Remove {
            section.fault("throttle", "a removal must not be replaced by what follows", None);
        }
        let help = format!("it must be 1 to {MOST}");
        if throttle.value("per_second").is_none() {
            throttle.document().fault(throttle.at(), "`throttle` needs the key `per_second`", Some(help.clone()));
        }
        let per_second = throttle.integer_or("per_second", 1..=MOST, help);
        let key = throttle.required("key").and_then(|text| scope.text(text, Phase::Routing))?;
        check_key(&throttle, &key, "key");
        let is_single = matches!(audiences, [only] if !only.spreads());
        if !is_single {
            check_audiences(&throttle, &key, audiences);
        }
        let interval = Duration::from_secs_f64(1.0 / per_second? as f64);
        Some(Self { key, interval, is_single })
    }

    /// The turn that a notification for these groups takes.
    pub(super) fn pace(&self, route: (&str, &str), event: &Event, groups: &[GroupName], keys: &RandomState) -> Pace {
        // Keyed by chance for this process, so that no one can choose keys that collide.
        let mut hasher = keys.build_hasher();
        (route, super::verify::org(event)).hash(&mut hasher);
        for source in self.key.sources() {
            source.text(Context::of(event)).hash(&mut hasher);
        }
        if self.is_single {
            groups.hash(&mut hasher);
        }
        Pace { slot: std::hash::Hasher::finish(&hasher), interval: self.interval }
    }
}

/// If an event has several groups, each must get the newest of a key, so the key must tell the groups apart.
fn check_audiences(section: &Section<'_>, key: &Text, audiences: &[Audience]) {
    let of_key =
        |index: usize| key.sources().any(|source| matches!(source, Source::Field(field) if field.index() == index));
    let missing = audiences.iter().flat_map(Audience::fields).find(|field| !of_key(field.index()));
    if let Some(field) = missing {
        let name = field.name();
        let message = format!("the groups differ by `{{{name}}}`, and the key of `throttle` does not");
        section.fault("key", message, Some(format!("add {{{name}}} to the key")));
    }
}

/// Reads `conflate = "{job_id}"`.
pub(super) fn conflate(scope: &Scope<'_>, section: &Section<'_>, retain: Retain) -> Option<Text> {
    let template = section.string("conflate")?;
    if retain == Retain::Remove {
        section.fault("conflate", "a removal must not be replaced by what follows", None);
    }
    let text = scope.text(template, Phase::Routing)?;
    check_key(section, &text, "conflate");
    Some(text)
}

fn check_key(section: &Section<'_>, text: &Text, key: &str) {
    let title = if key == "key" { "`key` of `throttle`".to_owned() } else { format!("`{key}`") };
    if text.sources().next().is_none() {
        let help = format!("for instance {key} = \"{{job_id}}\": the newest of each job");
        section.fault(key, format!("{title} names no field"), Some(help));
    }
    for source in text.sources() {
        if !super::wire::is_readable(&source.kind()) {
            section.fault(key, format!("a record or bytes cannot be the key of {title}"), None);
        }
    }
}
