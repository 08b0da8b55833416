//! The scanner: parses the JSON of a model without building a tree.

pub(crate) mod scanner;
