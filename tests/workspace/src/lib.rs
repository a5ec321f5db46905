//! The workspace as its own rules see it: packages and who depends on whom, source files, documents.
//!
//! The rules themselves are the tests of this package: who may not depend on whom, which licences and how many versions
//! of a crate there may be, how long a file is, where the environment is read, that links lead somewhere.

pub mod graph;
pub mod imports;
pub mod licence;
pub mod markdown;
pub mod rust;
pub mod tree;

/// Panics with every fault on a line of its own; one run shows all there is to mend.
pub fn assert_none(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}\n", faults.join("\n  "));
}
