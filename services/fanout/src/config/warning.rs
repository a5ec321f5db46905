//! Warnings: settings that work but are probably mistakes. `fanfare check` and the log name them; the node starts
//! anyway.

use std::time::Duration;

use super::hub_settings::DEFAULT;
use super::limits::OLD_QUEUE_BYTES;
use super::personal::texts;
use crate::document::section::Section;
use crate::document::{Document, Fault, Source};
use crate::vocabulary::braces::{Piece, pieces};

/// What the configuration says.
pub(super) fn of_config(root: &Section<'_>) -> Vec<Fault> {
    let mut warnings = Vec::new();
    let hubs = root.value("hub").and_then(|node| root.nested(node, "[hub]"));
    let hubs: Vec<_> = hubs.iter().flat_map(Section::entries).collect();
    let sections = hubs.iter().filter_map(|(path, node)| root.nested(node, &format!("[hub.{:?}]", path.value)));
    for section in root.section("limits").into_iter().chain(sections) {
        warnings.extend(pings_too_seldom(&section));
    }
    warnings.extend(root.section("limits").and_then(|limits| old_name(&limits)));
    for (at, (path, node)) in hubs.iter().enumerate() {
        let same = hubs[..at].iter().find(|(other, _)| other.value.eq_ignore_ascii_case(path.value));
        if let Some((other, _)) = same {
            let message = format!(
                "{} and {} are one path to clients, so that one of the hubs is never reached",
                other.value, path.value
            );
            let help = "paths match without regard to case; keep one of the two".to_owned();
            warnings.push(root.document().spot(path.at).fault(message, Some(help)));
        }
        warnings.extend(texts(node).into_iter().filter_map(|text| dollar(root.document(), text.value, text.at)));
    }
    warnings
}

/// Warnings about route files; a file that is not TOML is reported elsewhere.
pub(super) fn of_routes(sources: &[Source]) -> Vec<Fault> {
    let of_file = |source| {
        let document = Document::parse(source);
        let routes = document.root().value("route").map(texts).unwrap_or_default();
        routes.into_iter().filter_map(|text| dollar(&document, text.value, text.at)).collect::<Vec<_>>()
    };
    sources.iter().flat_map(of_file).collect()
}

/// An outbox is a producer's table; what waits for a connection is a queue.
fn old_name(limits: &Section<'_>) -> Option<Fault> {
    limits.value(OLD_QUEUE_BYTES)?;
    let spot = limits.document().spot(limits.place(OLD_QUEUE_BYTES));
    let help = "write queue_bytes; the old name is still read".to_owned();
    Some(spot.fault(format!("`{OLD_QUEUE_BYTES}` is called `queue_bytes` now"), Some(help)))
}

/// Clients go when they hear nothing for 30 seconds. A ping that comes late by less than a second must not end them.
fn pings_too_seldom(section: &Section<'_>) -> Option<Fault> {
    let most = DEFAULT.client_timeout / 2;
    let said = Duration::from_secs(section.integer("keepalive_seconds", 0..=u64::from(u32::MAX), 0));
    (said > most).then(|| {
        let message = format!(
            "`keepalive_seconds` is {}, more than half of the {} s for which clients wait unless they are told otherwise",
            said.as_secs(),
            DEFAULT.client_timeout.as_secs()
        );
        let help = format!("at most {}, or a `serverTimeout` of twice as long in every client", most.as_secs());
        section.document().spot(section.place("keepalive_seconds")).fault(message, Some(help))
    })
}

/// `${name}`, as other languages write it, is here a dollar sign and the value.
fn dollar(document: &Document<'_>, text: &str, at: usize) -> Option<Fault> {
    let pieces: Vec<_> = pieces(text).map_while(Result::ok).collect();
    let name = pieces.windows(2).find_map(|two| match two {
        [Piece::Text(text), Piece::Name(name)] if text.ends_with('$') => Some(name),
        _ => None,
    })?;
    let message = format!("`${{{name}}}` is a dollar sign and the value");
    Some(document.spot(at).fault(message, Some(format!("write `{{{name}}}` for the value alone"))))
}
