//! What a producer's token lets its bearer publish.

use fanfare_event::{Id, TypeName, TypePattern};

/// What a producer's token lets its bearer publish.
#[derive(Debug, Clone, PartialEq)]
pub struct Publish {
    /// The event types, already cut to what the issuer may grant.
    pub types: Vec<TypePattern>,
    /// The sources: exact, ending in `*`, or `*` for any.
    pub sources: Vec<String>,
    /// The orgs: exact, or `*` for any and for events without an org.
    pub orgs: Vec<String>,
}

impl Publish {
    /// Tells whether events of this type may be published.
    pub fn allows_type(&self, event_type: &TypeName) -> bool {
        self.types.iter().any(|pattern| pattern.matches(event_type))
    }

    /// Tells whether events of this source may be published.
    pub fn allows_source(&self, source: &str) -> bool {
        self.sources.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => source.starts_with(prefix),
            None => source == pattern,
        })
    }

    /// Tells whether events of this org may be published; an event without an org needs the `*`.
    pub fn allows_org(&self, org: Option<&Id>) -> bool {
        self.orgs.iter().any(|pattern| pattern == "*" || org.is_some_and(|org| org.as_str() == pattern))
    }
}

/// Cuts the patterns of a token to those that its issuer may grant.
pub(crate) fn intersect(granted: Vec<TypePattern>, cap: Option<&[TypePattern]>) -> Vec<TypePattern> {
    let Some(cap) = cap else { return granted };
    let mut both: Vec<TypePattern> = Vec::new();
    for pattern in granted {
        for limit in cap {
            let narrower = if covers(limit, &pattern) {
                &pattern
            } else if covers(&pattern, limit) {
                limit
            } else {
                continue;
            };
            if !both.contains(narrower) {
                both.push(narrower.clone());
            }
        }
    }
    both
}

/// Tells whether all that `narrow` matches is matched by `wide` too.
fn covers(wide: &TypePattern, narrow: &TypePattern) -> bool {
    let (wide, narrow) = (wide.to_string(), narrow.to_string());
    match wide.strip_suffix('*') {
        Some(prefix) => narrow.starts_with(prefix),
        None => wide == narrow,
    }
}
