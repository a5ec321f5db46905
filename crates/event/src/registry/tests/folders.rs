//! Folders of schema files.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn fault(files: &[(&str, &str)]) -> (String, RegistryError) {
    let folder = folder(files);
    let error = Registry::load(folder.path()).expect_err("the folder has a fault");
    let file = error.file().strip_prefix(folder.path()).expect("the error names a file of the folder");
    (file.to_str().unwrap().to_owned(), error)
}

#[test]
fn the_folder_of_the_repository_is_what_is_compiled_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let mut on_disk: Vec<(String, String)> = Vec::new();
    for source in super::folder::read(&folder).unwrap() {
        let path = source.file.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
        on_disk.push((path, source.text.into_owned()));
    }
    let compiled: Vec<_> = builtin::FILES.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect();
    assert_eq!(on_disk, compiled);
    let names = |registry: &Registry| -> Vec<String> {
        registry.event_types().map(|event_type| event_type.name().to_string()).collect()
    };
    assert_eq!(names(&Registry::load(&folder).unwrap()), names(&Registry::builtin()));
    assert_eq!(names(&Registry::builtin().with_folder(&folder).unwrap()), names(&Registry::builtin()));
}

#[test]
fn other_files_are_passed_over() {
    let text = schema("", "");
    let folder = folder(&[
        ("a/Changed.v1.avsc", &text),
        ("README.md", "schemas"),
        ("a/notes.txt", "notes"),
        ("a/.Changed.v1.avsc.swp", "x"),
        (".git/HEAD", "x"),
    ]);
    let registry = Registry::load(folder.path()).unwrap();
    assert_eq!(registry.event_types().count(), 1);
}

#[test]
fn a_folder_adds_to_the_builtin_types() {
    let text = schema("", "");
    let folder = folder(&[("a/Changed.v1.avsc", &text)]);
    let registry = Registry::builtin().with_folder(folder.path()).unwrap();
    assert!(registry.event_type("a.Changed").is_some());
    assert!(registry.event_type("license.FlagToggled").is_some());
}

#[test]
fn a_folder_cannot_redefine_a_builtin_version() {
    let text = r#"{"type": "record", "name": "FlagToggled", "fields": []}"#;
    let folder = folder(&[("license/FlagToggled.v1.avsc", text)]);
    let error = Registry::builtin().with_folder(folder.path()).unwrap_err();
    assert!(matches!(error, RegistryError::Conflict { .. }), "{error}");
    assert!(error.file().ends_with("license/FlagToggled.v1.avsc"), "{error}");
}

#[test]
fn folders_that_cannot_be_read_are_named() {
    let missing = Registry::load(Path::new("/nonexistent/schemas")).unwrap_err();
    assert!(matches!(missing, RegistryError::Unreadable { .. }), "{missing}");
    assert!(missing.to_string().starts_with("/nonexistent/schemas: "), "{missing}");
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(Registry::load(empty.path()), Err(RegistryError::Empty { .. })));
    let (file, error) = fault(&[("a/Changed.v1.avsc", "")]);
    assert_eq!(file, "a/Changed.v1.avsc");
    assert!(error.to_string().contains("not JSON"), "{error}");
}

#[test]
fn paths_must_name_what_a_file_is() {
    let text = schema("", "");
    for path in [
        "Changed.v1.avsc",
        "a/Changed.avsc",
        "a/Changed.v0.avsc",
        "a/Changed.v01.avsc",
        "a/Changed.v1a.avsc",
        "a/Changed.v99999999999.avsc",
        "a/1Changed.v1.avsc",
        "a b/Changed.v1.avsc",
        "a/old/Changed.v1.avsc",
    ] {
        let (file, error) = fault(&[(path, &text)]);
        assert!(matches!(error, RegistryError::Misplaced { .. }), "{path}: {error}");
        assert!(path.starts_with(&file), "{path}: {error}");
    }
}

#[test]
fn a_gap_in_the_versions_is_named() {
    let (first, second) = (schema("", ""), schema(r#"{"name": "x", "type": "int", "default": 0}"#, ""));
    let (file, error) = fault(&[("a/Changed.v1.avsc", &first), ("a/Changed.v3.avsc", &second)]);
    assert_eq!(file, "a/Changed.v3.avsc");
    assert!(matches!(error, RegistryError::Gap { missing: 2, .. }), "{error}");
    let (file, error) = fault(&[("a/Changed.v2.avsc", &first)]);
    assert_eq!(file, "a/Changed.v2.avsc");
    assert!(matches!(error, RegistryError::Gap { missing: 1, .. }), "{error}");
}

#[test]
fn a_large_file_is_not_read_to_its_end() {
    let text = format!("{}{}", schema("", ""), " ".repeat(super::folder::MAX_FILE));
    let (file, error) = fault(&[("a/Changed.v1.avsc", &text)]);
    assert_eq!(file, "a/Changed.v1.avsc");
    assert!(matches!(error, RegistryError::TooLarge { .. }), "{error}");
}

#[test]
fn schemas_that_share_a_fingerprint_are_refused() {
    let first = schema(r#"{"name": "x", "type": "int"}"#, "");
    let second = schema(r#"{"name": "x", "type": "int", "default": 1, "doc": "New.", "aliases": ["y"]}"#, "");
    let (file, error) = fault(&[("a/Changed.v1.avsc", &first), ("a/Changed.v2.avsc", &second)]);
    assert_eq!(file, "a/Changed.v2.avsc");
    assert!(matches!(error, RegistryError::SameBytes { .. }), "{error}");
    // Two services whose schemas have the same full name.
    let (file, error) = fault(&[("a/Changed.v1.avsc", &first), ("b/Changed.v1.avsc", &first)]);
    assert_eq!(file, "b/Changed.v1.avsc");
    assert!(matches!(error, RegistryError::SameBytes { .. }), "{error}");
}
