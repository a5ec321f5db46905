//! `[authorizer.name]`: a service of the platform that decides who may do what.

use std::time::Duration;

use reqwest::Url;

use super::issuer::web_url;
use super::method::publish;
use super::node::Secret;
use super::paths::Paths;
use super::{ca_file, secret_file};
use crate::document::section::Section;
use crate::document::{Located, suggest};
use crate::method::declared::{Again, QuestionForm};
use crate::route::pieces;
use crate::vocabulary::braces::Piece;

/// The longest time that an answer may be used again, in seconds.
const MAX_CACHE: u64 = 300;

/// A service that is asked before a call is carried out.
#[derive(Debug, Clone)]
pub struct AuthorizerConfig {
    /// The question that it is asked.
    pub form: QuestionForm,
    /// How long an answer that allows is used again.
    pub cache: Duration,
    /// The bearer token that it is asked with.
    pub token: Option<Secret>,
    /// The certificates of those who sign its own, in PEM.
    pub ca: Option<Vec<u8>>,
}

pub(super) const KEYS: &[&str] =
    &["url", "method", "body", "cache_seconds", "token_file", "ca_file", "recheck_seconds", "grace_seconds"];

/// Reads every `[authorizer.name]`.
pub(super) fn read(root: &Section<'_>, paths: &Paths) -> Vec<AuthorizerConfig> {
    let Some(all) = root.section("authorizer") else { return Vec::new() };
    let mut read = Vec::new();
    for (name, node) in all.entries() {
        let Some(section) = all.nested(node, &format!("[authorizer.{}]", name.value)) else {
            let help = Some("write [authorizer.name]".to_owned());
            all.fault(name.value, format!("`{}` is not an authorizer", name.value), help);
            continue;
        };
        let section = section.allow(KEYS);
        let cache = Duration::from_secs(section.integer("cache_seconds", 0..=MAX_CACHE, 0));
        let token = section.string("token_file").map(|file| secret_file::read(&section, "token_file", file, paths));
        let ca = ca_file::read(&section, paths);
        let Some((origin, path)) = section.required("url").and_then(|url| self::url(&section, url)) else { continue };
        let (post, again) = (post(&section), again(&section));
        let body = section.value("body").and_then(|node| publish::json(&section, node));
        if body.is_some() && !post {
            section.fault("body", "only a POST has a body", Some("add method = \"POST\"".to_owned()));
        }
        let form = QuestionForm { authorizer: name.value.into(), origin, path, post, body, again };
        read.push(AuthorizerConfig { form, cache, token: token.flatten(), ca });
    }
    read
}

fn post(section: &Section<'_>) -> bool {
    match section.string("method").map(|text| (text.value, text)) {
        None | Some(("GET", _)) => false,
        Some(("POST", _)) => true,
        Some((other, text)) => {
            let help = suggest::help(&other.to_ascii_uppercase(), ["GET", "POST"]);
            section.document().fault(text.at, format!("an authorizer is not asked by {other:?}"), help);
            false
        }
    }
}

/// How it is asked again while a group is held.
fn again(section: &Section<'_>) -> Option<Again> {
    let grace = Duration::from_secs(section.integer("grace_seconds", 0..=3_600, 60));
    let help = || "it must be 0 for never, or 5 to 86400; the default is 0".to_owned();
    let every = section.integer_or("recheck_seconds", 0..=86_400, help()).unwrap_or_default();
    if (1..5).contains(&every) {
        section.fault("recheck_seconds", format!("`recheck_seconds` of {} is {every}", section.title()), Some(help()));
    }
    if every == 0 && section.value("grace_seconds").is_some() {
        section.fault("grace_seconds", "`grace_seconds` needs `recheck_seconds`", None);
    }
    (every > 0).then(|| Again { every: Duration::from_secs(every), grace })
}

/// Splits a URL before its path; placeholders may be in the path only.
fn url(section: &Section<'_>, url: Located<&str>) -> Option<(Box<str>, Box<str>)> {
    let document = section.document();
    web_url(section, "url", url)?;
    let after_scheme = url.value.find("://").map_or(0, |at| at + 3);
    let at = url.value[after_scheme..].find('/').map_or(url.value.len(), |at| after_scheme + at);
    let (origin, path) = url.value.split_at(at);
    if origin.contains(['{', '}', '@', '?', '#']) || path.contains(['?', '#']) {
        let help = "values stand between the slashes of the path, for instance https://lists.internal/users/{user}";
        document.fault(url.at, "an authorizer's URL has scheme, host, port and path", Some(help.to_owned()));
        return None;
    }
    let pieces = match pieces(path) {
        Ok(pieces) => pieces,
        Err(message) => {
            document.fault(url.at, message, None);
            return None;
        }
    };
    let filled = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => &**text,
        Piece::Name(_) => "x",
    });
    let filled = format!("{origin}{}", filled.collect::<String>());
    match Url::parse(&filled) {
        Ok(parsed) if parsed.as_str() == filled || parsed.as_str() == format!("{filled}/") => {}
        Ok(parsed) => {
            let message = "the URL is not in its normal form".to_owned();
            document.fault(url.at, message, Some(format!("with values it would be read as {parsed}")));
            return None;
        }
        Err(error) => {
            document.fault(url.at, format!("not a URL: {error}"), None);
            return None;
        }
    }
    Some((origin.into(), path.into()))
}
