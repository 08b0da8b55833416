//! Where and why a body could not be read.

use std::fmt;

use super::redaction::{one_line, quoted};
use crate::Secret;

/// Where and why a body is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    place: String,
    reason: String,
}

impl DecodeError {
    /// An error at a place in the body: a path such as `usages[3].resources[0].date`, or a line and column.
    pub fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: one_line(&place.into()), reason: one_line(&reason.into()) }
    }

    /// Where in the body.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The same without `secrets`, which place and reason may quote of a body that sends them back, and not without end, as
    /// a body's texts can be.
    pub(crate) fn without(self, secrets: &[&Secret]) -> Self {
        Self { place: quoted(self.place, secrets), reason: quoted(self.reason, secrets) }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: {}", self.place, self.reason)
    }
}

impl std::error::Error for DecodeError {}
