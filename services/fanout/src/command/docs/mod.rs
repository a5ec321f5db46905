//! `fanfare docs`: an OpenAPI document of `POST /events` and an AsyncAPI document of the channels, from schemas and routes.

mod asyncapi;
mod json_schema;
mod openapi;
mod sample;

use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use super::check::report;
use super::{Exit, fail};
use crate::config::Loaded;

/// Writes `openapi.json` and `asyncapi.json` into the folder, and prints their paths.
pub fn run(config: &Path, output: &Path) -> Exit {
    let loaded = match Loaded::load(config) {
        Ok(loaded) => loaded,
        Err(faults) => {
            report(&faults);
            return Exit::Wrong;
        }
    };
    if let Err(error) = std::fs::create_dir_all(output) {
        return fail(Exit::Wrong, format_args!("cannot make {}: {error}", output.display()));
    }
    for (name, document) in
        [("openapi.json", openapi::document(&loaded)), ("asyncapi.json", asyncapi::document(&loaded))]
    {
        let path = output.join(name);
        if let Err(error) = std::fs::write(&path, text(&document)) {
            return fail(Exit::Wrong, format_args!("cannot write {}: {error}", path.display()));
        }
        // Nothing can be done for a reader that has gone.
        let _ = writeln!(std::io::stdout(), "{}", path.display());
    }
    Exit::Done
}

fn text(document: &Value) -> String {
    format!("{document:#}\n")
}

/// Identifies the interface: it changes with the program and with the routes.
fn version(loaded: &Loaded) -> String {
    format!("{}+{}", env!("CARGO_PKG_VERSION"), loaded.routes.digest())
}
