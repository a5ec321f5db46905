//! Schema files of a folder.

use std::borrow::Cow;
use std::fs::{self, DirEntry, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::RegistryError;
use crate::TypeName;

/// The largest schema file, in bytes.
pub(super) const MAX_FILE: usize = 256 * 1024;

const EXTENSION: &str = ".avsc";

/// A schema file: the type and version in its path, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) file: PathBuf,
    pub(super) event_type: TypeName,
    pub(super) version: u32,
    pub(super) text: Cow<'static, str>,
}

impl Source {
    /// Parses a path relative to the schema folder, such as `license/FlagToggled.v1.avsc`.
    pub(super) fn new(file: PathBuf, relative: &str, text: Cow<'static, str>) -> Result<Self, RegistryError> {
        match identity(relative) {
            Ok((event_type, version)) => Ok(Self { file, event_type, version, text }),
            Err(reason) => Err(RegistryError::Misplaced { file, reason }),
        }
    }
}

fn identity(relative: &str) -> Result<(TypeName, u32), String> {
    let (service, name) = relative.split_once('/').ok_or("not in the folder of a service")?;
    let stem = name.strip_suffix(EXTENSION).ok_or("not an .avsc file")?;
    let (event, version) = stem.rsplit_once(".v").ok_or("no version in the name")?;
    let number: u32 = version.parse().map_err(|_| format!("`{version}` is not a version"))?;
    if number == 0 || number.to_string() != version {
        return Err(format!("`{version}` is not a version; versions count from 1"));
    }
    let event_type = TypeName::parse(&format!("{service}.{event}")).map_err(|error| error.to_string())?;
    Ok((event_type, number))
}

/// Reads all schema files of a folder. Other files and hidden ones are skipped.
pub(super) fn read(folder: &Path) -> Result<Vec<Source>, RegistryError> {
    let mut sources = Vec::new();
    for (service, path, is_folder) in entries(folder)? {
        if is_folder {
            read_service(&service, &path, &mut sources)?;
        } else if service.ends_with(EXTENSION) {
            return Err(RegistryError::Misplaced { file: path, reason: "not in the folder of a service".to_owned() });
        }
    }
    if sources.is_empty() {
        return Err(RegistryError::Empty { folder: folder.to_owned() });
    }
    Ok(sources)
}

fn read_service(service: &str, folder: &Path, sources: &mut Vec<Source>) -> Result<(), RegistryError> {
    for (name, path, is_folder) in entries(folder)? {
        if is_folder {
            let reason = "a folder within the folder of a service".to_owned();
            return Err(RegistryError::Misplaced { file: path, reason });
        }
        if name.ends_with(EXTENSION) {
            let text = read_file(&path)?;
            sources.push(Source::new(path, &format!("{service}/{name}"), text.into())?);
        }
    }
    Ok(())
}

/// The visible entries of a folder: name, path, and whether it is a folder. Sorted, so that of several faults always
/// the same one is reported.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf, bool)>, RegistryError> {
    let unreadable = |error| RegistryError::unreadable(folder, error);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry: DirEntry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            let path = entry.path();
            let is_folder = path.is_dir();
            entries.push((name, path, is_folder));
        }
    }
    entries.sort();
    Ok(entries)
}

fn read_file(path: &Path) -> Result<String, RegistryError> {
    let unreadable = |error| RegistryError::unreadable(path, error);
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE as u64 + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() > MAX_FILE {
        return Err(RegistryError::TooLarge { file: path.to_owned() });
    }
    Ok(text)
}
