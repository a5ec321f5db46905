//! The platform's own schemas, compiled in.

use std::borrow::Cow;
use std::path::Path;
use std::sync::LazyLock;

use super::folder::Source;
use super::{Registry, RegistryError};

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../schemas/", $path)))),*]
    };
}

/// Every file of the folder `schemas`.
pub(super) const FILES: &[(&str, &str)] = files![
    "auth/RolesChanged.v1.avsc",
    "auth/UserLoggedIn.v1.avsc",
    "auth/UserLoggedOut.v1.avsc",
    "export/ExportCompleted.v1.avsc",
    "export/ExportFailed.v1.avsc",
    "export/ExportProgress.v1.avsc",
    "license/FlagRemoved.v1.avsc",
    "license/FlagToggled.v1.avsc",
    "license/LicenseExpired.v1.avsc",
    "license/LicenseUpdated.v1.avsc",
    "license/LicenseUpdated.v2.avsc",
    "system/Alert.v1.avsc",
    "system/Alert.v2.avsc",
    "system/ConnectionsClosed.v1.avsc",
];

/// The one file among them whose events nodes themselves publish.
const OF_NODES: &str = "system/ConnectionsClosed.v1.avsc";

pub(super) static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    // The files are constants, and a test parses them all: this can fail only in the test.
    #[allow(clippy::expect_used, reason = "constants that a test checks")]
    registry(|_| true).expect("the built-in schemas fit each other")
});

pub(super) static REGISTRY_OF_NODES: LazyLock<Registry> = LazyLock::new(|| {
    #[allow(clippy::expect_used, reason = "constants that a test checks")]
    registry(|path| path == OF_NODES).expect("the built-in schemas fit each other")
});

/// The built-in schemas of these files.
pub(super) fn registry(is_wanted: impl Fn(&str) -> bool) -> Result<Registry, RegistryError> {
    let files = FILES.iter().filter(|(path, _)| is_wanted(path));
    let sources = files.map(|(path, text)| Source::new(Path::new("schemas").join(path), path, Cow::Borrowed(text)));
    Registry::from_sources(sources.collect::<Result<_, _>>()?)
}
