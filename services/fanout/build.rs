//! Puts the built demo page, and the SignalR client for the page of `fanfare init`, where the binary takes them from;
//! nothing where they are not there.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/dist");
    println!("cargo::rerun-if-changed={}", page.display());
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
