//! Personal data: refused in names of groups, and in messages and calls unless the hub lists it in `personal`.

use std::collections::HashMap;

use toml::de::DeValue;

use crate::document::section::{Node, Section, text};
use crate::document::{Document, Fault, Located, Source};
use crate::vocabulary::braces::{Piece, pieces};
use crate::vocabulary::personal::{holds_address, is_personal};

/// The keys by which methods name groups.
const GROUP_KEYS: [&str; 3] = ["join", "leave", "touch"];

/// The keys of a route that shape what is sent.
const SENT_KEYS: [&str; 4] = ["toast", "featureFlag", "logout", "send"];

const IN_GROUPS: &str = "name the group by an id; group names appear in logs";

/// What each hub says it carries, by its path in lower case.
#[derive(Debug, Clone, Default)]
pub(super) struct Personal(HashMap<String, Vec<String>>);

/// Reads `personal` of every hub, and checks the groups that connections join and the methods that clients call.
pub(super) fn check_hubs(root: &Section<'_>) -> Personal {
    let mut personal = Personal::default();
    let hubs = root.value("hub").and_then(|node| root.nested(node, "[hub]"));
    for (path, node) in hubs.iter().flat_map(Section::entries) {
        let Some(hub) = root.nested(node, &format!("[hub.{:?}]", path.value)) else { continue };
        let named = hub.strings("personal").unwrap_or_default();
        for name in named.iter().filter(|name| !is_personal(name.value)) {
            let message = format!("`{}` is not known to be personal data, and need not be listed", name.value);
            hub.document().fault(name.at, message, None);
        }
        let named: Vec<String> = named.iter().map(|name| name.value.to_owned()).collect();
        check_hub(&hub, &named);
        personal.0.insert(path.value.to_ascii_lowercase(), named);
    }
    personal
}

fn check_hub(hub: &Section<'_>, named: &[String]) {
    hub.value("join").iter().for_each(|node| check_group(hub.document(), node));
    let methods = hub.value("method").and_then(|node| hub.nested(node, "method"));
    for (_, node) in methods.iter().flat_map(Section::entries) {
        let Some(method) = hub.nested(node, "the method") else { continue };
        for key in GROUP_KEYS {
            method.value(key).iter().for_each(|node| check_group(hub.document(), node));
        }
        for argument in method.value("arguments").and_then(|node| node.get_ref().as_array()).into_iter().flatten() {
            let name = text(argument).or_else(|| hub.nested(argument, "").and_then(|one| text(one.value("name")?)));
            if let Some(name) = name.filter(|name| !allows(named, name.value)) {
                let message = format!("the argument `{}` is personal data", name.value);
                hub.document().fault(name.at, message, Some(help(name.value)));
            }
        }
    }
    // Presence is sent to other users.
    hub.value("presence").iter().for_each(|node| check_sent(hub.document(), node, |name| allows(named, name)));
}

impl Personal {
    /// What routes send without their hub saying so.
    pub(super) fn check_routes(&self, sources: &[Source]) -> Vec<Fault> {
        sources.iter().flat_map(|source| self.check_file(source)).collect()
    }

    fn check_file(&self, source: &Source) -> Vec<Fault> {
        let document = Document::parse(source);
        let root = document.root();
        for route in root.sections("route") {
            let hubs: Vec<_> =
                [&route, &root].into_iter().map(hubs_of).find(|hubs| !hubs.is_empty()).unwrap_or_default();
            let allowed = |name: &str| {
                let listed = |hub: &String| self.0.get(hub).is_some_and(|named| allows(named, name));
                !is_personal(name) || hubs.iter().all(listed)
            };
            // Fields in `groups` are checked when these are compiled; literal text is checked here.
            route.value("groups").iter().for_each(|node| check_written(&document, node));
            for key in ["grant", "withdraw"] {
                route.value(key).iter().for_each(|node| check_group(&document, node));
            }
            for key in SENT_KEYS {
                route.value(key).iter().for_each(|node| check_sent(&document, node, allowed));
            }
        }
        document.into_faults()
    }
}

fn hubs_of(section: &Section<'_>) -> Vec<String> {
    let one = section.value("hub").and_then(text);
    let several =
        section.value("hubs").and_then(|node| node.get_ref().as_array()).into_iter().flatten().filter_map(text);
    one.into_iter().chain(several).map(|path| path.value.to_ascii_lowercase()).collect()
}

/// The names of a list of a hub match without regard to case, and a path such as `user.email` by its last part too.
fn allows(named: &[String], name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    !is_personal(name) || named.iter().any(|known| [name, last].iter().any(|name| known.eq_ignore_ascii_case(name)))
}

fn help(name: &str) -> String {
    let last = name.rsplit('.').next().unwrap_or(name);
    format!("send an id and let the client ask for the rest, or say personal = [\"{last}\"] in the hub")
}

