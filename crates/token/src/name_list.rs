//! The orgs or roles that an issuer may name.

/// Allowed names: exact ones, and prefixes before a `*`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameList {
    /// Without a list every name is allowed.
    patterns: Option<Box<[String]>>,
    /// These must be listed exactly: no `*` matches them.
    written_out: Box<[String]>,
}

impl NameList {
    /// Every name.
    pub fn any() -> Self {
        Self::default()
    }

    /// The listed names: `acme`, `tenant-*`, or `*` for all.
    pub fn of(patterns: impl IntoIterator<Item = String>) -> Self {
        Self { patterns: Some(patterns.into_iter().collect()), written_out: Box::default() }
    }

    /// The same list, in which no `*` matches these names.
    #[must_use]
    pub fn except(self, names: impl IntoIterator<Item = String>) -> Self {
        Self { written_out: names.into_iter().collect(), ..self }
    }

    /// Whether a name is allowed.
    pub fn allows(&self, name: &str) -> bool {
        let Some(patterns) = &self.patterns else { return true };
        if patterns.iter().any(|pattern| pattern == name) {
            return true;
        }
        let stands_for = |pattern: &String| pattern.strip_suffix('*').is_some_and(|prefix| name.starts_with(prefix));
        !self.written_out.iter().any(|other| other == name) && patterns.iter().any(stands_for)
    }

    /// Whether every name is allowed, so that events without an org are as well.
    pub fn allows_all(&self) -> bool {
        self.patterns.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern == "*"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(patterns: &[&str]) -> NameList {
        NameList::of(patterns.iter().map(ToString::to_string))
    }

    #[test]
    fn names_match_exactly_or_by_prefix() {
        let some = list(&["acme", "tenant-*"]);
        let names = ["acme", "acme2", "tenant-7", "tenant-", "tenant", "*"];
        assert_eq!(names.map(|name| some.allows(name)), [true, false, true, true, false, false]);
        assert!(!some.allows_all() && list(&["*"]).allows_all() && NameList::any().allows_all());
        assert!(!list(&[]).allows("acme"));
    }

    #[test]
    fn what_must_be_written_out_is_in_no_pattern() {
        let guarded = |patterns: &[&str]| list(patterns).except(["superadmin".to_owned()]);
        assert!(!guarded(&["*"]).allows("superadmin") && !guarded(&["super*"]).allows("superadmin"));
        assert!(guarded(&["*"]).allows("admin") && guarded(&["*", "superadmin"]).allows("superadmin"));
        assert!(NameList::any().except(["superadmin".to_owned()]).allows("superadmin"), "nothing was listed");
    }
}
