//! All event types with all their versions.

mod builtin;
mod compatibility;
mod declared;
mod error;
mod event_type;
mod folder;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

pub use declared::DeclaredSchema;
pub use error::RegistryError;
pub use event_type::EventType;
use folder::Source;

use crate::confluent::{ForeignSchema, Writer, WriterError};
use crate::resolution::{Rules, resolve};
use crate::suggest::nearest;
use crate::{DecodeError, Record, Schema, TypeName, decode, schema};

/// All event types with all their versions; cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    types: BTreeMap<String, Arc<EventType>>,
    /// The event type, and the index of the version, of a fingerprint.
    fingerprints: HashMap<u64, (Arc<EventType>, usize)>,
    sources: Vec<Source>,
}

impl Registry {
    /// Whether both are the same registry; clones are.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether the two were read from the same files with the same text.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.0.sources == other.0.sources
    }

    /// The platform's own vocabulary, which is compiled in.
    pub fn builtin() -> Self {
        builtin::REGISTRY.clone()
    }

    /// Only the events of nodes themselves, without the demo platform's.
    pub fn of_nodes() -> Self {
        builtin::REGISTRY_OF_NODES.clone()
    }

    /// Loads only a folder of `{service}/{Event}.v{N}.avsc` files.
    ///
    /// Versions count from 1 without a gap. Every version must be able to read what every other wrote. Two versions
    /// that differ only in what the bytes do not show (doc, defaults, aliases) are refused: a body does not reveal
    /// which of them wrote it, and such a change belongs in the existing file.
    pub fn load(folder: &Path) -> Result<Self, RegistryError> {
        Self::from_sources(folder::read(folder)?)
    }

    /// This registry and the schemas of a folder; a file in both must be identical.
    pub fn with_folder(&self, folder: &Path) -> Result<Self, RegistryError> {
        let mut sources = self.0.sources.clone();
        sources.extend(folder::read(folder)?);
        Self::from_sources(sources)
    }

    /// An event type by its name.
    pub fn event_type(&self, name: &str) -> Option<&Arc<EventType>> {
        self.0.types.get(name)
    }

    /// All event types, by name.
    pub fn event_types(&self) -> impl Iterator<Item = &Arc<EventType>> {
        self.0.types.values()
    }

    /// The event type that a misspelt name may mean.
    pub fn suggest(&self, name: &str) -> Option<&str> {
        nearest(name, self.0.types.keys().map(String::as_str))
    }

    /// The version with a fingerprint.
    pub fn schema(&self, fingerprint: u64) -> Option<&Arc<Schema>> {
        self.0.fingerprints.get(&fingerprint).map(|(event_type, index)| &event_type.versions()[*index])
    }

    /// Decodes a body in single-object encoding.
    pub fn decode(&self, body: &[u8]) -> Result<Record, DecodeError> {
        let (fingerprint, datum) = decode::split(body)?;
        let Some((event_type, index)) = self.0.fingerprints.get(&fingerprint) else {
            return Err(self.unknown(fingerprint));
        };
        let (written, plan) = event_type.written(*index);
        let values = decode::values(written, plan, datum)?;
        Ok(Record::new(event_type.clone(), written.version, values))
    }

    /// Describes what may be wrong with an unknown fingerprint. Reversed bytes are the most common mistake in
    /// handwritten encoders.
    fn unknown(&self, fingerprint: u64) -> DecodeError {
        match self.0.fingerprints.get(&fingerprint.swap_bytes()) {
            None => DecodeError::UnknownSchema { fingerprint },
            Some((event_type, index)) => DecodeError::ReversedFingerprint {
                fingerprint,
                event_type: event_type.name().clone(),
                version: event_type.versions()[*index].version,
            },
        }
    }

    /// Plans how to read records of a schema from a schema registry.
    ///
    /// The event type is the one at the end of the schema's full name, such as `license.FlagToggled` for
    /// `com.example.license.FlagToggled`; else the one that the event's own attributes declare.
    ///
    /// # Errors
    /// [`WriterError`] if neither is known, or its newest version cannot read what the schema writes.
    pub fn writer(&self, schema: &ForeignSchema, declared: &TypeName) -> Result<Writer, WriterError> {
        let named = schema.type_name().and_then(|name| self.event_type(&name));
        let event_type = named.or_else(|| self.event_type(declared.as_str()));
        let event_type = event_type.ok_or_else(|| schema.unknown_type(declared))?;
        Writer::new(schema, event_type)
    }

    fn from_sources(sources: Vec<Source>) -> Result<Self, RegistryError> {
        let sources = in_order(sources)?;
        let mut types = BTreeMap::new();
        let mut fingerprints: HashMap<u64, (Arc<EventType>, usize)> = HashMap::new();
        let mut files: HashMap<u64, &Source> = HashMap::new();
        for versions in sources.chunk_by(|left, right| left.event_type == right.event_type) {
            let event_type = Arc::new(event_type(versions)?);
            for (index, (schema, source)) in event_type.versions().iter().zip(versions).enumerate() {
                for fingerprint in [Some(schema.fingerprint), schema.variant_fingerprint].into_iter().flatten() {
                    if let Some(other) = files.insert(fingerprint, source) {
                        return Err(RegistryError::same_bytes(source, other));
                    }
                    fingerprints.insert(fingerprint, (event_type.clone(), index));
                }
            }
            types.insert(event_type.name().to_string(), event_type);
        }
        Ok(Self(Arc::new(Inner { types, fingerprints, sources })))
    }
}

