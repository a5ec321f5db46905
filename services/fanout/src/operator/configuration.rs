//! The configuration that a node runs with, as operators see it, with secrets masked; pure.

use serde::Serialize;
use toml::{Table, Value};

/// The text in place of a secret.
const MASK: &str = "***";

/// The configuration of a running node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Configuration {
    /// The keys that are set, as TOML, with secrets masked.
    pub text: String,
    /// The keys whose new values in the file need a restart.
    pub restart_needed: Vec<String>,
}

/// The place of a key: its sections, and the key.
pub type Place<'p> = (&'p [String], &'p str);

impl Configuration {
    /// Of a file as it was read last, whose `late` keys still are as they were at the start.
    #[must_use]
    pub fn of<'p>(began: &Table, read: &Table, late: impl Iterator<Item = (Place<'p>, String)>) -> Self {
        let (mut now, mut restart_needed) = (read.clone(), Vec::new());
        for ((section, key), name) in late {
            restart_needed.push(name);
            put_back(&mut now, began, section, key);
        }
        mask(&mut now);
        // What was parsed from TOML can be written as TOML.
        Self { text: toml::to_string_pretty(&now).unwrap_or_default(), restart_needed }
    }
}

/// Gives a key the value that it had. A list of sections is put back as a whole.
fn put_back(now: &mut Table, began: &Table, section: &[String], key: &str) {
    let Some((first, rest)) = section.split_first() else {
        match began.get(key) {
            Some(value) => drop(now.insert(key.to_owned(), value.clone())),
            None => drop(now.remove(key)),
        }
        return;
    };
    let none = Table::new();
    let before = began.get(first);
    match (now.get_mut(first), before) {
        (Some(Value::Table(inner)), before) => {
            put_back(inner, before.and_then(Value::as_table).unwrap_or(&none), rest, key);
        }
        (_, Some(value)) => drop(now.insert(first.clone(), value.clone())),
        (_, None) => drop(now.remove(first)),
    }
}

/// Masks secrets: by the names of keys, and logins and queries in URLs.
fn mask(table: &mut Table) {
    for (key, value) in table.iter_mut() {
        mask_value(value, is_secret(key));
    }
}

fn mask_value(value: &mut Value, is_secret: bool) {
    match value {
        Value::Table(inner) => mask(inner),
        Value::Array(values) => values.iter_mut().for_each(|value| mask_value(value, is_secret)),
        Value::String(text) if is_secret => MASK.clone_into(text),
        Value::String(text) => mask_urls(text),
        _ => {}
    }
}

/// Whether a key holds a secret. One that names a file holds none.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let named = ["secret", "password", "token", "credentials", "key.pem", "jaas"].iter().any(|word| key.contains(word));
    named && !key.ends_with("_file") && !key.ends_with("_seconds") && !key.ends_with("_minute")
}

/// Masks the login of each URL in a text, as a broker may have several, and everything after a question mark.
fn mask_urls(text: &mut String) {
    let mut from = 0;
    while let Some(begin) = text[from..].find("://").map(|at| from + at + 3) {
        let end = text[begin..].find(['/', '?', '#']).map_or(text.len(), |at| begin + at);
        if let Some(at) = text[begin..end].rfind('@') {
            text.replace_range(begin..begin + at, MASK);
        }
        from = begin;
    }
    if let (true, Some(at)) = (from > 0, text.find('?')) {
        text.replace_range(at + 1.., MASK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(began: &str, read: &str, late: &[(&[&str], &str)]) -> Configuration {
        let table = |text: &str| text.parse::<Table>().expect("TOML");
        let late: Vec<(Vec<String>, &str)> =
            late.iter().map(|(section, key)| (section.iter().map(|part| (*part).to_owned()).collect(), *key)).collect();
        let late = late.iter().map(|(section, key)| ((&**section, *key), format!("[{}] {key}", section.join("."))));
        Configuration::of(&table(began), &table(read), late)
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let file = "[node]\nsecret = \"s3cret\"\nprevious_secret = \"s3cret\"\nsecret_file = \"/run/secret\"\n\
                    [broker]\nurl = \"nats://me:s3cret@a:4222,nats://me:s3cret,s3cret@b:4222,nats://c:4222\"\n[broker.kafka.properties]\n\"sasl.password\" = \"s3cret\"\n\"ssl.key.pem\" = \"s3cret\"\ntokens = [\"s3cret\"]\n\
                    [[issuer]]\nissuer = \"https://u:s3cret@id/\"\n[schema_registry]\nurl = \"https://x\"\n[authorizer.a]\nurl = \"https://x/a?code=s3cret\"\n[limits]\nfailed_tokens_per_minute = 7\n";
        let text = shown(file, file, &[]).text;
        assert!(!text.contains("s3cret"), "{text}");
        for kept in [
            "secret_file = \"/run/secret\"",
            "nats://***@a:4222,nats://***@b:4222,nats://c:4222",
            "https://***@id/",
            "https://x/a?***",
            "per_minute = 7",
            "url = \"https://x\"",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
    }

    #[test]
    fn settings_that_wait_for_a_restart_are_shown_with_their_old_values() {
        let (began, read) = ("[node]\ndata = \"a\"\n[limits]\ngrants = 5000\n", "[node]\ndata = \"b\"\nhosts = []\n");
        let shown = shown(began, read, &[(&["node"], "data"), (&["limits"], "grants"), (&["node"], "hosts")]);
        assert_eq!(shown.restart_needed, ["[node] data", "[limits] grants", "[node] hosts"]);
        assert_eq!(shown.text, "[limits]\ngrants = 5000\n\n[node]\ndata = \"a\"\n");
    }

    #[test]
    fn a_list_of_sections_is_put_back_as_a_whole() {
        let (began, read) =
            ("[[issuer]]\nissuer = \"a\"\nrealm = \"x\"\n", "[[issuer]]\nissuer = \"a\"\nrealm = \"y\"\n");
        assert!(shown(began, read, &[(&["issuer", "a"], "realm")]).text.contains("realm = \"x\""));
    }
}
