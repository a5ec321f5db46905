//! What sound files mean.

use std::time::Duration;

use fanfare_token::Keys;

use super::*;

#[test]
fn absent_values_have_their_defaults() {
    let config = sound(LEAST);
    assert_eq!(config.limits, Limits::default());
    assert_eq!((config.limits.connection.message_bytes, config.limits.queue_bytes), (32 * 1024, 256 * 1024));
    assert_eq!((config.broker.window, config.broker.window_events), (Duration::from_secs(600), 100_000));
    assert_eq!(config.broker.kind, BrokerKind::Embedded(Path::new(env!("CARGO_MANIFEST_DIR")).join("log")));
    assert_eq!((config.token.leeway.as_secs(), config.token.max_token_lifetime.as_secs()), (30, 24 * 3600));
    assert!(config.node.secret.is_none() && config.schemas.is_none() && config.cors == CorsConfig::default());
    assert_eq!((config.health.degraded_connections, config.health.degraded_lag.as_secs()), (None, 5));
    assert!(config.node.max_connections.is_none() && config.node.trusted_proxies.is_none());
    let edge = &config.limits.edge;
    assert_eq!((edge.connections_per_user, edge.connections_per_org), (Some(200), None));
    assert_eq!((edge.connections_per_address, edge.failed_tokens_per_minute), (None, None), "proxies may be there");
    let edge = sound(&LEAST.replace("data = \"data\"", "data = \"data\"\ntrusted_proxies = []")).limits.edge;
    assert_eq!((edge.connections_per_address, edge.failed_tokens_per_minute), (Some(1000), Some(300)));
    let hub = config.hub("/hubs/a").unwrap();
    assert!(!hub.public && hub.admits(&[]));
    assert_eq!(hub.join.len(), 6);
    assert!(config.hub("/hubs/b").is_none());
}

const FULL: &str = r#"
[node]
listen = "0.0.0.0:80"
admin_listen = "[::1]:0"
data = "/var/lib/fanfare"
secret_file = "secret"
previous_secret = "fedcba9876543210fedcba9876543210"
max_connections = 50_000
http_connections = 1_000
trusted_proxies = ["10.0.0.0/8", "::1"]
hosts = ["App.example.com", "127.0.0.1:8080"]
drain_seconds = 0
[broker]
url = "embedded:/var/lib/log"
window_minutes = 60
window_events = 5
retention_hours = 1
retention_bytes = 10_000_000
max_stale_seconds = 60
[health]
degraded_connections = 40_000
degraded_lag_seconds = 1
[schemas]
path = "."
[routes]
path = "routes"
[[issuer]]
issuer = "https://login.example/{tenantid}/v2.0"
tenants = ["t-1", "t-2"]
users = true
audience = "app"
producer_audience = "publish"
discovery = "https://login.example/.well-known/openid-configuration"
realm = "entra"
orgs = ["acme", "tenant-*"]
roles = ["*"]
issued_behind_seconds = 300
claims = { user = "oid", org = "tid", roles = { claim = "scp", list = "words" } }
publish = ["license.*", "auth.RolesChanged"]
[[issuer]]
issuer = "services"
users = false
jwks_file = "jwks.json"
[token]
leeway_seconds = 5
max_lifetime_hours = 1
[cors]
origins = ["https://App.example.com", "http://127.0.0.1:8080"]
[limits]
message_bytes = 65536
keepalive_seconds = 5
connections_per_user = 0
connections_per_org = 500
connections_per_address = 2_000
failed_tokens_per_minute = 10
body_seconds = 5
client_timeout_seconds = 10
[hub."/hubs/b"]
join = ["user:{realm}/{user}", { group = "staff", roles = ["admin"] }]
require_roles = ["admin", "manager"]
any_org_roles = ["operator"]
[hub."/hubs/open"]
public = true
join = ["all"]
[log]
format = "json"
"#;

