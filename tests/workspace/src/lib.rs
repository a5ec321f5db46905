//! The workspace as its own rules see it: packages and their dependencies, source files, documents.
//!
//! The rules themselves are the tests of this package: forbidden dependencies, licences and versions of crates, the
//! length of files, where the environment is read, and links of documents.

pub mod graph;
pub mod imports;
pub mod licence;
pub mod markdown;
pub mod rust;
pub mod tree;

/// Panics with every fault on its own line; one run shows everything that must be fixed.
pub fn assert_none(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}\n", faults.join("\n  "));
}