fn check_group(document: &Document<'_>, node: Node<'_>) {
    for text in texts(node) {
        for name in holes(text.value).filter(|name| is_personal(name)) {
            let message = format!("`{{{name}}}` is personal data");
            document.fault(text.at, message, Some(IN_GROUPS.to_owned()));
        }
    }
    check_written(document, node);
}

/// Addresses that are written out in the name of a group.
fn check_written(document: &Document<'_>, node: Node<'_>) {
    for text in texts(node).into_iter().filter(|text| holds_address(text.value)) {
        document.fault(text.at, "a mail address is personal data", Some(IN_GROUPS.to_owned()));
    }
}

fn check_sent(document: &Document<'_>, node: Node<'_>, allowed: impl Fn(&str) -> bool) {
    for text in texts(node) {
        for name in holes(text.value).filter(|name| !allowed(name)) {
            document.fault(text.at, format!("`{{{name}}}` is personal data"), Some(help(name)));
        }
        if holds_address(text.value) {
            let help = "write what everybody may read".to_owned();
            document.fault(text.at, "a mail address is personal data", Some(help));
        }
    }
}

/// The names between braces, without their form (`{name:text}`).
fn holes(template: &str) -> impl Iterator<Item = &str> {
    let names = pieces(template).filter_map(|piece| match piece {
        Ok(Piece::Name(name)) => Some(name),
        _ => None,
    });
    names.map(|name| name.split(':').next().unwrap_or(name)).filter(|name| !name.is_empty())
}

/// All texts of a value, however deep.
pub(super) fn texts<'d>(node: Node<'d>) -> Vec<Located<&'d str>> {
    match node.get_ref() {
        DeValue::Array(items) => items.iter().flat_map(texts).collect(),
        DeValue::Table(table) => table.iter().flat_map(|(_, value)| texts(value)).collect(),
        _ => text(node).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(hub: &str, route: &str) -> Vec<String> {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.to_owned() };
        let config = source("fanfare.toml", &format!("[hub.\"/hubs/A\"]\n{hub}"));
        let document = Document::parse(&config);
        let personal = check_hubs(&document.root());
        let routes = source("routes.toml", &format!("hub = \"/hubs/a\"\n[[route]]\n{route}"));
        let all = document.into_faults().into_iter().chain(personal.check_routes(&[routes]));
        all.map(|fault| fault.to_string()).collect()
    }

    #[test]
    fn personal_data_is_in_no_name_of_a_group() {
        for hub in [
            "join = [\"user:{claim.email}\"]",
            "join = [{ group = \"team:{claim.work_email}\", roles = [\"a\"] }]",
            "method.Join = { arguments = [\"email\"], join = \"room:{email}\" }\npersonal = [\"email\"]",
            "method.Join = { join = [\"a\", \"room:{claim.phoneNumber}\"] }\npersonal = [\"phoneNumber\"]",
        ] {
            let told = told(hub, "");
            assert_eq!(told.len(), 1, "{hub}: {told:?}");
            assert!(
                told[0].ends_with("is personal data (name the group by an id; group names appear in logs)"),
                "{told:?}"
            );
        }
        assert!(told("join = [\"user:alice@example.com\"]", "")[0].contains("2:9: a mail address is personal data"));
        for route in ["groups = [\"user:a@b.example\"]", "grant = { user = \"{user}\", group = \"task:{email}\" }"] {
            assert!(told("", route)[0].contains("name the group by an id"), "{route}");
        }
    }

    #[test]
    fn a_hub_lists_the_personal_data_of_its_messages_and_calls() {
        let send = "send = { target = \"joined\", arguments = [{ mail = \"{profile.email:text}\" }] }";
        let expected = "routes.toml:3:51: `{profile.email}` is personal data (send an id and let the client ask for the rest, \
                        or say personal = [\"email\"] in the hub)";
        assert_eq!(told("", send), [expected]);
        assert_eq!(told("personal = [\"Email\"]", send), Vec::<String>::new());
        let elsewhere = told("personal = [\"email\"]", &format!("hub = \"/hubs/b\"\n{send}"));
        assert_eq!(elsewhere.len(), 1, "{elsewhere:?}");
        for arguments in ["[\"email\"]", "[{ name = \"email\" }]"] {
            let hub = format!("method.Invite = {{ arguments = {arguments} }}");
            assert!(told(&hub, "")[0].contains("the argument `email` is personal data"), "{hub}");
            assert_eq!(told(&format!("{hub}\npersonal = [\"email\"]"), ""), Vec::<String>::new());
        }
        assert!(
            told("presence.a.describe = { mail = \"{claim.email}\" }", "")[0].contains("`{claim.email}` is personal")
        );
        assert!(told("", "toast = { title = \"write to a@b.example\" }")[0].contains("a mail address"));
        assert!(told("personal = [\"name\"]", "")[0].contains("`name` is not known to be personal data"));
    }
}
