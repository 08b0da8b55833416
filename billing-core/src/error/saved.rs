//! Saved errors, for a journal.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Error, ErrorContext, ErrorKind};
use crate::calls::TRUSTEE_OVERVIEW;

/// An error of a trustee overview in a journal; see [`Error::to_saved`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SavedError {
    kind: SavedErrorKind,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    correlation_id: Option<String>,
    body_start: Option<String>,
    attempts: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum SavedErrorKind {
    Forbidden,
    NotFound,
    Rejected,
}

impl Error {
    /// Returns the error in the form saved in a journal, if it is the server's final answer to a trustee
    /// overview: a retry would get the same answer.
    pub(crate) fn to_saved(&self) -> Option<SavedError> {
        let ErrorContext { status, code, message, correlation_id, body_start, transport: _ } =
            &self.0.context;
        let kind = match self.0.kind {
            ErrorKind::Forbidden => SavedErrorKind::Forbidden,
            ErrorKind::NotFound => SavedErrorKind::NotFound,
            ErrorKind::Rejected => SavedErrorKind::Rejected,
            _ => return None,
        };
        if self.0.operation != TRUSTEE_OVERVIEW {
            return None;
        }
        Some(SavedError {
            kind,
            status: status.map(|status| status.as_u16()),
            code: code.clone(),
            message: message.clone(),
            correlation_id: correlation_id.clone(),
            body_start: body_start.clone(),
            attempts: self.0.attempts,
        })
    }
}

impl SavedError {
    pub(crate) fn into_error(self) -> Error {
        let Self { kind, status, code, message, correlation_id, body_start, attempts: requests } = self;
        let kind = match kind {
            SavedErrorKind::Forbidden => ErrorKind::Forbidden,
            SavedErrorKind::NotFound => ErrorKind::NotFound,
            SavedErrorKind::Rejected => ErrorKind::Rejected,
        };
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let context = ErrorContext { status, code, message, correlation_id, body_start, transport: None };
        Error::new(kind, TRUSTEE_OVERVIEW, context).with_attempts(requests)
    }
}
