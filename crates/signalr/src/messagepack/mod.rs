//! The MessagePack form: one array, its message type in front.

mod decode;
mod encode;
mod reader;
mod value;

pub(crate) use decode::decode;
pub(crate) use encode::{encode, encode_push};

#[cfg(test)]
mod tests;
