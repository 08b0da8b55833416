//! How results are rendered.

pub(crate) mod csv;
#[allow(dead_code, reason = "the HTML page, which comes next, reads the rest")]
pub(crate) mod document;
pub(crate) mod grid;
pub(crate) mod json;
pub(crate) mod paint;
pub(crate) mod table;
pub(crate) mod xlsx;
