//! Values with a meaning of their own, and their texts.

pub(crate) mod decimal;
pub(crate) mod duration;
pub(crate) mod moment;
