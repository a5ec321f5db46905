//! A TOML file with the positions of its parts, and the faults found in it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::section::{Section, TOP};
use super::{Fault, Spot};

/// A file's path and text.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it was read from; faults name it.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Fault> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self { path: path.to_owned(), text }),
            Err(error) => Err(Fault::whole(path, format!("cannot be read: {error}"))),
        }
    }
}

/// A parsed file that collects the faults which its readers find.
pub struct Document<'s> {
    source: &'s Source,
    root: Spanned<DeTable<'s>>,
    faults: RefCell<Vec<Fault>>,
}

impl<'s> Document<'s> {
    /// Parses a file; its syntax errors become faults.
    pub fn parse(source: &'s Source) -> Self {
        let (root, errors) = DeTable::parse_recoverable(&source.text);
        let document = Self { source, root, faults: RefCell::default() };
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            document.fault(at, error.message().replace('\n', ", "), None);
        }
        document
    }

    /// Whether a fault was found so far.
    pub fn is_faulty(&self) -> bool {
        !self.faults.borrow().is_empty()
    }

    /// The top level of the file.
    pub fn root(&self) -> Section<'_> {
        Section::new(self, TOP.to_owned(), self.root.get_ref(), 0)
    }

    /// Adds a fault at a byte of the file.
    pub fn fault(&self, at: usize, message: impl Into<String>, help: Option<String>) {
        let (line, column) = self.line_and_column(at);
        let file = self.source.path.clone();
        self.faults.borrow_mut().push(Fault { file, line, column, message: message.into(), help });
    }

    /// A byte of the file as faults name it: `file:line`.
    pub fn place(&self, at: usize) -> String {
        format!("{}:{}", self.source.path.display(), self.line_and_column(at).0)
    }

    /// A byte of the file, for faults that are found later.
    pub fn spot(&self, at: usize) -> Spot {
        let (line, column) = self.line_and_column(at);
        Spot { file: self.source.path.as_path().into(), line, column }
    }

    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = self.source.text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// Adds a fault that was found elsewhere, for instance in a file that this one names.
    pub fn adopt(&self, fault: Fault) {
        self.faults.borrow_mut().push(fault);
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.source.path
    }

    /// The faults, in the order of the file.
    pub fn into_faults(self) -> Vec<Fault> {
        let mut faults = self.faults.into_inner();
        faults.sort();
        faults.dedup();
        faults
    }
}

/// A value with its position in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its first byte in the file.
    pub at: usize,
}

/// The TOML name of a value's type.
pub fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
