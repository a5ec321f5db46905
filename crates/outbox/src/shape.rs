//! The two shapes of an outbox table: the one that this library creates and fills, and the one that others fill.

use fanfare_event::{Attributes, Encoded, Id, Registry, Timestamp, TypeName, Value, parse_json};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::dialect::Dialect;
use crate::error::OutboxError;
use crate::row::Row;

/// The columns of a table.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// `fanfare_outbox`: attributes as headers, bodies encoded.
    Encoded,
    /// A table that services in any language fill: a column for each attribute, data as JSON.
    Json {
        /// Its name, quoted for statements.
        table: String,
        /// The schemas against which data is checked.
        registry: Registry,
    },
}

/// The required columns of a table of the JSON shape.
const COLUMNS: [&str; 14] = [
    "seq",
    "id",
    "source",
    "type",
    "org",
    "subject",
    "time",
    "dataversion",
    "traceparent",
    "data",
    "attempts",
    "parked_reason",
    "published_at",
    "place",
];

impl Shape {
    /// The shape of a table with this name: letters, digits and underscores, with or without its schema before a dot.
    pub(crate) fn json(name: &str, registry: Registry) -> Result<Self, OutboxError> {
        let is_name = |part: &str| {
            !part.is_empty() && part.len() <= 63 && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let parts: Vec<&str> = name.split('.').collect();
        if parts.len() > 2 || !parts.iter().all(|part| is_name(part)) {
            return Err(OutboxError::TableName(name.to_owned()));
        }
        let table = parts.iter().map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join(".");
        Ok(Self::Json { table, registry })
    }

    /// The table in statements.
    pub(crate) fn table(&self) -> &str {
        match self {
            Self::Encoded => "fanfare_outbox",
            Self::Json { table, .. } => table,
        }
    }

    /// The name of the lease that allows one relay at a time to work on the table.
    pub(crate) fn lease(&self) -> String {
        match self {
            Self::Encoded => "relay".to_owned(),
            Self::Json { table, .. } => table.replace('"', ""),
        }
    }

    /// The ordering key of rows.
    pub(crate) fn ordering_key(&self) -> &'static str {
        match self {
            Self::Encoded => "ordering_key",
            Self::Json { .. } => {
                // Others make the table: a column may have another type, or hold NULL.
                "COALESCE('org:' || CAST(org AS TEXT), 'subject:' || CAST(subject AS TEXT), \
                 'type:' || CAST(type AS TEXT), 'none')"
            }
        }
    }

    /// When a row was stored, in milliseconds.
    pub(crate) fn created_at(&self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Encoded, _) => "created_at",
            (Self::Json { .. }, Dialect::Postgres) => "CAST(EXTRACT(EPOCH FROM time) * 1000 AS BIGINT)",
            (Self::Json { .. }, Dialect::Sqlite) => "CAST(unixepoch(time, 'subsec') * 1000 AS INTEGER)",
        }
    }

    /// The text that identifies an event for people: source, id and type.
    pub(crate) fn names(&self) -> &'static str {
        match self {
            Self::Encoded => "source, event_id, event_type",
            Self::Json { .. } => {
                "COALESCE(CAST(source AS TEXT), '') AS source, COALESCE(CAST(id AS TEXT), '') AS event_id, \
                 COALESCE(CAST(type AS TEXT), '') AS event_type"
            }
        }
    }

    /// The columns for [`Self::read`]. Types that drivers do not share are read as text or numbers.
    pub(crate) fn columns(&self, dialect: Dialect) -> String {
        match self {
            Self::Encoded => "seq, ordering_key, headers, body, event_key".to_owned(),
            Self::Json { .. } => format!(
                "CAST(seq AS BIGINT) AS seq, {} AS ordering_key, CAST(id AS TEXT) AS event_id, CAST(source AS TEXT) AS source, \
                 CAST(type AS TEXT) AS event_type, CAST(org AS TEXT) AS org, CAST(subject AS TEXT) AS subject, \
                 {} AS time_ms, CAST(dataversion AS BIGINT) AS dataversion, \
                 CAST(traceparent AS TEXT) AS traceparent, CAST(data AS TEXT) AS data",
                self.ordering_key(),
                self.created_at(dialect)
            ),
        }
    }

    /// A statement that fails unless all columns exist.
    pub(crate) fn probe(&self) -> String {
        format!("SELECT {} FROM {} WHERE 1 = 0", COLUMNS.join(", "), self.table())
    }

    pub(crate) fn read(&self, row: &AnyRow) -> Result<Row, sqlx::Error> {
        match self {
            Self::Encoded => Row::read(row),
            Self::Json { registry, .. } => {
                let ordering_key: String = row.try_get("ordering_key")?;
                let event = event(registry, row)?;
                Ok(Row { seq: row.try_get("seq")?, ordering_key: ordering_key.into(), event })
            }
        }
    }
}