#[test]
fn every_key_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("secret"), "0123456789abcdef0123456789abcdef\n").unwrap();
    std::fs::write(path("jwks.json"), r#"{"keys":[{"kty":"RSA","kid":"k","n":"AQ","e":"AQAB"}]}"#).unwrap();
    std::fs::create_dir(path("routes")).unwrap();
    let config = parse_in(folder.path(), FULL).unwrap_or_else(|faults| panic!("{}", faults[0]));
    assert_eq!(config.node.secret.as_ref().unwrap().as_bytes(), b"0123456789abcdef0123456789abcdef");
    assert!(config.node.previous_secret.is_some());
    assert!(!format!("{config:?}").contains("0123456789abcdef"), "secrets are not shown");
    assert_eq!((config.node.max_connections, config.node.drain.as_secs()), (Some(50_000), 0));
    assert_eq!((config.health.degraded_connections, config.health.degraded_lag.as_secs()), (Some(40_000), 1));
    assert_eq!(config.routes, path("routes"));
    let [entra, services] = &config.issuers[..] else { panic!("two issuers") };
    assert!(matches!(&entra.keys, Keys::Discovery(url) if url.ends_with("/openid-configuration")));
    assert_eq!((&*entra.audience, entra.realm.as_deref(), entra.claims.user.as_str()), ("app", Some("entra"), "oid"));
    assert_eq!((entra.claims.roles[0].as_str(), entra.claims.session.as_str()), ("scp", "sid"));
    assert_eq!((entra.tenants.len(), entra.issued_behind), (2, 300));
    assert!(entra.orgs.allows("tenant-7") && !entra.orgs.allows("globex"));
    assert!(entra.roles.allows("Tasks.Read") && !entra.roles.allows("superadmin"), "nobody has written it out");
    assert_eq!(entra.publish.as_ref().unwrap().len(), 2);
    assert!(matches!(&services.keys, Keys::Static(keys) if keys.len() == 1));
    assert_ne!(services.audience, AUDIENCE, "no user's token is ever issued for it");
    assert_eq!(services.producer_audience, PRODUCER_AUDIENCE);
    assert!(config.cors.origins.contains("https://app.example.com") && !config.cors.origins.contains("null"));
    assert_eq!(config.limits.connection.message_bytes, 65536);
    assert_eq!((config.node.http_connections, config.limits.edge.body.as_secs()), (Some(1000), 5));
    assert!(config.node.trusted_proxies.as_ref().is_some_and(|proxies| proxies.trust("10.1.2.3".parse().unwrap())));
    assert_eq!(config.node.hosts, ["app.example.com", "127.0.0.1:8080"]);
    let bounds = config.limits.edge.connect_bounds(9);
    assert_eq!((bounds.node, bounds.user, bounds.org, bounds.address), (9, None, Some(500), Some(2000)));
    assert_eq!(config.limits.edge.failed_token_rate().map(|rate| rate.burst), Some(10));
    let hub = config.hub("/hubs/b").unwrap();
    assert!(hub.admits(&["manager".to_owned()]) && !hub.admits(&["user".to_owned()]));
    assert!(hub.may_name_org(&["operator".to_owned()]) && !hub.may_name_org(&["superadmin".to_owned()]));
    assert!(config.hub("/hubs/open").unwrap().public);
    assert_eq!(config.log, LogFormat::Json);
}

fn demo(name: &str) -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo").join(name);
    Loaded::load(&path).unwrap_or_else(|faults| panic!("{}", faults[0]))
}

#[test]
fn the_demo_is_sound() {
    let loaded = demo("fanfare.toml");
    assert_eq!(loaded.config.node.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(loaded.config.node.admin_listen.to_string(), "127.0.0.1:9090");
    assert_eq!(loaded.config.issuers.len(), 3);
    assert_eq!(loaded.routes.routes().count(), 13);
    assert!(loaded.registry().event_type("system.Alert").is_some());
}

#[cfg(all(feature = "nats", feature = "kafka"))]
#[test]
fn the_demo_is_the_same_on_every_broker() {
    let told = |name: &str| {
        let Loaded { mut config, routes, .. } = demo(name);
        let broker = std::mem::replace(&mut config.broker.kind, BrokerKind::Embedded("x".into()));
        config.node.data = "x".into();
        config.node.secret = None;
        for issuer in config.issuers.iter_mut().filter(|issuer| issuer.audience.starts_with("no-users-")) {
            issuer.audience.clear();
        }
        (format!("{config:?}"), routes.digest(), broker)
    };
    let embedded = told("fanfare.toml");
    for (name, servers) in [("fanfare.nats.toml", "127.0.0.1:4222"), ("fanfare.kafka.toml", "127.0.0.1:9092")] {
        let (config, routes, broker) = told(name);
        assert_eq!((config, routes), (embedded.0.clone(), embedded.1.clone()), "{name}");
        assert!(broker.is_shared() && format!("{broker:?}").contains(servers), "{name}");
    }
}

#[test]
fn route_files_of_a_folder_are_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let route = |name: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\nevent = \"system.Alert\"\nhub = \"/hubs/a\"\ngroups = [\"admin\"]\n\
             send = {{ target = \"x\", arguments = [] }}\n"
        )
    };
    write("fanfare.toml", &LEAST.replace("path = \".\"", "path = \"routes\""));
    let load = || Loaded::load(&folder.path().join("fanfare.toml"));
    assert!(load().unwrap_err()[0].message.contains("does not exist"));
    std::fs::create_dir(folder.path().join("routes")).unwrap();
    assert!(load().unwrap_err()[0].message.contains("holds 0 route files"));
    write("routes/a.toml", &route("a"));
    write("routes/b.toml", &route("b"));
    write("routes/notes.txt", "not a route");
    assert_eq!(load().unwrap().routes.routes().count(), 2);
    write("routes/c.toml", &route("a"));
    let faults = load().unwrap_err();
    assert!(faults[0].file.ends_with("routes/c.toml") && faults[0].message.contains("a.toml:2"), "{}", faults[0]);
}

