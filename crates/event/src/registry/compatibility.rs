//! Whether two versions of an event type can read each other's records.

use crate::Schema;
use crate::resolution::{Rules, resolve};
use crate::schema::Fault;

/// Checks that each of two versions reads everything that the other writes, and that both have the same key.
///
/// A number may grow from version to version. The older version then only needs a place for it, because nodes read
/// everything as the newest.
pub(super) fn check(older: &Schema, newer: &Schema) -> Result<(), Fault> {
    for (writer, reader, rules) in [(older, newer, Rules::Newer), (newer, older, Rules::Older)] {
        resolve(&writer.layouts, &reader.fields, rules).map_err(|fault| Fault {
            reason: format!("v{} cannot read what v{} wrote: {}", reader.version, writer.version, fault.reason),
            ..fault
        })?;
    }
    same_state(older, newer)
}

/// A changed key would leave the state of the old one behind forever.
fn same_state(older: &Schema, newer: &Schema) -> Result<(), Fault> {
    let names = |schema: &Schema| -> Vec<String> {
        schema.key.iter().map(|index| schema.fields[*index].name.to_string()).collect()
    };
    let (was, is) = (names(older), names(newer));
    if was != is {
        let shown = |names: &[String]| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        return Err(Fault::of_file(format!(
            "`fanfare.key` names {} in v{}, and {} in v{}; all versions must name the same fields",
            shown(&was),
            older.version,
            shown(&is),
            newer.version
        )));
    }
    let revision = |schema: &Schema| schema.revision.map(|index| schema.fields[index].name.clone());
    match revision(older) {
        Some(was) if revision(newer).as_ref() != Some(&was) => Err(Fault::of_field(
            &*was,
            format!("`fanfare.revision` names it in v{}, but not in v{}", older.version, newer.version),
        )),
        _ => Ok(()),
    }
}
