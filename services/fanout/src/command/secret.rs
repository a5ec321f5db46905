//! The node secret: configured, or random and kept in the data folder of a node on the embedded log.

use std::fs;
use std::io::{Error, ErrorKind, Result, Write as _};
use std::path::{Path, PathBuf};

use crate::config::{Config, Secret};
use crate::seal::Seal;

/// The fewest bytes of a secret.
const LEAST: usize = 32;

/// The seal of a node; a secret is made where there is none.
pub(super) fn of_node(config: &Config) -> Result<Seal> {
    sealed(config, |path| match read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => make(path),
        secret => secret,
    })
}

/// The seal of a node that has run already.
pub(super) fn of_known_node(config: &Config) -> Result<Seal> {
    sealed(config, read)
}

/// Where the secret is kept if it is not configured.
pub(super) fn path(config: &Config) -> PathBuf {
    config.node.data.join("node.secret")
}

fn sealed(config: &Config, kept: impl FnOnce(&Path) -> Result<Vec<u8>>) -> Result<Seal> {
    let older: Vec<Vec<u8>> = config.node.previous_secret.iter().map(|secret| secret.as_bytes().to_vec()).collect();
    if let Some(secret) = &config.node.secret {
        return Ok(Seal::new(Secret::as_bytes(secret), &older));
    }
    Ok(Seal::new(&kept(&path(config))?, &older))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    match fs::read(path)? {
        secret if secret.len() >= LEAST => Ok(secret),
        _ => Err(Error::other("the file holds no secret of 32 bytes; delete it")),
    }
}

fn make(path: &Path) -> Result<Vec<u8>> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut secret = vec![0; LEAST];
    aws_lc_rs::rand::fill(&mut secret).map_err(|_| Error::other("no random numbers"))?;
    let mut options = fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.write(true).create_new(true).open(path)?;
    file.write_all(&secret)?;
    file.sync_all()?;
    Ok(secret)
}
