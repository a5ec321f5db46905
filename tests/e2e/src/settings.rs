//! A test node's configuration, except ports and folders.

use std::fmt::Write as _;
use std::path::Path;

/// The routes that the demo platform ships.
const DEMO_ROUTES: &str = include_str!("../../../demo/routes.toml");

/// The parts of a configuration that tests change.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a stopping node waits for its tabs.
    pub drain_seconds: u32,
    /// Additional lines of `[node]`.
    pub node: String,
    /// The lines of `[broker]`.
    pub broker: String,
    /// Additional sections.
    pub sections: String,
    /// The hubs.
    pub hubs: String,
    /// The route file.
    pub routes: String,
    /// Schema files in addition to the built-in ones: path and text.
    pub schemas: Vec<(String, String)>,
    /// Variables of the process.
    pub environment: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // The tabs of tests ignore a Close, so every stop takes this long.
            drain_seconds: 1,
            node: String::new(),
            broker: "url = \"embedded:log\"".to_owned(),
            sections: String::new(),
            hubs: format!("[hub.\"{}\"]\n", crate::HUB),
            routes: DEMO_ROUTES.to_owned(),
            schemas: Vec::new(),
            environment: Vec::new(),
        }
    }
}

impl Settings {
    /// Sets how long a stopping node waits for its tabs.
    #[must_use]
    pub fn drain_seconds(mut self, seconds: u32) -> Self {
        self.drain_seconds = seconds;
        self
    }

    /// Adds lines to `[node]`.
    #[must_use]
    pub fn node(mut self, lines: &str) -> Self {
        let _ = writeln!(self.node, "{lines}");
        self
    }

    /// Replaces the lines of `[broker]`.
    #[must_use]
    pub fn broker(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.broker);
        self
    }

    /// Seals cursors and connection tokens with this secret, as all nodes of a cluster must.
    #[must_use]
    pub fn secret(mut self, secret: &str) -> Self {
        let _ = writeln!(self.node, "secret = \"{secret}\"");
        self
    }

    /// Adds a section.
    #[must_use]
    pub fn section(mut self, lines: &str) -> Self {
        let _ = writeln!(self.sections, "{lines}");
        self
    }

    /// Trusts an issuer whose keys are at a URL; additional lines may follow.
    #[must_use]
    pub fn issuer(self, issuer: &str, jwks: &str, more: &str) -> Self {
        self.section(&format!("[[issuer]]\nissuer = \"{issuer}\"\njwks = \"{jwks}\"\n{more}"))
    }

    /// Sets a variable of the process.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes the files of the configuration.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn write(&self, folder: &Path, listen: &str, admin_listen: &str) {
        let Self { drain_seconds, node, broker, sections, hubs, routes, schemas, .. } = self;
        let mut text = format!(
            "[node]\nlisten = \"{listen}\"\nadmin_listen = \"{admin_listen}\"\ndata = \"fanout\"\n\
             drain_seconds = {drain_seconds}\n{node}\n[broker]\n{broker}\n\
             [routes]\npath = \"routes.toml\"\n\
             [development]\nsigning_key = \"key.pem\"\n\
             [log]\nformat = \"json\"\n"
        );
        if !schemas.is_empty() {
            text.push_str("[schemas]\npath = \"schemas\"\n");
        }
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("written");
        };
        write("fanfare.toml", &format!("{text}{sections}\n{hubs}"));
        write("routes.toml", routes);
        for (name, text) in schemas {
            write(&format!("schemas/{name}"), text);
        }
    }
}
