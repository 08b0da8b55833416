//! Where and why a body could not be read.

use std::fmt;

use super::redaction::{redacted_line, strip_control_characters};
use crate::Secret;

/// Where and why a body is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    location: String,
    reason: String,
}

impl DecodeError {
    /// An error at a place in the body: a path such as `usages[3].resources[0].date`, or a line and column.
    pub fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            location: strip_control_characters(&place.into()),
            reason: strip_control_characters(&reason.into()),
        }
    }

    /// Where in the body.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The same without `secrets`, which place and reason may quote of a body that sends them back, and not without end, as
    /// a body's texts can be.
    pub(crate) fn redacted(self, secrets: &[&Secret]) -> Self {
        Self { location: redacted_line(self.location, secrets), reason: redacted_line(self.reason, secrets) }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: {}", self.location, self.reason)
    }
}

impl std::error::Error for DecodeError {}
