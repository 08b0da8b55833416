//! Decode errors: the location and the reason.

use std::fmt;

use super::redaction::{redacted_line, strip_control_characters};
use crate::Secret;

/// An error in a response body, with its location and reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    location: String,
    reason: String,
}

impl DecodeError {
    /// Creates an error at a location in the body: a path such as `usages[3].resources[0].date`, or a line
    /// and column.
    pub fn new(location: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            location: strip_control_characters(&location.into()),
            reason: strip_control_characters(&reason.into()),
        }
    }

    /// Returns the location in the body.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Removes `secrets` from the location and the reason, which may quote the body, and limits their length.
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
