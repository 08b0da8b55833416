//! The tests that need no process of their own, in one binary, so that they are linked only once.

mod conformance;
mod corpus;
mod documents;
mod drivers;
mod faults;
mod fleet;
mod operations;
mod parsing;
mod properties;
mod resources;
mod samples;
mod sans_io;
mod statement;
mod unsafe_code;
mod wire;
