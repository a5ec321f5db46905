//! `rate` of a method or a hub: how often clients may call it.

use std::time::Duration;

use super::words;
use crate::config::hub::HubConfig;
use crate::document::section::Section;
use crate::document::suggest;
use crate::method::declared::{CallRate, Per};

/// The most rates of one method or hub.
const MAX_RATES: usize = 8;

/// Reads `rate = { per = "user", calls = 100, seconds = 60, error = "..." }`, or a list of these.
pub(in crate::config) fn rates(section: &Section<'_>, of: &str, public: bool) -> Box<[CallRate]> {
    let Some(node) = section.value("rate") else { return Box::default() };
    let several = match node.get_ref().as_array() {
        Some(several) if !several.is_empty() && several.len() <= MAX_RATES => {
            several.iter().filter_map(|node| section.nested(node, "a rate")).collect()
        }
        Some(_) => {
            section.fault("rate", format!("1 to {MAX_RATES} rates can be held against a call"), None);
            Vec::new()
        }
        None => section.section("rate").into_iter().collect(),
    };
    let one = |(number, rate): (usize, &Section<'_>)| one(rate, format!("{of} {number}"), public);
    several.iter().enumerate().filter_map(one).collect()
}

fn one(rate: &Section<'_>, name: String, public: bool) -> Option<CallRate> {
    let rate = rate.clone().allow(&["per", "calls", "seconds", "error"]);
    let per = rate.required("per")?;
    let Some((_, of)) = Per::ALL.iter().find(|(known, _)| *known == per.value) else {
        let help = suggest::help(per.value, Per::ALL.map(|(name, _)| name));
        rate.document().fault(per.at, format!("calls are not counted per `{}`", per.value), help);
        return None;
    };
    if public && *of == Per::User {
        rate.fault("per", "a public hub has no users", Some("per = \"connection\" or \"address\"".to_owned()));
    }
    let count = |key: &str, most: u64| {
        if rate.value(key).is_none() {
            rate.document().fault(rate.at(), format!("{} needs the key `{key}`", rate.title()), None);
        }
        rate.integer_or(key, 1..=most, format!("it must be 1 to {most}"))
    };
    let (calls, seconds) = (count("calls", 1_000_000), count("seconds", 86_400));
    Some(CallRate {
        name: name.into(),
        per: *of,
        calls: u32::try_from(calls?).ok()?,
        span: Duration::from_secs(seconds?),
        error: words(&rate, "error"),
    })
}

/// Behind an undeclared proxy, all clients have the proxy's address.
pub(in crate::config) fn check_addresses(root: &Section<'_>, hubs: &[HubConfig], has_proxies: bool) {
    for hub in hubs.iter().filter(|hub| hub.counts_addresses() && !has_proxies) {
        let help = "list the proxies in front of the node, or write trusted_proxies = [] if there are none".to_owned();
        let message = format!("{} counts calls per address, which needs `trusted_proxies` of [node]", hub.path);
        root.section("hub").unwrap_or_else(|| root.clone()).fault(&hub.path, message, Some(help));
    }
}
