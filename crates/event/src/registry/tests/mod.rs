mod evolution;
mod faults;
mod folders;

use serde_json::json;

use super::*;
use crate::{Attributes, DecodeError, Kind, Timestamp, TypeName, Unit, Value};

/// A schema `a.Changed` with these fields and further attributes.
fn schema(fields: &str, attributes: &str) -> String {
    format!(r#"{{"type": "record", "name": "Changed", "namespace": "test.a", "fields": [{fields}]{attributes}}}"#)
}

/// A registry of the versions of `a.Changed` that have these fields.
fn versions(fields: &[&str]) -> Result<Registry, RegistryError> {
    let files: Vec<_> = fields
        .iter()
        .enumerate()
        .map(|(index, fields)| (format!("a/Changed.v{}.avsc", index + 1), schema(fields, "")))
        .collect();
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Registry::of(&files)
}

#[test]
fn the_builtin_schemas_fit_each_other() {
    builtin::registry(|_| true).unwrap();
    assert_eq!(Registry::of_nodes().event_types().count(), 1);
}

#[test]
fn the_builtin_schemas_are_documented() {
    for schema in Registry::builtin().event_types().flat_map(|event_type| event_type.versions()) {
        assert!(schema.doc.as_ref().is_some_and(|doc| !doc.is_empty()), "{schema:?}");
        for field in &schema.fields {
            assert!(field.doc.as_ref().is_some_and(|doc| !doc.is_empty()), "{schema:?} {}", field.name);
        }
    }
}

#[test]
fn stateful_types_name_their_key_and_revision() {
    let registry = Registry::builtin();
    let mut stateful = Vec::new();
    for schema in registry.event_types().map(|event_type| event_type.newest()).filter(|schema| schema.is_stateful()) {
        let key: Vec<&str> = schema.key.iter().map(|index| &*schema.fields[*index].name).collect();
        let revision = schema.revision.map(|index| &*schema.fields[index].name);
        stateful.push((schema.event_type.as_str(), key.join("+"), revision));
    }
    let expected = [
        ("auth.RolesChanged", "user".to_owned(), Some("revision")),
        ("auth.UserLoggedOut", "user+session".to_owned(), Some("revision")),
        ("license.FlagRemoved", "flag".to_owned(), Some("revision")),
        ("license.FlagToggled", "flag".to_owned(), Some("revision")),
    ];
    assert_eq!(stateful, expected);
}

#[test]
fn users_and_organisations_have_aliases() {
    for schema in Registry::builtin().event_types().flat_map(|event_type| event_type.versions()) {
        for (name, alias) in [("org", "org_id"), ("user", "user_id")] {
            assert_eq!(schema.index_of(name), schema.index_of(alias), "{schema:?}");
        }
    }
}

#[test]
fn types_are_found_by_name_and_suggested() {
    let registry = Registry::builtin();
    let updated = registry.event_type("license.LicenseUpdated").unwrap();
    assert_eq!((updated.newest().version, updated.versions().len()), (2, 2));
    assert_eq!(updated.version(1).unwrap().version, 1);
    assert!(updated.version(3).is_none() && updated.version(0).is_none());
    assert!(registry.event_type("license.licenseUpdated").is_none());
    assert_eq!(registry.suggest("license.licenseUpdate"), Some("license.LicenseUpdated"));
    assert_eq!(registry.suggest("weather.Rain"), None);
    assert_eq!(updated.newest().suggest("expire_at"), Some("expires_at"));
}

#[test]
fn kinds_are_those_of_the_schema() {
    let registry = Registry::builtin();
    let field =
        |event_type: &str, name: &str| registry.event_type(event_type).unwrap().newest().field(name).unwrap().clone();
    let expires_at = field("license.LicenseUpdated", "expires_at");
    assert_eq!((expires_at.kind, expires_at.nullable), (Kind::Timestamp(Unit::Millis), true));
    assert_eq!((expires_at.default, expires_at.logical), (Some(Value::Null), Some("timestamp-millis")));
    assert_eq!(field("license.LicenseUpdated", "seats").kind, Kind::Int);
    assert_eq!(field("export.ExportCompleted", "size_bytes").kind, Kind::Long);
    assert_eq!(field("auth.RolesChanged", "roles").kind, Kind::Array(Box::new(Kind::String)));
    assert_eq!(field("auth.UserLoggedOut", "reason").default, Some(Value::String("signed out".into())));
    let severity = field("system.Alert", "severity");
    assert_eq!(severity.kind.to_string(), "one of info, warning, error, success");
}

/// apache-avro keeps part of logical types in the canonical form, so producers that use it write another fingerprint.
#[test]
fn both_fingerprints_of_a_logical_type_are_understood() {
    let registry = Registry::builtin();
    let expired = registry.event_type("license.LicenseExpired").unwrap();
    let body = expired.encode_json(None, &json!({"org": "acme", "plan": "pro", "expired_at": 7})).unwrap();
    let mut theirs = body.clone();
    let variant = expired.newest().variant_fingerprint.expect("the schema has a logical type");
    theirs[2..10].copy_from_slice(&variant.to_le_bytes());
    assert_eq!(registry.decode(&theirs).unwrap().values(), registry.decode(&body).unwrap().values());
    let plain = registry.event_type("license.FlagToggled").unwrap();
    assert_eq!(plain.newest().variant_fingerprint, None);
}

#[test]
fn a_schema_is_found_by_its_fingerprint() {
    let registry =
        versions(&[r#"{"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}"#]).unwrap();
    // The fingerprint of {"name":"test.a.Changed","type":"record","fields":[{"name":"at","type":"long"}]}, from
    // fastavro.
    const FINGERPRINT: u64 = 0x0015_4b45_778c_b7ed;
    assert_eq!(registry.event_type("a.Changed").unwrap().newest().fingerprint, FINGERPRINT);
    assert_eq!(registry.schema(FINGERPRINT).unwrap().version, 1);
    assert!(registry.schema(0).is_none());
}

#[test]
fn a_fingerprint_with_reversed_bytes_is_reported() {
    let registry = Registry::builtin();
    let event_type = registry.event_type("license.FlagRemoved").unwrap();
    let mut body = event_type.encode_json(None, &json!({"org": "acme", "flag": "x"})).unwrap();
    body[2..10].reverse();
    let error = registry.decode(&body).unwrap_err();
    assert!(matches!(error, DecodeError::ReversedFingerprint { version: 1, .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("license.FlagRemoved v1 has these bytes in reverse") && text.contains("lowest byte first"),
        "{text}"
    );
}

#[test]
fn an_event_must_be_of_the_type_that_its_attributes_name() {
    let registry = Registry::builtin();
    let attributes = |name: &str| Attributes {
        id: "1".to_owned(),
        source: "/test".to_owned(),
        event_type: TypeName::parse(name).unwrap(),
        time: Timestamp(0),
        subject: None,
        org: None,
        data_version: None,
        traceparent: None,
    };
    let event_type = registry.event_type("auth.UserLoggedIn").unwrap();
    let body = event_type.encode_json(None, &json!({"user": "a", "org": "b", "session": "c"})).unwrap();
    let event = crate::Event::decode(&registry, attributes("auth.UserLoggedIn"), &body).unwrap();
    assert_eq!(event.record.get("session"), Some(&Value::String("c".into())));
    let error = crate::Event::decode(&registry, attributes("auth.UserLoggedOut"), &body).unwrap_err();
    assert_eq!(error.to_string(), "the attributes say auth.UserLoggedOut, the body is a auth.UserLoggedIn");
}
