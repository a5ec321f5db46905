//! The hub and routes that a node serves.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::load::Events;

/// An alert is a toast for one user or for the whole org.
const ROUTES: &str = r#"
[[route]]
name = "bench-to-user"
event = "system.Alert"
when = { user = { present = true } }
groups = ["user:{user}"]
toast = { severity = "{severity}", title = "{title}", message = "{message}", link = "{link}" }

[[route]]
name = "bench-to-org"
event = "system.Alert"
when = { user = { present = false }, org = { present = true } }
groups = ["org:{org}"]
toast = { severity = "{severity}", title = "{title}", message = "{message}", link = "{link}" }
"#;

/// The benchmark's own hub, or that of an example.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Platform {
    /// One hub with default settings.
    #[default]
    Bench,
    /// `examples/analytics`: its hub with its rules and methods, its routes and its schemas.
    Analytics,
}

impl Platform {
    /// The hub of every tab.
    pub(crate) fn hub(self) -> &'static str {
        match self {
            Self::Bench => super::HUB,
            Self::Analytics => "/hubs/analytics",
        }
    }

    /// The role of all users.
    pub(crate) fn role(self) -> &'static str {
        match self {
            Self::Bench => "user",
            Self::Analytics => "Manager",
        }
    }

    /// The events for its tabs.
    pub(super) fn events(self, org: &str) -> Result<Events> {
        match self {
            Self::Bench => Events::of_org(org),
            Self::Analytics => Events::updates_of_org(org, &example("schemas")),
        }
    }

    /// The configuration's sections for the hub.
    pub(super) fn hub_sections(self) -> Result<String> {
        let Self::Analytics = self else { return Ok(format!("[hub.\"{}\"]\n", self.hub())) };
        let config = read(&example("fanfare.toml"))?;
        let at = config.find("\n[hub.").context("the example has no hub")?;
        Ok(format!("[schemas]\npath = {:?}\n{}", example("schemas"), &config[at..]))
    }

    /// Its routes, after the name of their hub.
    pub(super) fn routes(self) -> Result<String> {
        match self {
            Self::Bench => Ok(format!("hub = \"{}\"\n{ROUTES}", self.hub())),
            Self::Analytics => read(&example("routes.toml")),
        }
    }
}

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/analytics").join(file)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
