//! Group names.
