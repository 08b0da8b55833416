//! What the core found, made into documents: a file for each kind.

mod overview;
mod regions;
mod usage;

pub(crate) use overview::overview;
pub(crate) use regions::regions;
pub(crate) use usage::usage;
