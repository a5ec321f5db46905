//! `fanfare check`.
