//! `fanfare init`: writes a configuration, an event, a route and a page to start from.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Exit, fail};

/// The SignalR client for browsers; empty if the binary was built without the packages of the page.
const CLIENT: &str = include_str!(concat!(env!("OUT_DIR"), "/signalr.min.js"));

/// The files, with their contents.
const FILES: [(&str, &str); 6] = [
    ("fanfare.toml", include_str!("template/fanfare.toml")),
    ("routes.toml", include_str!("template/routes.toml")),
    ("page/index.html", include_str!("template/index.html")),
    ("page/page.css", include_str!("template/page.css")),
    ("page/page.js", include_str!("template/page.js")),
    ("page/signalr.min.js", CLIENT),
];

/// Writes the files into a folder, which may have none of them yet.
pub fn run(folder: &Path) -> Exit {
    // All of them or none: half a beginning would be refused at the next attempt.
    if let Some(there) = FILES.iter().map(|(name, _)| folder.join(name)).find(|path| path.symlink_metadata().is_ok()) {
        return fail(Exit::Wrong, format_args!("{} is there already; nothing was written", there.display()));
    }
    for (name, text) in FILES {
        if let Err((path, error)) = write(&folder.join(name), text) {
            return fail(Exit::Wrong, format_args!("cannot write {}: {error}", path.display()));
        }
    }
    let config = folder.join("fanfare.toml");
    say(&FILES.map(|(name, _)| format!("wrote {}", folder.join(name).display())).join("\n"));
    if CLIENT.is_empty() {
        say(
            "This binary was built without the SignalR client: put signalr.min.js of the npm package @microsoft/signalr \
             into the page's folder.",
        );
    }
    say(&format!("Next: fanfare serve --config {}", config.display()));
    Exit::Done
}

/// Writes a file that is not there, and the folders above it.
fn write(path: &Path, text: &str) -> Result<(), (PathBuf, io::Error)> {
    let failed = |error| (path.to_owned(), error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| (folder.to_owned(), error))?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

fn say(text: &str) {
    // Nothing can be done for a reader that has gone.
    let _ = writeln!(io::stdout(), "{text}");
}
