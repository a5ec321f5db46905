//! The manual: its examples are sound, and it names every key.

use fanfare_event::Registry;

use super::*;
use crate::route::{HubDeclaration, RouteTable};

pub(super) fn manual(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)).unwrap()
}

/// The TOML examples of a page.
pub(super) fn examples(page: &str) -> Vec<&str> {
    page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn examples_of_routes_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tasks")).unwrap();
    let schema = r#"{"type":"record","name":"TaskChanged","fields":[{"name":"task_id","type":"string"},
        {"name":"item","type":{"type":"map","values":"string"}},{"name":"count","type":"int"},
        {"name":"note","type":["null","string"],"default":null},{"name":"org","type":"string"},
        {"name":"changes","type":{"type":"map","values":["null","string"]}},{"name":"revision","type":"long"}]}"#;
    std::fs::write(folder.path().join("tasks/TaskChanged.v1.avsc"), schema).unwrap();
    for name in ["MemberAdded", "MemberRemoved"] {
        let schema = format!(
            r#"{{"type":"record","name":"{name}","fanfare.key":["user","task_id"],"fields":[
            {{"name":"org","type":"string"}},{{"name":"user","type":"string"}},{{"name":"task_id","type":"string"}}]}}"#
        );
        std::fs::write(folder.path().join(format!("tasks/{name}.v1.avsc")), schema).unwrap();
    }
    for name in ["PlanEnded", "PlanRenewed"] {
        let schema = format!(
            r#"{{"type":"record","name":"{name}","fanfare.key":["org"],"fields":[
            {{"name":"org","type":"string"}},{{"name":"plan","type":"string"}}]}}"#
        );
        std::fs::write(folder.path().join(format!("tasks/{name}.v1.avsc")), schema).unwrap();
    }
    let registry = Registry::builtin().with_folder(folder.path()).unwrap();
    let hub = |path: &str, groups: &[&str]| HubDeclaration {
        path: path.to_owned(),
        groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
        granted: Vec::new(),
        times: crate::route::Times::default(),
        realms: crate::route::Realms::default(),
    };
    let standard = ["user:{user}", "session:{session}", "org:{org}", "org:{org}/role:{role}", "admin"];
    let hubs = [hub("/hubs/notifications", &standard), hub("/hubs/tasks", &["task:{task}", "org:{org}"])];
    let page = manual("routes.md");
    assert_eq!(examples(&page).len(), 6);
    for example in examples(&page) {
        let source = Source { path: "routes.md".into(), text: example.to_owned() };
        RouteTable::compile(&[source], &registry, &hubs).unwrap_or_else(|faults| panic!("{}", faults[0]));
    }
}

#[test]
fn the_example_of_a_configuration_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("routes")).unwrap();
    std::fs::write(folder.path().join("secret"), [b'x'; 32]).unwrap();
    let page = manual("configuration.md");
    let [example, _tls, brokers @ .., methods, presence] = &examples(&page)[..] else { panic!("examples") };
    assert_eq!(brokers.len(), 2);
    // The last is a continuation of the first.
    let example = format!("{example}\n{methods}\n{presence}").replace("/run/secrets/fanfare", "secret");
    parse_in(folder.path(), &example).unwrap_or_else(|faults| panic!("{}", faults[0]));
}

#[test]
fn every_key_is_explained() {
    let page = manual("configuration.md");
    let sections = [
        node::KEYS,
        super::super::tls::OPERATOR,
        super::super::tls::PEERS,
        limits::KEYS,
        &edge::CHANGE_AT_ONCE,
        &edge::NEED_A_START,
        health::KEYS,
        schema_registry::KEYS,
        issuer::KEYS,
        hub::KEYS,
        method::KEYS,
        super::super::presence::KEYS,
        authorizer::KEYS,
        SECTIONS,
    ];
    for key in sections.concat().into_iter().chain(broker::keys()) {
        let named = [format!("`{key}`"), format!("[{key}"), format!("[[{key}]]"), format!("[node.{key}]")];
        assert!(named.iter().any(|named| page.contains(named)), "{key}");
    }
    let page = manual("routes.md");
    for key in crate::route::KEYS {
        assert!(page.contains(&format!("`{key}`")), "{key}");
    }
}

#[cfg(all(feature = "nats", feature = "kafka"))]
#[test]
fn the_examples_of_brokers_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("fanfare.creds"), "creds").unwrap();
    std::fs::write(folder.path().join("kafka.properties"), "sasl.password=p\n").unwrap();
    let page = manual("configuration.md");
    for example in &examples(&page)[2..4] {
        let least = LEAST.replace("[broker]\nurl = \"embedded:log\"", &example.replace("/run/secrets/", ""));
        let text = least.replace("data = \"data\"", "data = \"data\"\nsecret = \"0123456789abcdef0123456789abcdef\"");
        parse_in(folder.path(), &text).unwrap_or_else(|faults| panic!("{}", faults[0]));
    }
}
