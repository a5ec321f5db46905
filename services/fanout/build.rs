//! Puts the built demo page, and the SignalR client for the page of `fanfare init`, where the binary takes them from;
//! nothing where they are not there. And says what the binary is built from.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rustc-env=FANFARE_VERSION={}", version());
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/dist");
    println!("cargo::rerun-if-changed={}", page.display());
    // A new file of the console is in no list of what the compiler has read.
    println!("cargo::rerun-if-changed={}", Path::new(env!("CARGO_MANIFEST_DIR")).join("console").display());
    let Some(out) = env::var_os("OUT_DIR") else {
        return Err(io::Error::other("OUT_DIR is not set: build with cargo"));
    };
    let out = Path::new(&out).join("page");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(&out)?;
    if page.is_dir() {
        copy(&page, &out)?;
    }
    let client = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../web/node_modules/@microsoft/signalr/dist/browser/signalr.min.js");
    println!("cargo::rerun-if-changed={}", client.display());
    fs::write(out.with_file_name("signalr.min.js"), fs::read(client).unwrap_or_default())
}

/// Version, commit and brokers. The commit is told by who makes a release: to read it here would build the node anew after
/// each one.
fn version() -> String {
    println!("cargo::rerun-if-env-changed=FANFARE_COMMIT");
    let commit = env::var("FANFARE_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = commit.map(|commit| format!("commit {commit}, ")).unwrap_or_default();
    let has = |feature: &str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    let clients = [("NATS", ", nats"), ("KAFKA", ", kafka")].into_iter().filter(|(feature, _)| has(feature));
    let brokers: String = clients.map(|(_, name)| name).collect();
    format!("{} ({commit}brokers: embedded{brokers})", env!("CARGO_PKG_VERSION"))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
