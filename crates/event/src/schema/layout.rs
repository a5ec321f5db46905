//! How values lie in the bytes.

use std::sync::Arc;

/// The fields of a record in the order of the bytes.
pub(crate) type RecordLayout = Box<[(Arc<str>, Layout)]>;

/// How a value lies in the bytes: what [`Kind`](super::Kind) says, without what only the meaning needs, and with the
/// order of unions, which only the bytes need.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Layout {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    String,
    Bytes,
    Fixed(usize),
    Enum(Arc<[Arc<str>]>),
    Array(Box<Layout>),
    Map(Box<Layout>),
    Record(RecordLayout),
    /// A union of null and one other type.
    Nullable {
        /// Whether null is the first of the two.
        null_first: bool,
        value: Box<Layout>,
    },
}
