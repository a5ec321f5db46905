//! Rules over the Markdown documents.

use fanfare_workspace_tests::assert_none;
use fanfare_workspace_tests::markdown::{anchors, links};
use fanfare_workspace_tests::tree::{SourceFile, files, root};

#[test]
fn every_relative_link_leads_somewhere() {
    let mut faults = Vec::new();
    for document in files(&[".md"]) {
        for (line, target) in links(&document.text) {
            if let Some(fault) = broken(&document, &target) {
                faults.push(format!("{}:{line}: {fault}", document.path));
            }
        }
    }
    assert_none("a link leads nowhere", &faults);
}

/// The fault of a link in `document`, if it has one; links to other sites are not followed.
fn broken(document: &SourceFile, target: &str) -> Option<String> {
    let scheme = target.split_once(':').is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric()));
    if scheme {
        return None;
    }
    if target.starts_with('/') {
        return Some(format!("{target} begins at the root of a machine; links are relative"));
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let text = if path.is_empty() {
        Some(document.text.clone())
    } else {
        let place = root().join(&document.path).parent()?.join(path);
        if !place.exists() {
            return Some(format!("{path} does not exist"));
        }
        path.ends_with(".md").then(|| std::fs::read_to_string(place).unwrap_or_default())
    };
    let anchor = anchor?;
    let missing = !anchors(&text?).iter().any(|known| known == anchor);
    missing.then(|| format!("{target}: no heading makes the anchor #{anchor}"))
}

#[test]
fn a_broken_link_is_reported() {
    let document = SourceFile { path: "README.md".into(), text: "# Here\n".into() };
    for good in ["https://example.org/x", "#here", "Cargo.toml", "tests/workspace/src", "mailto:a@example.org"] {
        assert_eq!(broken(&document, good), None);
    }
    for bad in ["NOWHERE.md", "#there", "/etc/hosts", "tests/nowhere/"] {
        assert!(broken(&document, bad).is_some(), "{bad}");
    }
}