#[cfg(test)]
impl Registry {
    /// A registry of files that need not exist: their paths as in a folder, and their texts.
    pub(crate) fn of(files: &[(&str, &str)]) -> Result<Self, RegistryError> {
        let source = |(path, text): &(&str, &str)| Source::new(path.into(), path, text.to_string().into());
        Self::from_sources(files.iter().map(source).collect::<Result<_, _>>()?)
    }
}

/// Sorts the files by event type and version, and checks that each version is unique.
fn in_order(mut sources: Vec<Source>) -> Result<Vec<Source>, RegistryError> {
    sources.sort_by(|left, right| (&left.event_type, left.version).cmp(&(&right.event_type, right.version)));
    let mut ordered: Vec<Source> = Vec::with_capacity(sources.len());
    for source in sources {
        let previous = ordered.last().filter(|previous| previous.event_type == source.event_type);
        match previous {
            Some(previous) if previous.version == source.version => {
                if previous.text != source.text {
                    return Err(RegistryError::Conflict { file: source.file, other: previous.file.clone() });
                }
            }
            previous => {
                let missing = previous.map_or(0, |previous| previous.version) + 1;
                if source.version != missing {
                    return Err(RegistryError::Gap { file: source.file, missing });
                }
                ordered.push(source);
            }
        }
    }
    Ok(ordered)
}

/// Reads all versions of one event type, the oldest first.
fn event_type(sources: &[Source]) -> Result<EventType, RegistryError> {
    let mut versions: Vec<Arc<Schema>> = Vec::with_capacity(sources.len());
    for source in sources {
        let schema = schema::parse(source.event_type.clone(), source.version, &source.text)
            .map_err(|fault| RegistryError::invalid(source, fault))?;
        for (older, other) in versions.iter().zip(sources) {
            compatibility::check(older, &schema).map_err(|fault| RegistryError::incompatible(source, other, fault))?;
        }
        versions.push(Arc::new(schema));
    }
    let newest = &versions[versions.len() - 1];
    let plan = |(version, source): (&Arc<Schema>, &Source)| {
        resolve(&version.layouts, &newest.fields, Rules::Newer).map_err(|fault| RegistryError::invalid(source, fault))
    };
    let plans = versions.iter().zip(sources).map(plan).collect::<Result<_, _>>()?;
    Ok(EventType::new(versions, plans))
}
