//! Finds the keys of a configuration file that have changed.

use std::collections::BTreeSet;
use std::fmt;

use toml::{Table, Value};

/// The keys that identify entries of a list of sections, such as `[[issuer]]`.
const NAMES: [&str; 2] = ["issuer", "name"];

/// A key that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Changed {
    /// The section and those in it.
    pub section: Vec<String>,
    /// The key.
    pub key: String,
}

impl Changed {
    /// The outermost section.
    pub(super) fn first(&self) -> &str {
        self.section.first().map_or("", String::as_str)
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let shown = |name: &String| if plain(name) { name.clone() } else { format!("{name:?}") };
        let section: Vec<String> = self.section.iter().map(shown).collect();
        write!(f, "[{}] {}", section.join("."), shown(&self.key))
    }
}

/// The keys that differ between two files; a section that only one of them has differs in all of its keys.
pub(super) fn changed(before: &Table, after: &Table) -> BTreeSet<Changed> {
    let mut found = BTreeSet::new();
    compare(&mut Vec::new(), before, after, &mut found);
    found
}

fn compare(section: &mut Vec<String>, before: &Table, after: &Table, found: &mut BTreeSet<Changed>) {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let none = Table::new();
    for key in keys {
        let (old, new) = (before.get(key), after.get(key));
        if old == new {
            continue;
        }
        let (old, new) = (old.map(by_name), new.map(by_name));
        // An empty table may be all that there is of a hub.
        let is_empty =
            |value: &Option<Value>| value.as_ref().is_some_and(|value| value.as_table().is_some_and(Table::is_empty));
        if old.is_none() && is_empty(&new) || new.is_none() && is_empty(&old) {
            found.insert(Changed { section: section.clone(), key: key.clone() });
        }
        match (as_table(old.as_ref(), &none), as_table(new.as_ref(), &none)) {
            (Some(old), Some(new)) => {
                section.push(key.clone());
                compare(section, old, new, found);
                section.pop();
            }
            _ => {
                found.insert(Changed { section: section.clone(), key: key.clone() });
            }
        }
    }
}

/// A table; a missing one is an empty one.
fn as_table<'t>(value: Option<&'t Value>, none: &'t Table) -> Option<&'t Table> {
    value.map_or(Some(none), Value::as_table)
}

/// A list of sections as one section each by its name, whatever its place in the list.
fn by_name(value: &Value) -> Value {
    let named = |entry: &Value| {
        let entry = entry.as_table()?;
        let name = NAMES.iter().find_map(|name| entry.get(*name)?.as_str())?;
        Some((name.to_owned(), Value::Table(entry.clone())))
    };
    match value {
        Value::Array(entries) if !entries.is_empty() => {
            let named: Option<Table> = entries.iter().map(named).collect();
            named.map_or_else(|| value.clone(), Value::Table)
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: &str, after: &str) -> Vec<String> {
        let table = |text: &str| text.parse::<Table>().expect("TOML");
        changed(&table(before), &table(after)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn differences_are_reported_by_section_and_key() {
        let before = "[node]\ndata = \"a\"\n[hub.\"/hubs/x\"]\nmethod.Join = { allow = true }\n";
        assert_eq!(told(before, before), [""; 0]);
        assert_eq!(told(before, &format!("{before}# a comment\n")), [""; 0]);
        assert_eq!(told(before, &before.replace("\"a\"", "\"b\"")), ["[node] data"]);
        assert_eq!(told(before, &before.replace("true", "false")), ["[hub.\"/hubs/x\".method.Join] allow"]);
        assert_eq!(told(before, &format!("{before}[limits]\nevent_bytes = 9\n")), ["[limits] event_bytes"]);
        assert_eq!(told("", "[hub.\"/hubs/y\"]\n"), ["[hub] \"/hubs/y\""]);
        assert_eq!(told("", before), ["[hub.\"/hubs/x\".method.Join] allow", "[node] data"]);
    }

    #[test]
    fn issuers_are_identified_by_name_and_not_by_position() {
        let (one, two) = ("[[issuer]]\nissuer = \"https://a\"\njwks = \"x\"\n", "[[issuer]]\nissuer = \"https://b\"\n");
        assert_eq!(told(&format!("{one}{two}"), &format!("{two}{one}")), [""; 0]);
        assert_eq!(told(one, &one.replace("\"x\"", "\"y\"")), ["[issuer.\"https://a\"] jwks"]);
        assert_eq!(told(one, &format!("{one}{two}")), ["[issuer.\"https://b\"] issuer"]);
    }
}
