//! What a producer's token allows its bearer to publish.

use fanfare_event::{Id, TypeName, TypePattern};

use crate::name_list::NameList;

/// What a producer's token allows its bearer to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct Publish {
    /// The event types, already limited to what the issuer may grant.
    pub types: Vec<TypePattern>,
    /// The sources: exact, ending in `*`, or `*` for any.
    pub sources: Vec<String>,
    /// The orgs: exact, or `*` for any and for events without an org.
    pub orgs: Vec<String>,
    /// The orgs that its issuer may name.
    pub issuer_orgs: NameList,
}

impl Publish {
    /// Whether events of this type may be published.
    pub fn allows_type(&self, event_type: &TypeName) -> bool {
        self.types.iter().any(|pattern| pattern.matches(event_type))
    }

    /// Whether events of this source may be published.
    pub fn allows_source(&self, source: &str) -> bool {
        self.sources.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => source.starts_with(prefix),
            None => source == pattern,
        })
    }

    /// Whether events of this org may be published; an event without an org needs the `*`.
    pub fn allows_org(&self, org: Option<&Id>) -> bool {
        self.issuer_may_name(org)
            && self.orgs.iter().any(|pattern| pattern == "*" || org.is_some_and(|org| org.as_str() == pattern))
    }

    /// Whether the issuer may name this org at all, whatever its tokens contain.
    pub fn issuer_may_name(&self, org: Option<&Id>) -> bool {
        org.map_or(self.issuer_orgs.allows_all(), |org| self.issuer_orgs.allows(org.as_str()))
    }
}

/// Limits the patterns of a token to those that its issuer may grant.
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

/// Whether `wide` matches everything that `narrow` matches.
fn covers(wide: &TypePattern, narrow: &TypePattern) -> bool {
    let (wide, narrow) = (wide.to_string(), narrow.to_string());
    match wide.strip_suffix('*') {
        Some(prefix) => narrow.starts_with(prefix),
        None => wide == narrow,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<TypePattern> {
        texts.iter().map(|text| TypePattern::parse(text).unwrap()).collect()
    }

    fn cut(granted: &[&str], cap: &[&str]) -> Vec<String> {
        intersect(patterns(granted), Some(&patterns(cap))).iter().map(TypePattern::to_string).collect()
    }

    #[test]
    fn a_token_grants_no_more_than_its_issuer_may() {
        assert_eq!(cut(&["*"], &["license.*", "auth.UserLoggedOut"]), ["license.*", "auth.UserLoggedOut"]);
        assert_eq!(cut(&["license.FlagToggled"], &["license.*"]), ["license.FlagToggled"]);
        assert_eq!(cut(&["license.*"], &["license.FlagToggled"]), ["license.FlagToggled"]);
        assert_eq!(cut(&["auth.*"], &["license.*"]), Vec::<String>::new());
        assert_eq!(cut(&["license.*"], &["licenses.*"]), Vec::<String>::new());
        assert_eq!(cut(&["*", "license.*"], &["license.*"]), ["license.*"]);
        assert_eq!(intersect(patterns(&["*"]), None), patterns(&["*"]));
    }

    #[test]
    fn sources_and_orgs_are_exact_or_marked_patterns() {
        let publish = |sources: &[&str], orgs: &[&str]| Publish {
            types: Vec::new(),
            sources: sources.iter().map(ToString::to_string).collect(),
            orgs: orgs.iter().map(ToString::to_string).collect(),
            issuer_orgs: NameList::any(),
        };
        let limited = publish(&["/services/license", "/apps/*"], &["acme"]);
        let sources = ["/services/license", "/services/license2", "/apps/a", "/apps", "*"];
        assert_eq!(sources.map(|source| limited.allows_source(source)), [true, false, true, false, false]);
        let (acme, globex) = (Id::parse("acme").unwrap(), Id::parse("globex").unwrap());
        assert_eq!([Some(&acme), Some(&globex), None].map(|org| limited.allows_org(org)), [true, false, false]);
        let any = publish(&["*"], &["*"]);
        assert!(any.allows_source("/whatever") && any.allows_org(None) && any.allows_org(Some(&globex)));
        let of_acme = Publish { issuer_orgs: NameList::of(["acme".to_owned()]), ..any };
        assert_eq!([Some(&acme), Some(&globex), None].map(|org| of_acme.allows_org(org)), [true, false, false]);
    }
}
