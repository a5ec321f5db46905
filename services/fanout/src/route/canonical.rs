//! The canonical text of routes, without comments, spaces and the order of files: the digest is made from it.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use toml::de::{DeTable, DeValue};

use crate::document::section::entries;

/// A route's table as text. The order of keys is kept, since it is that of the arguments.
pub(super) fn text(table: &DeTable<'_>) -> String {
    let mut out = String::new();
    write_table(table, &mut out);
    out
}

fn write_table(table: &DeTable<'_>, out: &mut String) {
    out.push('{');
    for (key, node) in entries(table) {
        // Writing to a string never fails.
        let _ = write!(out, "{:?}:", key.value);
        write_value(node.get_ref(), out);
        out.push(',');
    }
    out.push('}');
}

fn write_value(value: &DeValue<'_>, out: &mut String) {
    let _ = match value {
        DeValue::String(text) => write!(out, "{text:?}"),
        DeValue::Integer(number) => write!(out, "{number}"),
        DeValue::Float(number) => write!(out, "{}", number.as_str()),
        DeValue::Boolean(value) => write!(out, "{value}"),
        DeValue::Datetime(time) => write!(out, "{time}"),
        DeValue::Array(items) => {
            out.push('[');
            for item in items {
                write_value(item.get_ref(), out);
                out.push(',');
            }
            write!(out, "]")
        }
        DeValue::Table(table) => {
            write_table(table, out);
            Ok(())
        }
    };
}

/// A short digest of these texts, in whatever order they come.
pub(super) fn digest(mut texts: Vec<String>) -> String {
    texts.sort();
    let mut context = digest::Context::new(&digest::SHA256);
    for text in &texts {
        context.update(&(text.len() as u64).to_le_bytes());
        context.update(text.as_bytes());
    }
    context.finish().as_ref()[..8].iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
