//! Parses arbitrary text as a schema of a schema registry, and decodes arbitrary bytes with it.

#![no_main]

use fanfare_event::confluent::{ForeignSchema, join};
use fanfare_event::{Registry, TypeName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8])| {
    let (text, datum) = input;
    let Ok(schema) = ForeignSchema::parse(1, text) else { return };
    let registry = Registry::builtin();
    for name in ["system.Alert", "license.FlagToggled"] {
        let declared = TypeName::parse(name).expect("a name");
        if let Ok(writer) = registry.writer(&schema, &declared) {
            let _ = writer.decode(&join(1, datum));
        }
    }
});
