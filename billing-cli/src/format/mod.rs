//! The renderers of the output formats.

pub(crate) mod csv;
pub(crate) mod document;
pub mod formula_guard;
pub(crate) mod grid;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod paint;
pub(crate) mod table;
pub(crate) mod xlsx;

pub(crate) use formula_guard::{guarded, unguarded};
