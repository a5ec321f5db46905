//! Values with a meaning of their own and the texts that stand for them.

pub(crate) mod decimal;
pub(crate) mod duration;
pub(crate) mod moment;
