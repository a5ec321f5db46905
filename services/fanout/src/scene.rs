//! For tests: the demo platform's schemas and routes, and records as a broker would return them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::Record;
use fanfare_event::{Attributes, Event, Id, Registry, Timestamp, TypeName};
use fanfare_token::Claims;

use crate::config::{Loaded, default_join};
use crate::document::Source;
use crate::pipeline::{Body, Ingest, Written, decode, to_message};
use crate::projection::Bounds;
use crate::route::{HubDeclaration, Realms, RouteTable};

/// The bounds of what a test's node knows.
pub(crate) const BOUNDS: Bounds = Bounds {
    window: Duration::from_secs(600),
    window_events: 1_000,
    event_bytes: 1_000,
    token_lifetime: 3600,
    retained: 100,
    retained_bytes: 1 << 20,
    revocations: 100,
    grants: 100,
    orgs: 100,
};

/// The demo platform, and a log that grows by hand.
pub(crate) struct Scene {
    pub(crate) registry: Arc<Registry>,
    pub(crate) routes: Arc<RouteTable>,
    next: u64,
}

impl Scene {
    pub(crate) fn demo() -> Self {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/fanfare.toml");
        Self::of(Loaded::load(&config).expect("the demo's config is sound"))
    }

    pub(crate) fn of(loaded: Loaded) -> Self {
        let routes = loaded.routes;
        Self { registry: Arc::new(routes.schemas().clone()), routes: Arc::new(routes), next: 0 }
    }

    /// A platform with additional schemas, these routes to the demo's hub, and users of these realms.
    pub(crate) fn with(schemas: &[(&str, &str)], routes: &str, realms: Realms) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, schema) in schemas {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, schema).expect("written");
        }
        let builtin = Registry::builtin();
        let registry = match schemas.is_empty() {
            true => builtin,
            false => builtin.with_folder(folder.path()).expect("sound schemas"),
        };
        let groups = default_join().iter().map(|rule| rule.template().clone()).collect();
        let hub = HubDeclaration {
            path: "/hubs/notifications".to_owned(),
            groups,
            granted: Vec::new(),
            realms,
            times: crate::route::Times::default(),
        };
        let source = Source { path: "routes.toml".into(), text: routes.to_owned() };
        let routes = RouteTable::compile(&[source], &registry, &[hub]);
        let routes = routes.unwrap_or_else(|faults| panic!("{}", faults[0]));
        Self { registry: Arc::new(registry), routes: Arc::new(routes), next: 0 }
    }

    /// The same platform with an empty log.
    pub(crate) fn again(&self) -> Self {
        Self { registry: Arc::clone(&self.registry), routes: Arc::clone(&self.routes), next: 0 }
    }

    pub(crate) fn event(&mut self, event_type: &str, json: &str) -> Record {
        self.event_at(1_000, event_type, json)
    }

    /// The next record of the log: an event of a type, at a time in milliseconds.
    pub(crate) fn event_at(&mut self, time: i64, event_type: &str, json: &str) -> Record {
        self.next += 1;
        let attributes = Attributes {
            id: format!("event-{}", self.next),
            source: "test".to_owned(),
            event_type: TypeName::parse(event_type).expect("a type name"),
            time: Timestamp(time),
            subject: None,
            org: None,
            data_version: None,
            traceparent: None,
        };
        let json = serde_json::from_str(json).expect("JSON");
        let encoded = Ingest::encode_with(&self.registry, attributes, Body::Json(json)).expect("fits");
        let user = Ingest::user(&self.registry, &encoded);
        Record { partition: 0, offset: self.next, time, message: to_message(encoded, user.as_deref()) }
    }

    pub(crate) fn decode(&self, record: &Record) -> Arc<Event> {
        Arc::new(decode(&self.registry, record, &Written::Own).expect("usable").expect("no tombstone"))
    }
}

pub(crate) fn claims(user: &str, org: &str, roles: &[&str], session: &str, issued_at: i64) -> Claims {
    Claims {
        issuer: Arc::from("https://issuer.example"),
        realm: None,
        user: Id::parse(user).expect("an id"),
        org: Some(Id::parse(org).expect("an id")),
        orgs: Vec::new(),
        unusable: Vec::new(),
        roles: roles.iter().map(ToString::to_string).collect(),
        session: Some(Id::parse(session).expect("an id")),
        issued_at,
        expires_at: issued_at + 3600,
        publish: None,
        other: Default::default(),
    }
}
