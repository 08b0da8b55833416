//! How results are rendered.

pub(crate) mod csv;
pub(crate) mod document;
pub(crate) mod grid;
mod harmless;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod paint;
pub(crate) mod table;
pub(crate) mod xlsx;

pub(crate) use harmless::{harmless, plain};
