mod shape;

use serde::Serialize;
use serde::de::DeserializeOwned;
use shape::{Shape, shape};

use super::auth::*;
use super::export::*;
use super::license::*;
use super::system::*;
use super::*;
use crate::{Attributes, Field, Id, Kind, Registry, Timestamp, TypeName, Value, encode};

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn alert() -> Alert {
    Alert {
        org: Some(id("acme")),
        user: Some(id("alice")),
        severity: Severity::Success,
        title: text("Done"),
        message: text("All is well"),
        raised_by: text("bob"),
        link: Some(text("/status")),
    }
}

fn logged_out() -> UserLoggedOut {
    UserLoggedOut {
        user: id("alice"),
        org: id("acme"),
        session: Some(id("s1")),
        reason: text("signed out"),
        revision: Some(i64::MAX),
    }
}

fn updated() -> LicenseUpdated {
    LicenseUpdated { org: id("acme"), plan: text("pro"), seats: i32::MAX, expires_at: Some(Timestamp(7)) }
}

/// Runs something for one event of every type, with all fields filled.
fn each(mut check: impl FnMut(&'static str, &dyn Check)) {
    let (user, org, job_id) = (id("alice"), id("acme"), text("j1"));
    let all: [(&'static str, Box<dyn Check>); 12] = [
        entry(UserLoggedIn { user: user.clone(), org: org.clone(), session: id("s1") }),
        entry(logged_out()),
        entry(RolesChanged {
            user: user.clone(),
            org: org.clone(),
            roles: vec![text("admin")],
            changed_by: text("bob"),
            revision: Some(1),
        }),
        entry(FlagToggled {
            org: org.clone(),
            flag: text("dark-mode"),
            enabled: true,
            changed_by: text("bob"),
            revision: Some(2),
        }),
        entry(FlagRemoved { org: org.clone(), flag: text("dark-mode"), changed_by: text("bob"), revision: Some(3) }),
        entry(updated()),
        entry(LicenseExpired { org: org.clone(), plan: text("pro"), expired_at: Timestamp(i64::MAX) }),
        entry(ExportProgress {
            org: org.clone(),
            user: user.clone(),
            job_id: job_id.clone(),
            percent: i32::MIN,
            stage: text("reading"),
        }),
        entry(ExportCompleted {
            org: org.clone(),
            user: user.clone(),
            job_id: job_id.clone(),
            kind: text("usage-report"),
            file_name: text("report.csv"),
            size_bytes: i64::MAX,
            download_url: text("/exports/j1/download"),
        }),
        entry(ExportFailed { org, user, job_id, kind: text("broken"), reason: text("it broke") }),
        entry(alert()),
        entry(ConnectionsClosed {
            connection: Some(text("c1")),
            user: Some(id("alice")),
            session: Some(id("s1")),
            realm: Some(text("partner")),
        }),
    ];
    for (name, event) in &all {
        check(name, &**event);
    }
}

fn entry<E: TypedEvent + DeserializeOwned + PartialEq + std::fmt::Debug + 'static>(
    event: E,
) -> (&'static str, Box<dyn Check>) {
    (E::TYPE, Box::new(event))
}

/// The checks for every event.
trait Check {
    fn fields(&self) -> Vec<(&'static str, Shape)>;
    fn round_trips(&self);
}

impl<E: TypedEvent + DeserializeOwned + PartialEq + std::fmt::Debug> Check for E {
    fn fields(&self) -> Vec<(&'static str, Shape)> {
        match shape(self) {
            Shape::Record(fields) => fields,
            other => panic!("{} is {other:?}", E::TYPE),
        }
    }

    fn round_trips(&self) {
        let encoded = encode(attributes(E::TYPE), self).unwrap();
        let record = Registry::builtin().decode(&encoded.body).unwrap();
        assert_eq!(encoded.attributes.data_version, Some(record.event_type().newest().version));
        assert_eq!(encoded.key, record.key());
        let read: E = serde_json::from_value(serde_json::to_value(&record).unwrap()).unwrap();
        assert_eq!(&read, self);
    }
}

fn attributes(name: &str) -> Attributes {
    Attributes {
        id: text("1"),
        source: text("/test"),
        event_type: TypeName::parse(name).unwrap(),
        time: Timestamp(0),
        subject: None,
        org: None,
        data_version: None,
        traceparent: None,
    }
}

/// The expected fields of a schema's struct, all filled.
fn expected(fields: &[Field]) -> Vec<(String, Shape)> {
    let expect = |field: &Field| {
        let shape = of_kind(&field.kind);
        (field.name.to_string(), if field.nullable { Shape::Some(Box::new(shape)) } else { shape })
    };
    fields.iter().map(expect).collect()
}

fn of_kind(kind: &Kind) -> Shape {
    match kind {
        Kind::Boolean => Shape::Boolean,
        Kind::Int => Shape::Int,
        Kind::Long => Shape::Long,
        Kind::String => Shape::String,
        Kind::Timestamp(_) => Shape::Timestamp,
        Kind::Enum(_) => Shape::Symbol,
        Kind::Array(items) => Shape::List(Box::new(of_kind(items))),
        other => panic!("the vocabulary has no {other} yet: teach this test"),
    }
}

#[test]
fn structs_and_their_newest_schemas_have_the_same_fields() {
    let registry = Registry::builtin();
    each(|name, event| {
        let found: Vec<_> = event.fields().into_iter().map(|(name, shape)| (name.to_owned(), shape)).collect();
        let schema = registry.event_type(name).unwrap_or_else(|| panic!("{name} has no schema")).newest();
        assert_eq!(found, expected(&schema.fields), "{name}");
    });
}

#[test]
fn every_schema_has_a_struct_and_every_struct_a_schema() {
    let mut structs = Vec::new();
    each(|name, _| structs.push(name));
    assert_eq!(structs, TYPES);
    structs.sort_unstable();
    let registry = Registry::builtin();
    let schemas: Vec<_> = registry.event_types().map(|event_type| event_type.name().as_str()).collect();
    assert_eq!(structs, schemas);
}

#[test]
fn every_event_round_trips() {
    each(|_, event| event.round_trips());
}

#[test]
fn events_without_what_may_be_missing_round_trip_too() {
    Alert { org: None, user: None, link: None, ..alert() }.round_trips();
    UserLoggedOut { session: None, revision: None, ..logged_out() }.round_trips();
    LicenseUpdated { expires_at: None, seats: i32::MIN, ..updated() }.round_trips();
}

#[test]
fn severities_are_the_symbols_of_the_schema() {
    let registry = Registry::builtin();
    let field = registry.event_type("system.Alert").unwrap().newest().field("severity").unwrap().clone();
    let Kind::Enum(symbols) = field.kind else { panic!("severity is {}", field.kind) };
    let names: Vec<_> = Severity::ALL.iter().map(|severity| serde_json::to_value(severity).unwrap()).collect();
    assert_eq!(names, symbols.iter().map(|symbol| symbol.to_string().into()).collect::<Vec<serde_json::Value>>());
}

#[test]
fn keys_are_those_of_the_schema() {
    let key = |event: UserLoggedOut| encode(attributes("auth.UserLoggedOut"), &event).unwrap().key;
    assert_eq!(key(logged_out()).as_deref(), Some("alice/s1"));
    assert_eq!(key(UserLoggedOut { session: None, ..logged_out() }).as_deref(), Some("alice/~"));
    assert_eq!(encode(attributes("license.LicenseUpdated"), &updated()).unwrap().key, None);
}

#[test]
fn what_does_not_fit_is_refused() {
    #[derive(Serialize)]
    struct Extra {
        org: &'static str,
        colour: &'static str,
    }
    impl TypedEvent for Extra {
        const TYPE: &'static str = "license.FlagToggled";
    }
    #[derive(Serialize)]
    struct Unknown;
    impl TypedEvent for Unknown {
        const TYPE: &'static str = "weather.Rain";
    }
    let refused = |attributes, event: &dyn Fn(Attributes) -> Result<crate::Encoded, crate::EncodeError>| {
        event(attributes).unwrap_err().to_string()
    };
    let extra = refused(attributes("license.FlagToggled"), &|attributes| {
        encode(attributes, &Extra { org: "acme", colour: "blue" })
    });
    assert!(extra.starts_with("license.FlagToggled v1: the event does not fit the schema: "), "{extra}");
    assert!(extra.contains("colour"), "{extra}");
    let unknown = refused(attributes("weather.Rain"), &|attributes| encode(attributes, &Unknown));
    assert_eq!(unknown, "no schema is known for weather.Rain");
    let other = refused(attributes("license.FlagToggled"), &|attributes| encode(attributes, &updated()));
    assert_eq!(other, "the attributes say license.FlagToggled, the event is a license.LicenseUpdated");
    let nameless = Attributes { id: String::new(), ..attributes("license.LicenseUpdated") };
    assert!(refused(nameless, &|attributes| encode(attributes, &updated())).starts_with("ce-id: expected"));
    let huge = LicenseUpdated { plan: "x".repeat(crate::MAX_BODY), ..updated() };
    let huge = refused(attributes("license.LicenseUpdated"), &|attributes| encode(attributes, &huge));
    assert!(huge.contains("at most 1048576 are allowed"), "{huge}");
}

#[test]
fn payloads_are_in_no_log() {
    let encoded = encode(attributes("system.Alert"), &alert()).unwrap();
    let record = Registry::builtin().decode(&encoded.body).unwrap();
    assert_eq!(record.get("title"), Some(&Value::String("Done".into())));
    let shown = format!("{encoded:?} {record:?}");
    assert!(!shown.contains("Done") && shown.contains("system.Alert"), "{shown}");
}
