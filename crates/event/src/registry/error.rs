//! Faults of a folder of schemas.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::folder::{MAX_FILE, Source};
use crate::schema::{Fault, line_of};

/// A fault in a folder of schemas; the author of the named file must fix it.
#[derive(Debug, Clone, Error)]
pub enum RegistryError {
    /// A file or folder cannot be read.
    #[error("{}: {source}", file.display())]
    Unreadable {
        /// The file or folder.
        file: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
    },
    /// The folder contains no schema.
    #[error("{}: no schema found; expected files such as license/FlagToggled.v1.avsc", folder.display())]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
    /// A file's path does not name a version of an event type.
    #[error("{}: {reason}; expected {{service}}/{{Event}}.v{{N}}.avsc such as license/FlagToggled.v1.avsc", file.display())]
    Misplaced {
        /// The file.
        file: PathBuf,
        /// What is wrong with its path.
        reason: String,
    },
    /// A file is larger than a schema may be.
    #[error("{}: a schema has at most {MAX_FILE} bytes", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// A file is not a usable schema.
    #[error("{}:{} {}{reason}", file.display(), on_line(line), in_field(field))]
    Invalid {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1, if it is known.
        line: Option<usize>,
        /// The path of the field, if the fault is in one.
        field: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// A version is missing.
    #[error("{}: version {missing} is missing before it; versions count from 1 without a gap", file.display())]
    Gap {
        /// The file after the gap.
        file: PathBuf,
        /// The first missing version.
        missing: u32,
    },
    /// Two files have the same version, and differ.
    #[error("{}: differs from {}, which is the same version", file.display(), other.display())]
    Conflict {
        /// One file.
        file: PathBuf,
        /// The other file.
        other: PathBuf,
    },
    /// Two versions cannot read each other's records.
    #[error("{}:{} {}{reason} (compared with {})", file.display(), on_line(line), in_field(field), other.display())]
    Incompatible {
        /// The file of the newer version.
        file: PathBuf,
        /// Its line, counted from 1, if it is known.
        line: Option<usize>,
        /// The file of the older version.
        other: PathBuf,
        /// The path of the field, if the fault is in one.
        field: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// Two schemas have the same fingerprint, so a body does not reveal which of them wrote it.
    #[error(
        "{}: differs from {} only in what the bytes do not show (doc, defaults, aliases); change that file instead of adding a version",
        file.display(), other.display()
    )]
    SameBytes {
        /// One file.
        file: PathBuf,
        /// The other file.
        other: PathBuf,
    },
}

fn on_line(line: &Option<usize>) -> String {
    line.map(|line| format!("{line}:")).unwrap_or_default()
}

fn in_field(field: &Option<String>) -> String {
    field.as_ref().map(|field| format!("field `{field}`: ")).unwrap_or_default()
}

/// The line of a fault: the known one, else that of the field.
fn line(source: &Source, fault: &Fault) -> Option<usize> {
    fault.line.or_else(|| line_of(&source.text, fault.field.as_deref()?))
}

impl RegistryError {
    pub(super) fn unreadable(file: &Path, source: std::io::Error) -> Self {
        Self::Unreadable { file: file.to_owned(), source: Arc::new(source) }
    }

    pub(super) fn invalid(source: &Source, fault: Fault) -> Self {
        let line = line(source, &fault);
        Self::Invalid { file: source.file.clone(), line, field: fault.field, reason: fault.reason }
    }

    pub(super) fn incompatible(source: &Source, other: &Source, fault: Fault) -> Self {
        let (line, file, other) = (line(source, &fault), source.file.clone(), other.file.clone());
        Self::Incompatible { file, line, other, field: fault.field, reason: fault.reason }
    }

    pub(super) fn same_bytes(source: &Source, other: &Source) -> Self {
        Self::SameBytes { file: source.file.clone(), other: other.file.clone() }
    }

    /// The faulty file or folder.
    pub fn file(&self) -> &Path {
        match self {
            Self::Empty { folder } => folder,
            Self::Unreadable { file, .. }
            | Self::Misplaced { file, .. }
            | Self::TooLarge { file }
            | Self::Invalid { file, .. }
            | Self::Gap { file, .. }
            | Self::Conflict { file, .. }
            | Self::Incompatible { file, .. }
            | Self::SameBytes { file, .. } => file,
        }
    }

    /// The faulty line in the file, counted from 1, if it is known.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Invalid { line, .. } | Self::Incompatible { line, .. } => *line,
            _ => None,
        }
    }

    /// What is wrong, without the file and the line.
    pub fn reason(&self) -> String {
        let text = self.to_string();
        let file = self.file().display().to_string();
        let rest = text.strip_prefix(&file).unwrap_or(&text);
        rest.trim_start_matches(|c: char| c == ':' || c.is_ascii_digit()).trim_start().to_owned()
    }

    /// The path of the faulty field, if the fault is in one.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } | Self::Incompatible { field, .. } => field.as_deref(),
            _ => None,
        }
    }
}
