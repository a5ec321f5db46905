//! One table of a document, read key by key; a value that does not fit becomes a fault with its position.

use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::suggest;
use super::{Document, Located, type_name};

/// A value of the file, with its place.
pub type Node<'d> = &'d Spanned<DeValue<'d>>;

/// How messages call the top level of a file.
pub(super) const TOP: &str = "the file";

/// A table of a document.
#[derive(Clone)]
pub struct Section<'d> {
    document: &'d Document<'d>,
    title: String,
    table: &'d DeTable<'d>,
    at: usize,
}

impl<'d> Section<'d> {
    pub(super) fn new(document: &'d Document<'d>, title: String, table: &'d DeTable<'d>, at: usize) -> Self {
        Self { document, title, table, at }
    }

    /// The document, for faults that concern no single key.
    pub fn document(&self) -> &'d Document<'d> {
        self.document
    }

    /// The first byte of the table.
    pub fn at(&self) -> usize {
        self.at
    }

    /// How messages call this table.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Makes a fault of every key that is not among these.
    pub fn allow(self, keys: &[&str]) -> Self {
        self.allow_or_translate(keys, &[])
    }

    /// The same, where others have words of their own for some keys: each with what it is here.
    pub fn allow_or_translate(self, keys: &[&str], words: &[(&str, &str)]) -> Self {
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if !keys.contains(&name) {
                self.document.fault(
                    key.span().start,
                    format!("{} has no key `{name}`", self.title),
                    suggest::translated(name, keys, words),
                );
            }
        }
        self
    }

    /// The table itself.
    pub fn table(&self) -> &'d DeTable<'d> {
        self.table
    }

    /// The entries in the order of the file.
    pub fn entries(&self) -> Vec<(Located<&'d str>, Node<'d>)> {
        entries(self.table)
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<Node<'d>> {
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// The place of a key, or of the table where the key is missing.
    pub fn place(&self, key: &str) -> usize {
        let found = self.table.iter().find(|(name, _)| name.get_ref() == key);
        found.map_or(self.at, |(name, _)| name.span().start)
    }

    /// Adds a fault at a key of this table, or at the table where the key is missing.
    pub fn fault(&self, key: &str, message: impl Into<String>, help: Option<String>) {
        self.document.fault(self.place(key), message, help);
    }

    fn wrong(&self, key: &str, value: Node<'_>, expected: &str) {
        let found = type_name(value.get_ref());
        self.document.fault(
            value.span().start,
            format!("`{key}` of {} must be {expected}, not {found}", self.title),
            None,
        );
    }

    /// A string, or nothing where the key is missing.
    pub fn string(&self, key: &str) -> Option<Located<&'d str>> {
        let value = self.value(key)?;
        let text = text(value);
        if text.is_none() {
            self.wrong(key, value, "a string");
        }
        text
    }

    /// A string that must be there.
    pub fn required(&self, key: &str) -> Option<Located<&'d str>> {
        if self.value(key).is_none() {
            self.document.fault(self.at, format!("{} needs the key `{key}`", self.title), None);
        }
        self.string(key)
    }

    /// A boolean, or nothing where the key is missing.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        let value = self.value(key)?;
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.wrong(key, value, "true or false");
        }
        found
    }

    /// An integer within a range, or `default` where the key is missing or wrong.
    pub fn integer(&self, key: &str, range: RangeInclusive<u64>, default: u64) -> u64 {
        let (low, high) = range.clone().into_inner();
        let help = format!("it must be {low} to {high}; the default is {default}");
        self.integer_or(key, range, help).unwrap_or(default)
    }

    /// An integer within a range, or nothing if the key is missing or wrong; `help` says what would be right.
    pub fn integer_or(&self, key: &str, range: RangeInclusive<u64>, help: String) -> Option<u64> {
        let value = self.value(key)?;
        match integer(value) {
            Some(number) if u64::try_from(number).is_ok_and(|n| range.contains(&n)) => Some(number.unsigned_abs()),
            Some(number) => {
                let message = format!("`{key}` of {} is {number}", self.title);
                self.document.fault(value.span().start, message, Some(help));
                None
            }
            None => {
                self.wrong(key, value, "an integer");
                None
            }
        }
    }

    /// A list of strings, or nothing where the key is missing.
    pub fn strings(&self, key: &str) -> Option<Vec<Located<&'d str>>> {
        let value = self.value(key)?;
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, value, "a list of strings");
            return None;
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match text(item) {
                Some(text) => texts.push(text),
                None => self.wrong(key, item, "a list of strings"),
            }
        }
        Some(texts)
    }

    /// A list, or nothing where the key is missing.
    pub fn list(&self, key: &str) -> Option<&'d DeArray<'d>> {
        let value = self.value(key)?;
        let list = value.get_ref().as_array();
        if list.is_none() {
            self.wrong(key, value, "a list");
        }
        list
    }

    /// A table, or nothing where the key is missing.
    pub fn section(&self, key: &str) -> Option<Section<'d>> {
        let value = self.value(key)?;
        match value.get_ref().as_table() {
            Some(table) => {
                let title = if self.title == TOP { format!("[{key}]") } else { format!("`{key}`") };
                Some(Self::new(self.document, title, table, value.span().start))
            }
            None => {
                self.wrong(key, value, "a table");
                None
            }
        }
    }

    /// A list of tables (`[[key]]`), empty where the key is missing.
    pub fn sections(&self, key: &str) -> Vec<Section<'d>> {
        let mut sections = Vec::new();
        if let Some(table) = self.value(key).filter(|value| value.get_ref().is_table()) {
            let message = format!("`[{key}]` is one table, and there may be several");
            self.document.fault(table.span().start, message, Some(format!("write [[{key}]]")));
            return sections;
        }
        for item in self.list(key).into_iter().flatten() {
            match item.get_ref().as_table() {
                Some(table) => sections.push(Self::new(self.document, format!("[[{key}]]"), table, item.span().start)),
                None => self.wrong(key, item, "a list of tables"),
            }
        }
        sections
    }

    /// A table somewhere within this one, for instance in a list.
    pub fn nested(&self, node: Node<'d>, title: &str) -> Option<Section<'d>> {
        let table = node.get_ref().as_table()?;
        Some(Self::new(self.document, title.to_owned(), table, node.span().start))
    }

    /// The same table under another title.
    pub fn titled(mut self, title: String) -> Self {
        self.title = title;
        self
    }
}

/// The entries of a table in the order of the file.
pub fn entries<'d>(table: &'d DeTable<'d>) -> Vec<(Located<&'d str>, Node<'d>)> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| (Located { value: key.get_ref().as_ref(), at: key.span().start }, value))
        .collect();
    entries.sort_by_key(|(key, _)| key.at);
    entries
}

/// The text of a string value.
pub fn text<'d>(value: Node<'d>) -> Option<Located<&'d str>> {
    let text = value.get_ref().as_str()?;
    Some(Located { value: text, at: value.span().start })
}

/// The number of an integer value.
pub fn integer(value: Node<'_>) -> Option<i64> {
    let number = value.get_ref().as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}
