//! Errors in a saved form.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Error, ErrorContext, ErrorKind};
use crate::calls::TRUSTEE_OVERVIEW;

/// An error of a trustee overview in a journal; see [`Error::keep`].
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SavedError {
    kind: KeptKind,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    correlation_id: Option<String>,
    body_start: Option<String>,
    requests: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum KeptKind {
    Forbidden,
    NotFound,
    Rejected,
}

impl Error {
    /// The error as it is kept in a journal, if it is the server's last word on the overview of an organisation: another try
    /// would be answered so too.
    pub(crate) fn keep(&self) -> Option<SavedError> {
        let ErrorContext { status, code, message, correlation_id, body_start, transport: _ } =
            &self.0.evidence;
        let kind = match self.0.kind {
            ErrorKind::Forbidden => KeptKind::Forbidden,
            ErrorKind::NotFound => KeptKind::NotFound,
            ErrorKind::Rejected => KeptKind::Rejected,
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
            requests: self.0.attempts,
        })
    }
}

impl SavedError {
    pub(crate) fn into_error(self) -> Error {
        let Self { kind, status, code, message, correlation_id, body_start, requests } = self;
        let kind = match kind {
            KeptKind::Forbidden => ErrorKind::Forbidden,
            KeptKind::NotFound => ErrorKind::NotFound,
            KeptKind::Rejected => ErrorKind::Rejected,
        };
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let evidence = ErrorContext { status, code, message, correlation_id, body_start, transport: None };
        Error::new(kind, TRUSTEE_OVERVIEW, evidence).after(requests)
    }
}
