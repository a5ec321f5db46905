//! The JSON form: one object, with its message type in `type`.

mod decode;
mod encode;
mod reader;
mod text;

pub(crate) use decode::{decode, handshake_fields};
pub(crate) use encode::{encode, encode_push, write_string};

#[cfg(test)]
mod tests;