#[test]
fn nothing_of_the_demo_is_there_where_it_is_switched_off() {
    assert!(sound(LEAST).demo_schemas && sound(LEAST).page == PageConfig::Demo);
    let off = sound(&format!("{LEAST}[page]\ndemo = false\n[schemas]\ndemo = false\n"));
    assert_eq!((off.demo_schemas, off.schemas, off.page), (false, None, PageConfig::None));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fanfare.toml");
    let write = |path: &str, text: &str| {
        std::fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        std::fs::write(folder.path().join(path), text).unwrap();
    };
    let text = LEAST.replace("path = \".\"", "path = \"routes.toml\"");
    let route = |event: &str| {
        format!(
            "hub = \"/hubs/a\"\n[[route]]\nname = \"r\"\nevent = \"{event}\"\ngroups = [\"org:{{org}}\"]\nsend = {{ target = \"t\" }}\n"
        )
    };
    write("fanfare.toml", &format!("{text}[schemas]\npath = \"schemas\"\ndemo = false\n"));
    // A name that the demo has as well, with fields of one's own.
    write(
        "schemas/system/Alert.v1.avsc",
        r#"{"type":"record","name":"Alert","fields":[{"name":"org","type":"string"},{"name":"siren","type":"int"}]}"#,
    );
    write("routes.toml", &route("license.FlagToggled"));
    let fault = Loaded::load(&file).unwrap_err().remove(0).to_string();
    assert!(fault.contains("there is no event `license.FlagToggled`"), "{fault}");
    write("routes.toml", &route("system.Alert"));
    let types: Vec<String> =
        Loaded::load(&file).unwrap().registry().event_types().map(|known| known.name().to_string()).collect();
    assert_eq!(types, ["system.Alert", "system.ConnectionsClosed"], "nodes say the latter themselves");
}

#[test]
fn schemas_of_a_folder_join_the_built_in_ones() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("fanfare.toml"), format!("{LEAST}[schemas]\npath = \"schemas\"\n")).unwrap();
    std::fs::create_dir_all(folder.path().join("schemas/tasks")).unwrap();
    let schema = |text: &str| std::fs::write(folder.path().join("schemas/tasks/Done.v1.avsc"), text).unwrap();
    let load = || Loaded::load(&folder.path().join("fanfare.toml")).unwrap_err().remove(0);
    schema("{");
    let fault = load();
    assert!(fault.to_string().contains("tasks/Done.v1.avsc"), "{fault}");
    schema(r#"{"type":"record","name":"Done","fields":[{"name":"id","type":"string"}]}"#);
    assert!(load().file.ends_with("fanfare.toml"), "the configuration itself is no route file");
}

#[test]
fn a_hub_overrides_the_default_limits() {
    let limits = "[limits]\nkeepalive_seconds = 20\nclient_timeout_seconds = 60\ndetailed_errors = false";
    let hubs = "[hub.\"/hubs/b\"]\nkeepalive_seconds = 5\nmessage_bytes = 2048\ndetailed_errors = true";
    let config = sound(&format!("{LEAST}{hubs}\n{limits}"));
    let [a, b] = ["/hubs/a", "/hubs/b"].map(|path| config.hub(path).unwrap().settings);
    assert_eq!((a.keepalive.as_secs(), a.message_bytes, a.detailed_errors), (20, 32768, false));
    assert_eq!((b.keepalive.as_secs(), b.message_bytes, b.detailed_errors), (5, 2048, true));
    assert_eq!((a.client_timeout, b.client_timeout), (b.client_timeout, a.client_timeout));
}
