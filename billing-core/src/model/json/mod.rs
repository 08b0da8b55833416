//! The scanner: reads the JSON of a model without a tree in between.

pub(crate) mod scanner;