/// The event of a row; the inner error says why the row is not an event.
fn event(registry: &Registry, row: &AnyRow) -> Result<Result<Encoded, String>, sqlx::Error> {
    let event_type: Option<String> = row.try_get("event_type")?;
    let org: Option<String> = row.try_get("org")?;
    let version: Option<i64> = row.try_get("dataversion")?;
    let data: Option<String> = row.try_get("data")?;
    let time: Option<i64> = row.try_get("time_ms")?;
    let (id, source): (Option<String>, Option<String>) = (row.try_get("event_id")?, row.try_get("source")?);
    let (subject, traceparent) = (row.try_get("subject")?, row.try_get("traceparent")?);
    let build = || {
        let org = org.as_deref().map(Id::parse).transpose().map_err(|error| format!("column org: {error}"))?;
        let event_type = event_type.ok_or("column type is NULL: expected a type name such as license.FlagToggled")?;
        let event_type = TypeName::parse(&event_type).map_err(|error| format!("column type: {error}"))?;
        let version = version.map(u32::try_from).transpose();
        let data_version = version.map_err(|_| "column dataversion: expected a positive whole number".to_owned())?;
        let id = id.ok_or("column id is NULL: expected text that is unique in the source")?;
        let source = source.ok_or("column source is NULL: expected text such as /services/license")?;
        let data = data.ok_or("column data is NULL: expected a JSON object")?;
        let time = Timestamp(time.ok_or("column time: expected a time")?);
        let attributes = Attributes { id, source, event_type, time, subject, org, data_version, traceparent };
        encode(registry, attributes, &data)
    };
    Ok(build())
}

fn encode(registry: &Registry, mut attributes: Attributes, data: &str) -> Result<Encoded, String> {
    attributes.validate().map_err(|error| error.to_string())?;
    let name = attributes.event_type.as_str();
    let event_type = registry.event_type(name).ok_or_else(|| format!("column type: no schema of {name} is known"))?;
    let json = parse_json(data.as_bytes()).map_err(|error| format!("column data: {error}"))?;
    let body = event_type
        .encode_json(attributes.data_version, &json)
        .map_err(|mismatch| format!("column data: {mismatch}"))?;
    let record = registry.decode(&body).map_err(|error| format!("column data: {error}"))?;
    if let Some(Value::String(org)) = record.get("org") {
        let org = Id::parse(org).map_err(|error| format!("column data: field `org`: {error}"))?;
        if attributes.org.as_ref().is_some_and(|named| *named != org) {
            return Err("column org and field `org` of the data name two orgs".to_owned());
        }
        attributes.org = Some(org);
    }
    let key = record.key();
    Ok(Encoded { attributes, body, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables_are_plain_and_quoted() {
        let table = |name: &str| Shape::json(name, Registry::builtin()).map(|shape| shape.table().to_owned());
        assert_eq!(table("fanfare_events").ok().as_deref(), Some("\"fanfare_events\""));
        assert_eq!(table("shop.Events2").ok().as_deref(), Some("\"shop\".\"Events2\""));
        for wrong in ["", "a.b.c", "a b", "a\"; DROP TABLE x; --", ".a", "a."] {
            assert!(table(wrong).is_err(), "{wrong}");
        }
    }
}
